"""Short molecular dynamics at constant volume that is looked at every few steps, and can be stopped."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from ase import Atoms

from minset.md.engines import Alarm, Attach
from minset.md.run import current_atoms
from minset.md.session import load_atoms, open_lammps

_THERMOSTAT_PS = 0.1


@dataclass(frozen=True)
class Walk:
    """Dynamics of one walker: Nose-Hoover chains keep the temperature, velocities come from the seed."""

    temperature_K: float
    timestep_fs: float
    steps: int  # between two looks
    looks: int  # at most
    seed: int


def run_watched(
    start: Atoms, system: dict, attach: Attach, walk: Walk, look: Callable[[int, Atoms], bool]
) -> Alarm | None:
    """Run until ``look`` has seen enough, the walk ends, or its dynamics break.

    Parameters
    ----------
    start
        In any periodic cell; its velocities are not used.
    system
        ``species``.
    attach
        Force engine, see ``minset.md.engines``.
    look
        ``look(step, atoms)``, with the atoms wrapped into the cell of ``start``, after every
        ``walk.steps`` in which nothing broke; True ends the run.

    Returns
    -------
    Alarm or None
        What broke, after the last look.
    """
    lmp = open_lammps()
    try:
        load_atoms(lmp, start, system)
        alarm = attach(lmp, list(start.symbols), system)
        kelvin = walk.temperature_K
        lmp.command(f"velocity all create {kelvin} {walk.seed} mom yes dist gaussian")
        lmp.command("neighbor 2.0 bin")
        lmp.command("neigh_modify delay 0 every 1 check yes")
        lmp.command(f"timestep {walk.timestep_fs / 1000}")
        lmp.command(f"fix integrate all nvt temp {kelvin} {kelvin} {_THERMOSTAT_PS}")
        for number in range(walk.looks):
            stopped = ""
            try:
                lmp.command(f"run {walk.steps} pre {'no' if number else 'yes'} post no")
            except Exception as error:  # LAMMPS raises plain Exception: lost atoms, NaN coordinates
                stopped = f"LAMMPS stopped: {str(error).strip()}"
            reached = int(lmp.extract_global("ntimestep"))
            if broken := alarm() or (Alarm(reached, stopped) if stopped else None):
                return broken
            if look(reached, current_atoms(lmp, start)):
                return None
        return None
    finally:
        with contextlib.suppress(Exception):
            lmp.close()
