"""Generator ``multicanonical``: isobaric runs that are flat in enthalpy and in crystalline order.

As in Jung, Lee and Choi (2023): the bias on enthalpy and order that makes all of them equally likely is
learned while the run goes on, so that one run freezes and melts many times (Yoshimoto, J. Chem. Phys.
125, 184103, 2006).
"""

from minset.pool.plan import ADVICE, OF_EACH_RUN, OPTIONS, REQUIRED, planned, seed_of
from minset.pool.record import Generator, Sampled, crystal_mistakes

# of which the density waves are whole in a crystal: reflections of its conventional cell
WAVES = {
    "fcc": [(1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)],
    "bcc": [(1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1), (0, 1, 1), (0, 1, -1)],
    "rocksalt": [(2, 0, 0), (0, 2, 0), (0, 0, 2)],
}

_PAIR = {"type": "array", "minItems": 2, "maxItems": 2}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}
OWN = {
    "enthalpies_eV_atom": _PAIR
    | {
        "items": {"type": "number"},
        "description": "Between which all enthalpies (potential energy + p V) shall be equally likely",
    },
    "temperatures_K": _PAIR
    | {"items": _POSITIVE, "description": "Of the canonical ensembles below and above these"},
    "bath_K": _POSITIVE | {"description": "Kinetic temperature"},
    "pressure_bar": {"type": "number"},
    "enthalpy_bins": {
        "type": "integer",
        "minimum": 4,
        "maximum": 1000,
        "default": 20,
        "description": "Of the bias, between the two enthalpies",
    },
    "order_bins": {
        "type": "integer",
        "minimum": 4,
        "maximum": 100,
        "default": 6,
        "description": "Of the bias, between no order and that of the crystal at rest",
    },
    "weight_kT": _POSITIVE
    | {
        "default": 0.1,
        "description": "What a visit adds to the bias at first, in kB times bath_K; 0.3 for 108 atoms",
    },
}
_OPTIONAL = ("enthalpy_bins", "order_bins", "weight_kT")


def plan(settings: dict) -> list[dict]:
    """Runs with seeds of their own, each with a bias of its own.

    Parameters
    ----------
    settings
        Of the pool, see ``RECORD``.

    Returns
    -------
    list of dict
        See ``minset.pool``.
    """
    runs = []
    for number in range(1, settings["runs"] + 1):
        seed = seed_of(settings["seed"], f"walker{number}")
        own = {key: settings[key] for key in OWN}
        runs += planned(settings, f"walker{number}", seed, own)
    return runs


def sample(system: dict, run: dict, work) -> Sampled:
    """Frames of a run, see ``minset.pool.multicanonical_run.run_multicanonical``."""
    from minset.pool.multicanonical_run import run_multicanonical

    return run_multicanonical(system, run, work)


def mistakes(pool: dict, system: dict) -> list[str]:
    """A crystal without waves here, or enthalpies and temperatures that do not rise."""
    lines = [
        f"{key}: {pool[key][0]:g} and {pool[key][1]:g}; the second must be larger"
        for key in ("enthalpies_eV_atom", "temperatures_K")
        if not pool[key][0] < pool[key][1]
    ]
    if lines or (lines := crystal_mistakes(pool, system)):
        return lines
    from minset.crystal import structures_of

    usual = structures_of(system)[0]
    known = ", ".join(WAVES)
    return (
        [] if usual in WAVES else [f"generator: multicanonical knows {known}, and this is {usual}"]
    )


RECORD = Generator(
    options=OWN
    | {key: OPTIONS[key] for key in (*OF_EACH_RUN, "seed", "potential")}
    | {
        "runs": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1000,
            "default": 1,
            "description": "Side by side, each with a bias of its own",
        },
        "start": {
            "enum": ["crystal"],
            "default": "crystal",
            "description": "Of each run: its cell tells which order is meant",
        },
    },
    required=(*(key for key in OWN if key not in _OPTIONAL), *REQUIRED),
    plan=plan,
    sample=sample,
    advice=ADVICE,
    mistakes=mistakes,
)
