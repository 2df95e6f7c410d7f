"""One run of a pool: NPT molecular dynamics of a melt or a crystal with the potential of the system."""

import os
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.files import written_aside
from minset.md.engines import potential_engine
from minset.md.melt import melt
from minset.md.run import FINAL, TRAJECTORY, Protocol, read_thermo, run_md
from minset.md.start import start_from_crystal
from minset.md.trajectory import read_trajectory
from minset.pool.record import NoFrames, Sampled
from minset.potential import contact_A, record_of
from minset.system import species_of

LEAST_DIFFUSION_A2_PS = 0.15  # of a liquid; 1.5e-9 m^2/s


def run_npt(system: dict, run: dict, folder: Path) -> Sampled:
    """Melt, or begin with the crystal, equilibrate and sample one run of a pool.

    Of a ramp that boils, freezes or breaks on its way the longest part that is liquid is kept; a
    run at one temperature then gives none. Its trajectory stays beside the folder. What began as the
    crystal may be what it will, as long as it does not break.

    Parameters
    ----------
    system
        ``species`` and ``potential``, and for a crystal ``crystal`` if the system's file has it.
    run
        As of a generator's ``plan``, see ``minset.pool``, and of a melt ``density_g_cm3``, at which it
        starts.
    folder
        Working folder; a killed run continues from what is there.

    Returns
    -------
    Sampled
        ``frames`` frames with energies, atomic energies and forces; of a ramp maybe fewer.

    Raises
    ------
    NoFrames
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
        extra_columns=known_of_atoms(system),
        **common,
    )
    start = start_of(folder, system, run, first)
    require_stable(run_md(start, system, potential_engine(), settle, folder / "settle"))
    settled = ase.io.read(folder / "settle" / FINAL, format="extxyz")
    verdict = run_md(settled, system, potential_engine(), sampling, folder / "run")
    if run.get("start") == "crystal":
        require_stable(verdict)
        return Sampled(frames_of(folder / "run")[1:])
    reached_K = first + (last - first) * verdict["reached_ps"] / run["duration_ps"]
    trajectory = folder / "run" / TRAJECTORY
    part, reason = liquid_part(trajectory, system, sample_ps, (first, reached_K))
    if not verdict["stable"]:
        reason = f"broke {verdict['reason']}"
    if not reason:
        return Sampled(frames_of(folder / "run")[1:])  # the first repeats the end of equilibration
    _keep(trajectory, folder)
    frames = frames_of(folder / "run")[max(part.start, 1) : part.stop]
    if first == last or not frames:
        raise NoFrames(reason)
    low, high = (frames[k].info["temperature_K"] for k in (0, -1))
    return Sampled(
        frames, f"{reason}; {len(frames)} frames from about {low:.0f} to {high:.0f} K are kept"
    )


def _keep(trajectory: Path, folder: Path) -> None:
    """Leave a trajectory beside the working folder of its run, for the user to look at."""
    kept = folder.with_name(f"{folder.name}.lammpstrj")
    kept.unlink(missing_ok=True)
    os.link(trajectory, kept)
    print(f"the trajectory is kept in {kept}")


def liquid_part(
    trajectory: Path, system: dict, sample_ps: float, temperature_K: tuple[float, float]
) -> tuple[range, str]:
    """Longest part of a trajectory that is a liquid: it has not boiled, and its atoms flow.

    An eighth of it has boiled where its mean volume is more than 1.8 times that of the densest one;
    single frames of 100 ions of NaCl at 2200 K and 1 bar differ by 1.7, and the liquid is stable.

    A quarter of it flows when the mean squared displacement over it exceeds that of atoms that
    rattle in a cage, the square of half the contact distance of the first and the last species, by 6 D t
    with a self-diffusion coefficient D of 1.5e-9 m^2/s. In runs of 100 ions of NaCl, liquids had at
    least 3e-9 (900 K at 1 kbar, supercooled), what froze at most 0.8e-9 (1500 K at 50 kbar). Metals are
    as mobile: 32 to 108 atoms of Al (Al_mm.eam.fs, 1 bar) had 3.4e-9 to 5.3e-9 at 1000 K and 10e-9 to
    13e-9 at 1500 K.

    Returns
    -------
    part, reason
        Numbers of frames, and what was wrong with the others: the factor of the volumes, or the
        first quarter in which atoms did not flow. Empty if nothing was.
    """
    run = read_trajectory(trajectory)
    liquid, reasons = np.ones(len(run.steps), bool), []
    eighths = np.array_split(np.arange(len(liquid)), 8)
    volumes = [run.volumes_A3[frames].mean() for frames in eighths if len(frames)]
    if (factor := max(volumes) / min(volumes)) > 1.8:
        reasons.append(f"boils: its volume varies by a factor of {factor:.1f}")
        for frames, volume in zip(eighths, volumes, strict=False):
            liquid[frames] = volume <= 1.8 * min(volumes)
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
            reasons.append(
                f"not liquid near {near:.0f} K: in {lag_ps:.1f} ps the atoms moved {msd:.1f} A^2 on "
                f"average, a liquid moves more than {needed:.1f}"
            )
            liquid[k * quarter : (k + 1) * quarter if k < 3 else None] = False
    return _longest(liquid), reasons[0] if reasons else ""


def _longest(flags: np.ndarray) -> range:
    """Longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return max(map(range, edges[::2], edges[1::2]), key=len, default=range(0))


def start_of(folder: Path, system: dict, run: dict, temperature_K: float) -> Atoms:
    """Crystal or melt with which a run begins; the melt, in a cube, is kept in its folder."""
    if run.get("start") == "crystal":
        return start_from_crystal(system, run["ions"])
    path = folder / "melt.extxyz"
    if not path.exists():
        atoms = melt(
            system,
            run["ions"],
            run["density_g_cm3"],
            temperature_K,
            duration_ps=2.0 if record_of(system).commands else 0.5,  # calculators are slow
            seed=run["seed"],
        )
        with written_aside(path) as aside:
            ase.io.write(aside, atoms)
    return ase.io.read(path, format="extxyz")


def known_of_atoms(system: dict) -> tuple[str, ...]:
    """Columns of the dump of a pool's run: forces, and energies of atoms, which LAMMPS alone knows."""
    by_lammps = record_of(system).commands is not None
    return ("fx", "fy", "fz", *(("c_atomic_energy",) if by_lammps else ()))


def require_stable(verdict: dict) -> None:
    """Give a run up that broke."""
    if not verdict["stable"]:
        raise NoFrames(f"broke {verdict['reason']}")


def frames_of(folder: Path) -> list[Atoms]:
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
        results = {"energy": row["potential_energy_eV"], "forces": image.get_forces()}
        if "c_atomic_energy" in image.arrays:
            results["energies"] = image.arrays["c_atomic_energy"].ravel()
        frame.calc = SinglePointCalculator(frame, **results)
        for key in ("time_ps", "temperature_K", "pressure_bar"):
            frame.info[key] = row[key]
        frames.append(frame)
    return frames
