"""Generator ``grem``: the generalised replica exchange ensemble, from the crystal to the liquid.

At constant pressure a first-order transition lets two runs, one from each side, never meet: of the
enthalpies between the phases none is sampled. With the inverse of a temperature that falls with the
enthalpy, T(H) = lambda + eta (H - H0) with eta < 0, as the weight's slope, the distribution of each
lambda has one maximum, where that line meets the system's own temperature T(H), also between the phases
(Kim, Keyes and Straub, J. Chem. Phys. 132, 224107, 2010). Runs of several lambdas cover all enthalpies;
they are not exchanged: a pool needs no weights.
"""

from minset.pool.plan import ADVICE, OPTIONS, REQUIRED, planned, seed_of
from minset.pool.record import Generator, Sampled

_LAMBDA = {"type": "number", "exclusiveMinimum": 0}
_RANGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["from", "to", "number"],
    "properties": {
        "from": _LAMBDA,
        "to": _LAMBDA,
        "number": {"type": "integer", "minimum": 2, "maximum": 1000},
    },
}
_OF_RUN = ("bath_K", "eta_K_per_eV_atom", "enthalpy_eV_atom", "pressure_bar")


def plan(settings: dict) -> list[dict]:
    """One run at every lambda; names and seeds depend on their own lambda alone.

    Parameters
    ----------
    settings
        Of the pool, see ``RECORD``.

    Returns
    -------
    list of dict
        See ``minset.pool``; lambda by lambda.

    Raises
    ------
    ValueError
        If a range has no length.
    """
    lambdas = settings["lambdas_K"]
    if isinstance(lambdas, dict):
        if lambdas["from"] == lambdas["to"]:
            raise ValueError("lambdas_K: `from` and `to` are the same; give one number in a list")
        first, last, steps = lambdas["from"], lambdas["to"], int(lambdas["number"]) - 1
        lambdas = [first + (last - first) * k / steps for k in range(steps + 1)]
    runs = []
    for value in lambdas:
        name = f"lambda{value:.12g}"
        own = {key: settings[key] for key in _OF_RUN} | {"lambda_K": value}
        runs += planned(settings, name, seed_of(settings["seed"], name), own)
    return runs


def sample(system: dict, run: dict, work) -> Sampled:
    """Frames of a run, see ``minset.pool.grem_run.run_grem``."""
    from minset.pool.grem_run import run_grem

    return run_grem(system, run, work)


RECORD = Generator(
    options={
        "lambdas_K": {
            "oneOf": [
                {"type": "array", "minItems": 1, "uniqueItems": True, "items": _LAMBDA},
                _RANGE,
            ],
            "description": "Of the lines, a run each: a list, or `from`, `to` and their `number`",
        },
        "eta_K_per_eV_atom": {
            "type": "number",
            "maximum": 0,
            "description": "Slope of the temperature with the enthalpy per atom, "
            "T = lambda + eta (H - H0); steeper than the system's own between its phases. 0 is NPT",
        },
        "enthalpy_eV_atom": {
            "type": "number",
            "description": "H0, potential energy + p V per atom, like that of the crystal at rest",
        },
        "bath_K": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Kinetic temperature of all runs, and that at which they begin",
        },
        "pressure_bar": {"type": "number"},
    }
    | OPTIONS
    | {"start": OPTIONS["start"] | {"default": "both"}},
    required=(
        "lambdas_K",
        "eta_K_per_eV_atom",
        "enthalpy_eV_atom",
        "bath_K",
        "pressure_bar",
        *REQUIRED,
    ),
    plan=plan,
    sample=sample,
    advice=ADVICE,
)
