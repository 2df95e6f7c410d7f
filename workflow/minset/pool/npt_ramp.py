"""Generator ``npt_ramp``: one run along a temperature ramp."""

from minset.pool.plan import ADVICE, OPTIONS, REQUIRED, TEMPERATURES, planned, sample_npt
from minset.pool.record import Generator


def plan(settings: dict) -> list[dict]:
    """One run along a temperature ramp, as Finkbeiner et al. (2024) filled their pool.

    Parameters
    ----------
    settings
        Of the pool, see ``RECORD``.

    Returns
    -------
    list of dict
        See ``minset.pool``.
    """
    own = {key: settings[key] for key in ("temperature_K", "pressure_bar")}
    return planned(settings, "ramp", settings["seed"], own)


RECORD = Generator(
    options={
        "temperature_K": TEMPERATURES
        | {"minItems": 2, "maxItems": 2, "description": "Start and end of the ramp"},
        "pressure_bar": {"type": "number"},
    }
    | OPTIONS,
    required=("temperature_K", "pressure_bar", *REQUIRED),
    plan=plan,
    sample=sample_npt,
    advice=ADVICE,
)
