"""Pool generators: where candidate frames come from.

A generator is ``plan(settings) -> list of dict``, from the study's ``pool`` to the MD runs that fill
it; a new one is such a function in ``minset/pool/plan.py`` and one line here. A run, which
``minset.pool.npt`` carries out, holds its ``name``, unique in the pool and fit for a file name,
``temperature_K`` [start, end], ``pressure_bar``, ``seed``, ``ions``, ``potential``, ``timestep_fs``,
``equilibration_ps`` (at the first temperature, not sampled), ``duration_ps`` and ``frames``.
"""

from collections.abc import Callable

from minset.pool.plan import npt_grid, npt_ramp

GENERATORS: dict[str, Callable[[dict], list[dict]]] = {"npt_grid": npt_grid, "npt_ramp": npt_ramp}


def pool_runs(settings: dict) -> list[dict]:
    """Runs that fill a study's pool, in the order of their numbers."""
    return GENERATORS[settings["generator"]](settings)
