"""Plans of pool generators: which NPT runs fill a pool. Plain data, made before any job starts."""

import hashlib

from minset.pool.record import Sampled

_TEMPERATURE = {"type": "number", "exclusiveMinimum": 0}
# options of the pool that every run takes as they are
OF_EACH_RUN = {
    "ions": {
        "type": "integer",
        "minimum": 2,
        "maximum": 1_000_000,
        "description": "Atoms in the cell; of a salt, ions",
    },
    "timestep_fs": {"type": "number", "minimum": 0.001, "maximum": 100, "default": 2.0},
    "equilibration_ps": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 20.0,
        "description": "Of each run, at its first temperature",
    },
    "duration_ps": {"type": "number", "exclusiveMinimum": 0, "description": "Of each run"},
    "frames": {
        "type": "integer",
        "minimum": 8,
        "description": "Of each run; a grid fills its pool with as many from every run",
    },
}
SEED = {
    "type": "integer",
    "minimum": 1,
    "maximum": 2147483647,
    "description": "Of the pool; every run has its own from it",
}
OPTIONS = OF_EACH_RUN | {
    "start": {
        "enum": ["liquid", "crystal", "both"],
        "default": "liquid",
        "description": "Of each run; `both` makes two of it, and what begins as the system's crystal "
        "may stay one",
    },
    "seed": SEED,
    "potential": {
        "type": "string",
        "description": "Of the system's potentials, by its name; the first of them when absent",
    },
    "density_g_cm3": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Of the start of each run; that of a density fit of the system when absent",
    },
}
ADVICE = (
    "What boils needs a lower temperature, a higher pressure or more pool.ions; what is not liquid a "
    "higher temperature or a lower pressure, or a longer pool.duration_ps if that is very short; what "
    "breaks otherwise a shorter pool.timestep_fs (NaF, LiF and KF have a low barrier against collapse)"
)
REQUIRED = ("ions", "duration_ps", "frames", "seed")
TEMPERATURES = {"type": "array", "items": _TEMPERATURE}


def planned(settings: dict, name: str, seed: int, own: dict) -> list[dict]:
    """One run of a pool, or that from the liquid and that from the crystal, see ``minset.pool``.

    The one from the liquid has the name and the seed; the other seeds are made from these.
    """
    of_each = {key: settings[key] for key in OF_EACH_RUN}
    liquid = {"name": name, "seed": seed} | own | of_each
    crystal = liquid | {"name": f"{name}-crystal", "start": "crystal"}
    crystal["seed"] = seed_of(seed, crystal["name"])
    return {"liquid": [liquid], "crystal": [crystal], "both": [liquid, crystal]}[
        settings.get("start", "liquid")
    ]


def seed_of(seed: int, name: str) -> int:
    """Seed of a run between 1 and 2^31 - 1, the range of LAMMPS, from the pool's seed."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1


def sample_npt(system: dict, run: dict, work) -> Sampled:
    """Frames of a run, see ``minset.pool.npt.run_npt``."""
    from minset.pool.npt import run_npt

    return run_npt(system, run, work)
