"""One run of a pool: NPT molecular dynamics of a melt with the potential of the system."""

from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.files import written_aside
from minset.md.engines import classical_engine
from minset.md.melt import melt
from minset.md.run import FINAL, TRAJECTORY, Protocol, read_thermo, run_md
from minset.md.trajectory import read_trajectory
from minset.potential import contact_A
from minset.system import species_of

LEAST_DIFFUSION_A2_PS = 0.15  # of a liquid; 1.5e-9 m^2/s


class NoLiquid(ValueError):
    """A run that was no liquid throughout: it boiled, froze or broke; the message says which."""


def run_npt(system: dict, run: dict, folder: Path) -> list[Atoms]:
    """Melt, equilibrate and sample one run of a pool.

    Parameters
    ----------
    system
        ``species`` and ``potential``.
    run
        As of a generator's ``plan``, see ``minset.pool``, and ``density_g_cm3``, at which it starts.
    folder
        Working folder; a killed run continues from what is there.

    Returns
    -------
    list of Atoms
        ``frames`` frames with energy (eV), forces (eV/A), ``energies`` (atomic energies, eV) and, in
        ``info``, ``time_ps``, ``temperature_K`` and ``pressure_bar``.

    Raises
    ------
    NoLiquid
        If the run boiled, froze or broke.
    """
    folder = Path(folder)
    first, last = run["temperature_K"]
    common = {
        "ensemble": "npt",
        "pressure_bar": run["pressure_bar"],
        "timestep_fs": run["timestep_fs"],
        "seed": run["seed"],
        "limits": {"energy_eV_atom": 1.0},
    }
    settle = Protocol(
        temperature_K=(first, first),
        duration_ps=run["equilibration_ps"],
        sample_ps=run["equilibration_ps"],
        thermo_ps=0.1,
        **common,
    )
    sample_ps = run["duration_ps"] / run["frames"]
    sampling = Protocol(
        temperature_K=(first, last),
        duration_ps=run["duration_ps"],
        sample_ps=sample_ps,
        thermo_ps=sample_ps,
        extra_columns=("fx", "fy", "fz", "c_atomic_energy"),
        **common,
    )
    start = _melt(folder / "melt.extxyz", system, run)
    _run(start, system, settle, folder / "settle")
    settled = ase.io.read(folder / "settle" / FINAL, format="extxyz")
    _run(settled, system, sampling, folder / "run")
    require_liquid(folder / "run" / TRAJECTORY, system, sample_ps, run["temperature_K"])
    return _frames(folder / "run")[1:]  # the first repeats the end of the equilibration


def require_liquid(
    trajectory: Path, system: dict, sample_ps: float, temperature_K: tuple[float, float]
) -> None:
    """Stop unless a trajectory is a liquid: it does not boil, and atoms flow throughout.

    It boils when the mean volumes of two eighths of it differ by more than a factor of 1.8; single
    frames of 100 ions of NaCl at 2200 K and 1 bar do so by 1.7, and the liquid is stable.

    It flows when the mean squared displacement over each quarter of it exceeds that of atoms that
    rattle in a cage, the square of half the contact distance of the first and the last species, by 6 D t
    with a self-diffusion coefficient D of 1.5e-9 m^2/s. In runs of 100 ions of NaCl, liquids had at
    least 3e-9 (900 K at 1 kbar, supercooled), what froze at most 0.8e-9 (1500 K at 50 kbar). Metals are
    as mobile: 32 to 108 atoms of Al (Al_mm.eam.fs, 1 bar) had 3.4e-9 to 5.3e-9 at 1000 K and 10e-9 to
    13e-9 at 1500 K.

    Raises
    ------
    NoLiquid
        With the factor of the volumes, or the quarter in which atoms did not flow.
    """
    run = read_trajectory(trajectory)
    volumes = [v.mean() for v in np.array_split(run.volumes_A3, 8)]
    if (factor := max(volumes) / min(volumes)) > 1.8:
        raise NoLiquid(f"boils: its volume varies by a factor of {factor:.1f}")
    unwrapped = run.unwrapped_A
    species = species_of(system)
    contact = contact_A(system, species[0], species[-1])
    quarter = len(unwrapped) // 4
    lag_ps = (quarter - 1) * sample_ps
    needed = (contact / 2) ** 2 + 6 * LEAST_DIFFUSION_A2_PS * lag_ps
    for k in range(4):
        moved = unwrapped[(k + 1) * quarter - 1] - unwrapped[k * quarter]
        moved -= moved.mean(axis=0)  # the cell as a whole may drift
        msd = float(np.einsum("nd,nd->n", moved, moved).mean())
        if msd < needed:
            low, high = temperature_K
            near = low + (high - low) * (k + 0.5) / 4
            raise NoLiquid(
                f"not liquid near {near:.0f} K: in {lag_ps:.1f} ps the atoms moved {msd:.1f} A^2 on "
                f"average, a liquid moves more than {needed:.1f}"
            )


def _melt(path: Path, system: dict, run: dict) -> Atoms:
    """Start in a cube."""
    if not path.exists():
        atoms = melt(
            system,
            run["ions"],
            run["density_g_cm3"],
            run["temperature_K"][0],
            duration_ps=2.0,
            seed=run["seed"],
        )
        with written_aside(path) as aside:
            ase.io.write(aside, atoms)
    return ase.io.read(path, format="extxyz")


def _run(start: Atoms, system: dict, protocol: Protocol, folder: Path) -> None:
    verdict = run_md(start, system, classical_engine(), protocol, folder)
    if not verdict["stable"]:
        raise NoLiquid(f"broke {verdict['reason']}")


def _frames(folder: Path) -> list[Atoms]:
    """Frames of a run with what its thermo.csv knows of them."""
    images = ase.io.read(folder / TRAJECTORY, index=":", format="lammps-dump-text")
    thermo = read_thermo(folder).reset_index()
    if len(images) != len(thermo):
        raise RuntimeError(
            f"{folder} holds {len(images)} frames but {len(thermo)} rows of thermo.csv; "
            "remove the folder and run again"
        )
    frames = []
    for image, row in zip(images, thermo.to_dict("records"), strict=True):
        frame = Atoms(image.symbols, positions=image.positions, cell=image.cell, pbc=True)
        frame.calc = SinglePointCalculator(
            frame,
            energy=row["potential_energy_eV"],
            forces=image.get_forces(),
            energies=image.arrays["c_atomic_energy"].ravel(),
        )
        for key in ("time_ps", "temperature_K", "pressure_bar"):
            frame.info[key] = row[key]
        frames.append(frame)
    return frames
