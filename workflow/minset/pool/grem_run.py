"""One run of a pool in the generalised replica exchange ensemble, with LAMMPS's ``fix grem``."""

from functools import partial
from pathlib import Path

import ase.io
import numpy as np

from minset.md.engines import potential_engine
from minset.md.files import FINAL, read_thermo
from minset.md.run import Protocol, run_md
from minset.pool.npt import frames_of, known_of_atoms, require_stable, start_of
from minset.pool.record import Sampled
from minset.units import BAR_EV_A3

STAGES = 8  # in which a start is brought to its lambda


def run_grem(system: dict, run: dict, folder: Path) -> Sampled:
    """Melt, or begin with the crystal, and sample at one lambda.

    The atoms move at the temperature of the bath, with forces times bath/T(H): configurations have the
    weight exp(-S(H)), dS/dH = 1/(kB T(H)), T(H) = lambda + eta (H - H0), H the potential energy + p V.
    A run begins without it, at the temperature of the bath, and so where T(H) is that of the bath; from
    there lambda goes in steps to its own, since T(H) would be negative for a liquid at the lambda of a
    crystal.

    Parameters
    ----------
    system
        ``species`` and ``potential``, and for a crystal ``crystal`` if the system's file has it.
    run
        As of ``minset.pool.grem.plan``, and of a melt ``density_g_cm3``, at which it starts.
    folder
        Working folder; a killed run continues from what is there.

    Returns
    -------
    Sampled
        ``frames`` frames with energies, atomic energies and forces of the potential; ``temperature_K``
        of each is T(H).

    Raises
    ------
    NoFrames
        If the run broke.
    """
    folder, bath = Path(folder), run["bath_K"]
    eta, zero = run["eta_K_per_eV_atom"] / run["ions"], run["enthalpy_eV_atom"] * run["ions"]
    stage_ps = run["equilibration_ps"] / (STAGES + 1)
    protocol = partial(
        Protocol,
        ensemble="npt",
        temperature_K=(bath, bath),
        pressure_bar=run["pressure_bar"],
        timestep_fs=run["timestep_fs"],
        seed=run["seed"],
        # from a quarter of an eV above the crystal to as much above the liquid
        limits={"energy_eV_atom": 1.0},
    )
    settle = protocol(duration_ps=stage_ps, sample_ps=stage_ps, thermo_ps=stage_ps / 20)
    state = start_of(folder, system, run, bath)
    state = _moved(state, system, settle, folder / "settle-0")
    settled = read_thermo(folder / "settle-0")
    reached = enthalpy_eV(settled[len(settled) // 2 :], run).mean()
    for k, value in enumerate(
        np.linspace(bath - eta * (reached - zero), run["lambda_K"], STAGES), 1
    ):
        settle = protocol(
            duration_ps=stage_ps,
            sample_ps=stage_ps,
            thermo_ps=stage_ps / 20,
            grem=(float(value), eta, zero),
        )
        state = _moved(state, system, settle, folder / f"settle-{k}")
    sample_ps = run["duration_ps"] / run["frames"]
    sampling = protocol(
        duration_ps=run["duration_ps"],
        sample_ps=sample_ps,
        thermo_ps=sample_ps,
        extra_columns=known_of_atoms(system),
        grem=(run["lambda_K"], eta, zero),
    )
    require_stable(run_md(state, system, potential_engine(), sampling, folder / "run"))
    frames = frames_of(folder / "run")
    enthalpies = enthalpy_eV(read_thermo(folder / "run"), run)
    for frame, temperature in zip(frames, run["lambda_K"] + eta * (enthalpies - zero), strict=True):
        frame.info["temperature_K"] = float(temperature)
        frame.calc.results["forces"] *= temperature / bath  # as the potential has them
    return Sampled(frames[1:])


def enthalpy_eV(thermo, run: dict):
    """Potential energy + p V of the rows of a thermo.csv, at the pressure of the run."""
    volume = thermo["volume_A3"].to_numpy()
    return thermo["potential_energy_eV"].to_numpy() + run["pressure_bar"] * volume * BAR_EV_A3


def _moved(state, system: dict, protocol: Protocol, folder: Path):
    """The end of a stage that begins with a state."""
    require_stable(run_md(state, system, potential_engine(), protocol, folder))
    return ase.io.read(folder / FINAL, format="extxyz")
