"""How often the interval of a certificate holds the truth, where the truth is known.

    PYTHONPATH=workflow python tests/benchmarks/measure_certificate.py [repetitions]

The "model" is a Lennard-Jones liquid of 64 atoms at constant pressure, the "labels" are another one,
whose density is some per cent higher; a long run with the latter has the truth. Each repetition is a run
of the model with a seed of its own, of which independent frames are labelled. Prints a line for each
repetition and, at the end, how many intervals held the truth.
"""

import sys
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms

from minset.md.engines import potential_engine
from minset.md.files import FINAL, THERMO, TRAJECTORY
from minset.md.melt import melt
from minset.md.run import protocol_of, run_md
from minset.md.trajectory import read_trajectory
from minset.observe.certificate_rows import Labelled, reweighted_rows
from minset.observe.density import block_average
from minset.observe.independent import independent_frames
from minset.observe.reweighting import weights_of
from minset.potential.forces import single_point

T_K, ATOMS, LONG_PS = 130.0, 64, 2000.0
SETTINGS = {
    "ensemble": "npt",
    "temperature_K": T_K,
    "pressure_bar": 500.0,
    "timestep_fs": 4.0,  # with 10 fs a thermostat of 0.1 ps samples another ensemble
    "sample_ps": 0.5,
    "limits": {"energy_eV_atom": 1.0, "temperature_percent": 100.0},
}
TOLERANCES = {"energy_meV_atom": 1.0, "density_percent": 1.0, "effective_frames": 8.0}


def argon(epsilon_eV: float, sigma_A: float) -> dict:
    """System slice of a Lennard-Jones liquid, cut smoothly."""
    lines = ["pair_style lj/smooth/linear 8.0", f"pair_coeff * * {epsilon_eV} {sigma_A}"]
    potential = {"potential": "lammps", "lines": lines, "files": []}
    return {"species": {"Ar": {"mass_u": 39.948, "count": 1}}, "potential": potential}


LABELS, MODEL = argon(0.0104, 3.40), argon(0.0100, 3.41)


def simulated(system: dict, start: Atoms, duration_ps: float, seed: int, folder: Path) -> dict:
    """Equilibrate from velocities of the seed, and run; the verdict."""
    atoms, settings = start.copy(), SETTINGS | {"seed": seed}
    atoms.set_momenta(np.zeros((len(atoms), 3)))
    before = folder / "equilibration"
    run_md(atoms, system, potential_engine(), protocol_of(settings, 20.0), before)
    atoms = ase.io.read(before / FINAL, format="extxyz")
    verdict = run_md(atoms, system, potential_engine(), protocol_of(settings, duration_ps), folder)
    assert verdict["stable"], verdict["reason"]
    return verdict


def truth(start, folder: Path) -> dict[str, tuple[float, float]]:
    """Means of a long run with the labels' potential, and their standard errors, by quantity."""
    simulated(LABELS, start, LONG_PS, 99, folder)
    thermo = pd.read_csv(folder / THERMO)
    return {
        "density": block_average(thermo["density_g_cm3"]),
        "potential_energy": block_average(thermo["potential_energy_eV"] / ATOMS),
    }


def certificate(start, seed: int, duration_ps: float, frames: int, folder: Path) -> list[dict]:
    """Rows of the reweighted means of one run of the model, by the functions of the workflow."""
    verdict = simulated(MODEL, start, duration_ps, seed, folder)
    thermo = pd.read_csv(folder / THERMO)
    trajectory = read_trajectory(folder / TRAJECTORY)
    atoms, _ = independent_frames(trajectory, thermo, verdict["protocol"], frames)
    labels, model = ([single_point(system, a) for a in atoms] for system in (LABELS, MODEL))
    energies = [np.array([point.energy_eV for point in points]) for points in (labels, model)]
    of = Labelled(
        ensemble="npt",
        temperature_K=T_K,
        frames=atoms,
        label_eV=energies[0],
        model_eV=energies[1],
        label_forces_eV_A=np.array([point.forces_eV_A for point in labels]),
        model_forces_eV_A=np.array([point.forces_eV_A for point in model]),
        label_stress_eV_A3=np.array([point.stress_eV_A3 for point in labels]),
        model_stress_eV_A3=np.array([point.stress_eV_A3 for point in model]),
        weights=weights_of(energies[0] - energies[1], T_K),
    )
    rows = reweighted_rows(of, thermo, TOLERANCES)
    frames_there = {"frames": len(atoms), "effective_frames": 1 / np.square(of.weights).sum()}
    return [row | frames_there | {"scatter_kT": of.scatter_kT} for row in rows]


def measured(repetitions: int, duration_ps: float = 200.0, frames: int = 32) -> pd.DataFrame:
    """A row for each quantity of each repetition, with ``holds``: whether its interval has the truth.

    Too few effective frames have no interval and hold nothing.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        start = melt(LABELS, ATOMS, 1.2, T_K, duration_ps=20.0, seed=1)
        known = truth(start, Path(folder) / "truth")
        for seed in range(1, repetitions + 1):
            for row in certificate(start, seed, duration_ps, frames, Path(folder) / f"{seed}"):
                value, stderr = known[row["quantity"]]
                row |= {"repetition": seed, "truth": value, "truth_stderr": stderr}
                error = np.hypot(row.get("labels_stderr", np.nan), stderr)
                row["off"] = row.get("labels", np.nan) - value
                row["holds"] = bool(abs(row["off"]) <= 2 * error)
                rows.append(row)
                print(
                    f"{seed:3d} {row['quantity']:16} model {row['model']:.4f} truth {value:.4f}, labels "
                    f"off by {row['off']:.4f}({error:.4f}), {row['frames']} frames, "
                    f"{row['effective_frames']:.1f} effective, {row['scatter_kT']:.2f} kT, "
                    f"{'holds' if row['holds'] else 'does not hold'}",
                    flush=True,
                )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    table = measured(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    for quantity, rows in table.groupby("quantity"):
        print(f"{quantity}: the truth is in {rows['holds'].sum()} of {len(rows)} intervals")
