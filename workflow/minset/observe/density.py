"""Averages of density, temperature and pressure along an MD run, with honest error bars."""

import numpy as np
import pandas as pd

from minset.observe.record import Observable, Table, experimental_rows, without_rows
from minset.system import reference_density_g_cm3

FEWEST_BLOCKS = 16
QUANTITIES = ("density_g_cm3", "temperature_K", "pressure_bar")


def observe_density(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Table ``density`` of a simulation at constant pressure, one row, see `Observable`."""
    if not source["verdict"]["stable"]:
        return without_rows(RECORD.tables, "the simulation broke")
    averages = thermo_averages(pd.read_csv(source["thermo"]), discard_fraction=0.0)
    # the simulation's own temperature is a column of the collected table
    names = {c: f"measured_{c}" for c in averages if c.startswith("temperature")}
    return {"density": averages.rename(columns=names)}


def experimental_density(reference: dict, temperature_K: float) -> list[dict]:
    """Rows of all density fits."""
    rows = []
    for fit in reference.get("density", []):
        value = float(reference_density_g_cm3(fit, temperature_K))
        rows += experimental_rows(fit, value, "density", "g_cm3")
    return rows


def block_average(values: np.ndarray) -> tuple[float, float]:
    """Mean of a correlated series and its standard error, by blocking (Flyvbjerg and Petersen).

    Pairs of neighbours are averaged again and again. The apparent error sqrt(c0 / (n - 1)) of the
    n block means grows until blocks are longer than the correlation; the answer is the first
    level that no later level (down to 16 blocks) exceeds by more than that level's own
    uncertainty, error / sqrt(2 (n - 1)). J. Chem. Phys. 91, 461 (1989), eqs. 25-28.

    Parameters
    ----------
    values
        Series (samples,) at a constant interval.

    Returns
    -------
    tuple[float, float]
        Mean and standard error. A series shorter than the correlation has no plateau; its error
        is that of the last level, a lower bound.

    Raises
    ------
    ValueError
        If there are fewer than 16 values, or one is not finite.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < FEWEST_BLOCKS:
        raise ValueError(
            f"block average of an array of shape {values.shape}: needs one series of at least "
            f"{FEWEST_BLOCKS} values; simulate longer or discard less"
        )
    if not np.all(np.isfinite(values)):
        raise ValueError("block average of a series with values that are not finite")
    errors, spreads, level = [], [], values
    while len(level) >= FEWEST_BLOCKS:
        errors.append(level.std() / np.sqrt(len(level) - 1))
        spreads.append(errors[-1] / np.sqrt(2 * (len(level) - 1)))
        level = level[: len(level) // 2 * 2].reshape(-1, 2).mean(axis=1)
    later = np.array(errors) - np.array(spreads)
    plateau = next(i for i, error in enumerate(errors) if error >= later[i:].max())
    return float(values.mean()), float(errors[plateau])


def average_from_thermo(
    thermo: pd.DataFrame, column: str, discard_fraction: float
) -> tuple[float, float]:
    """Mean and standard error of one column behind the discarded beginning of a run.

    Parameters
    ----------
    thermo
        Time series with ``time_ps`` and `column`.
    column
        Name of the quantity, with its unit (``density_g_cm3``).
    discard_fraction
        Share of the run's time, from 0 to below 1, that counts as equilibration.

    Raises
    ------
    ValueError
        If the column is missing, the fraction is out of range or too few values remain.
    """
    missing = [name for name in ("time_ps", column) if name not in thermo]
    if missing:
        raise ValueError(
            f"thermo table without {' and '.join(missing)}; it has {', '.join(thermo.columns)}"
        )
    if not 0 <= discard_fraction < 1:
        raise ValueError(f"discard_fraction = {discard_fraction} is not between 0 and below 1")
    time_ps = thermo["time_ps"].to_numpy(dtype=float)
    start = time_ps.min() + discard_fraction * np.ptp(time_ps) if len(time_ps) else 0.0
    try:
        return block_average(thermo[column].to_numpy(dtype=float)[time_ps >= start])
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from error


def density_from_thermo(thermo: pd.DataFrame, discard_fraction: float) -> tuple[float, float]:
    """Mean density and its standard error in g/cm^3; see `average_from_thermo`."""
    return average_from_thermo(thermo, "density_g_cm3", discard_fraction)


def thermo_averages(thermo: pd.DataFrame, discard_fraction: float) -> pd.DataFrame:
    """Averages of density, temperature and pressure, as far as the table has them.

    Parameters and errors are those of `average_from_thermo`.

    Returns
    -------
    pd.DataFrame
        One row: ``density_g_cm3``, ``density_stderr_g_cm3``, ``temperature_K``,
        ``temperature_stderr_K``, ``pressure_bar``, ``pressure_stderr_bar``.
    """
    row = {}
    for column in QUANTITIES:
        if column in thermo:
            name, unit = column.split("_", 1)
            row[column], row[f"{name}_stderr_{unit}"] = average_from_thermo(
                thermo, column, discard_fraction
            )
    return pd.DataFrame([row])


RECORD = Observable(
    of="trajectory",
    tables={"density": Table("density", "minset")},
    observe=observe_density,
    caption="Mean density, temperature and pressure of each simulation at constant pressure and "
    "engine, with the experiment at the same temperature where its fit is valid.",
    ensembles=("npt",),
    experiment={"density": ("density", experimental_density)},
    seconds=lambda ions: 0.0,
    megabytes=lambda ions: 0.0,
)
