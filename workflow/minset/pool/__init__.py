"""Pool generators: where candidate frames come from.

A new one is a module with a ``RECORD`` (see ``minset.pool.record``) and one line here. A run of a plan
holds its ``name``, unique in the pool and fit for a file name; those of molecular dynamics, which
``minset.pool.npt`` carries out, ``temperature_K`` [start, end], ``pressure_bar``, ``seed``, ``ions``,
``timestep_fs``, ``equilibration_ps`` (at the first temperature, not sampled), ``duration_ps`` and
``frames``.
"""

from minset.pool import npt_grid, npt_ramp
from minset.pool.record import Generator

GENERATORS: dict[str, Generator] = {"npt_grid": npt_grid.RECORD, "npt_ramp": npt_ramp.RECORD}


def pool_runs(settings: dict) -> list[dict]:
    """Runs that fill a study's pool, in the order of their numbers."""
    return GENERATORS[settings["generator"]].plan(settings)
