"""Plans of pool generators: which NPT runs fill a pool. Plain data, made before any job starts."""

import hashlib
from itertools import product

# settings of the pool that every run takes as they are
_OF_EACH_RUN = ("ions", "potential", "timestep_fs", "equilibration_ps", "duration_ps", "frames")


def npt_ramp(settings: dict) -> list[dict]:
    """One run along a temperature ramp, as Finkbeiner et al. (2024) filled their pool.

    Parameters
    ----------
    settings
        ``temperature_K`` [start, end], ``pressure_bar``, ``seed``, and what every run takes.

    Returns
    -------
    list of dict
        See ``minset.pool.GENERATORS``.
    """
    first, last = settings["temperature_K"]
    return [_run(settings, "ramp", first, last, settings["pressure_bar"], settings["seed"])]


def npt_grid(settings: dict) -> list[dict]:
    """One run at every temperature and pressure, as in "Efficient data selection methods" (2021).

    Names and seeds of the runs depend on their own temperature and pressure, so a grid that grows
    keeps the runs that it has.

    Parameters
    ----------
    settings
        ``temperatures_K``, ``pressures_bar``, ``seed``, and what every run takes.

    Returns
    -------
    list of dict
        See ``minset.pool.GENERATORS``; temperature by temperature.
    """
    runs = []
    for temperature, pressure in product(settings["temperatures_K"], settings["pressures_bar"]):
        name = f"T{temperature:.12g}-P{pressure:.12g}"
        seed = _seed(settings["seed"], name)
        runs.append(_run(settings, name, temperature, temperature, pressure, seed))
    return runs


def _run(settings: dict, name: str, first: float, last: float, pressure: float, seed: int) -> dict:
    own = {"name": name, "temperature_K": [first, last], "pressure_bar": pressure, "seed": seed}
    return own | {key: settings[key] for key in _OF_EACH_RUN}


def _seed(seed: int, name: str) -> int:
    """Seed of a run between 1 and 2^31 - 1, the range of LAMMPS, from the pool's seed."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1
