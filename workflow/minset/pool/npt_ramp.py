"""Pool generator ``npt_ramp``: classical NPT molecular dynamics along one temperature ramp."""

from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.analyse.trajectory import read_trajectory
from minset.files import written_aside
from minset.simulate.engines import classical_engine
from minset.simulate.run import FINAL, TRAJECTORY, Protocol, read_thermo, run_md
from minset.simulate.start import melt
from minset.system import density_fit_at, pair_parameters, reference_density_g_cm3, species_of


def npt_ramp(system: dict, settings: dict, folder: Path) -> list[Atoms]:
    """Fill a pool along a temperature ramp, as Finkbeiner et al. (2024) did.

    Parameters
    ----------
    system
        Content of the system file.
    settings
        ``ions``, ``potential``, ``temperature_K`` [start, end], ``pressure_bar``, ``timestep_fs``,
        ``equilibration_ps`` (at the first temperature, not sampled), ``duration_ps``, ``frames``,
        ``seed``.
    folder
        Working folder; a killed run continues from what is there.

    Returns
    -------
    list of Atoms
        ``frames`` frames with energy (eV), forces (eV/A), ``energies`` (atomic energies, eV) and, in
        ``info``, ``run`` (0: there is one), ``time_ps``, ``temperature_K`` and ``pressure_bar``.

    Raises
    ------
    ValueError
        If the ions did not flow: the pool is not a liquid.
    """
    folder = Path(folder)
    first, last = settings["temperature_K"]
    attach = classical_engine(settings["potential"])
    common = {
        "ensemble": "npt",
        "pressure_bar": settings["pressure_bar"],
        "timestep_fs": settings["timestep_fs"],
        "seed": settings["seed"],
        "limits": {"energy_eV_atom": 1.0},
    }
    settle = Protocol(
        temperature_K=(first, first),
        duration_ps=settings["equilibration_ps"],
        sample_ps=settings["equilibration_ps"],
        thermo_ps=0.1,
        **common,
    )
    sample_ps = settings["duration_ps"] / settings["frames"]
    ramp = Protocol(
        temperature_K=(first, last),
        duration_ps=settings["duration_ps"],
        sample_ps=sample_ps,
        thermo_ps=sample_ps,
        extra_columns=("fx", "fy", "fz", "c_atomic_energy"),
        **common,
    )
    _run(_melt(folder / "melt.extxyz", system, settings), system, attach, settle, folder / "settle")
    settled = ase.io.read(folder / "settle" / FINAL)
    _run(settled, system, attach, ramp, folder / "ramp")
    require_liquid(folder / "ramp" / TRAJECTORY, system, sample_ps, settings["temperature_K"])
    return _frames(folder / "ramp")[1:]  # the first repeats the end of the equilibration


def require_liquid(
    trajectory: Path, system: dict, sample_ps: float, temperature_K: tuple[float, float]
) -> None:
    """Stop unless a trajectory is a liquid: not boiling, and ions leave their cages throughout.

    In a liquid, the mean squared displacement over every quarter of it exceeds the square of half
    the contact distance of unlike ions; in a crystal or a glass ions only rattle.

    Raises
    ------
    ValueError
        With the quarter that is not liquid and the remedy.
    """
    run = read_trajectory(trajectory)
    volumes = run.cell_lengths_A.prod(axis=1)
    if volumes.max() > 1.8 * volumes.min():
        raise ValueError(
            f"the pool of {system['name']} boils: its volume varies by a factor of "
            f"{volumes.max() / volumes.min():.1f}. Lower pool.temperature_K, raise pool.pressure_bar "
            "or use more pool.ions (small cells boil more easily)"
        )
    unwrapped = run.unwrapped_A
    species = species_of(system)
    contact = pair_parameters(system, species[0], species[-1])["sigma_A"]
    needed = (contact / 2) ** 2
    quarter = len(unwrapped) // 4
    for k in range(4):
        moved = unwrapped[(k + 1) * quarter - 1] - unwrapped[k * quarter]
        moved -= moved.mean(axis=0)  # the cell as a whole may drift
        msd = float(np.einsum("nd,nd->n", moved, moved).mean())
        if msd < needed:
            low, high = temperature_K
            near = low + (high - low) * (k + 0.5) / 4
            raise ValueError(
                f"the pool of {system['name']} is not liquid near {near:.0f} K: in "
                f"{quarter * sample_ps:.1f} ps the ions moved {msd:.1f} A^2 on average, a liquid "
                f"moves more than {needed:.1f}. Raise pool.temperature_K (melting point "
                f"{system['melting_point_K']['value']:.0f} K), or lengthen pool.duration_ps if it "
                "is very short"
            )


def _melt(path: Path, system: dict, settings: dict) -> Atoms:
    """Start in a cube at the experimental density, or 80 % of it far above the fits' range."""
    if not path.exists():
        temperature = settings["temperature_K"][0]
        fit = density_fit_at(system, temperature)
        if fit is None:
            fit = system["reference"]["density"][0]
            density = 0.8 * float(reference_density_g_cm3(fit, fit["max_K"]))
        else:
            density = float(reference_density_g_cm3(fit, temperature))
        atoms = melt(
            system,
            settings["ions"],
            density,
            temperature,
            duration_ps=2.0,
            seed=settings["seed"],
            potential=settings["potential"],
        )
        with written_aside(path) as aside:
            ase.io.write(aside, atoms)
    return ase.io.read(path)


def _run(start: Atoms, system: dict, attach, protocol: Protocol, folder: Path) -> None:
    verdict = run_md(start, system, attach, protocol, folder)
    if not verdict["stable"]:
        raise ValueError(
            f"the classical pool run of {system['name']} broke {verdict['reason']}. If it boils, "
            "lower pool.temperature_K, raise pool.pressure_bar or use more pool.ions; otherwise "
            "shorten pool.timestep_fs (NaF, LiF and KF have a low barrier against collapse)"
        )


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
        frame.info["run"] = 0
        for key in ("time_ps", "temperature_K", "pressure_bar"):
            frame.info[key] = row[key]
        frames.append(frame)
    return frames
