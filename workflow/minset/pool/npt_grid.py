"""Generator ``npt_grid``: one run at every temperature and pressure."""

from itertools import product

from minset.pool.plan import ADVICE, OPTIONS, REQUIRED, TEMPERATURES, planned, sample_npt, seed_of
from minset.pool.record import Generator


def plan(settings: dict) -> list[dict]:
    """One run at every temperature and pressure, as in "Efficient data selection methods" (2021).

    Names and seeds of the runs depend on their own temperature and pressure, so a grid that grows
    keeps the runs that it has.

    Parameters
    ----------
    settings
        Of the pool, see ``RECORD``.

    Returns
    -------
    list of dict
        See ``minset.pool``; temperature by temperature.
    """
    runs = []
    for temperature, pressure in product(settings["temperatures_K"], settings["pressures_bar"]):
        name = f"T{temperature:.12g}-P{pressure:.12g}"
        seed = seed_of(settings["seed"], name)
        own = {"temperature_K": [temperature, temperature], "pressure_bar": pressure}
        runs += planned(settings, name, seed, own)
    return runs


RECORD = Generator(
    options={
        "temperatures_K": TEMPERATURES
        | {
            "minItems": 1,
            "uniqueItems": True,
            "description": "One run at each of them and each pressure",
        },
        "pressures_bar": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"type": "number"},
        },
    }
    | OPTIONS,
    required=("temperatures_K", "pressures_bar", *REQUIRED),
    plan=plan,
    sample=sample_npt,
    advice=ADVICE,
)
