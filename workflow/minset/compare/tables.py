"""Tables of a study: rows of many runs, and of the experiment, side by side."""

import pandas as pd

from minset.observe import OBSERVABLES


def collected(paths: list[str], rows: list[dict]) -> pd.DataFrame:
    """Tables of several runs in one, each with the columns that say which run it is from.

    Parameters
    ----------
    paths
        CSV files; one without rows (a run that broke) adds nothing.
    rows
        For each file what identifies it, e.g. ``{"simulation": ..., "engine": ...}``.
    """
    tables = []
    for path, row in zip(paths, rows, strict=True):
        table = pd.read_csv(path).drop(columns=list(row), errors="ignore")
        for position, (key, value) in enumerate(row.items()):
            table.insert(position, key, value)
        tables.append(table)
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def experiment(quantity: str, system: dict, temperatures: dict[str, float]) -> pd.DataFrame:
    """Rows of the experimental fits at the temperatures of simulations, where they are valid.

    Parameters
    ----------
    quantity
        Study-wide table, e.g. ``density``; its observables know the fits.
    system
        Content of the system file, of which ``reference`` is used; it may have none.
    temperatures
        Temperature in K of each simulation.
    """
    functions = [
        record.experiment[quantity]
        for record in OBSERVABLES.values()
        if quantity in record.experiment
    ]
    rows = [
        {"simulation": simulation, "engine": "experiment", "temperature_K": temperature} | row
        for simulation, temperature in temperatures.items()
        for rows_of in functions
        for row in rows_of(system.get("reference", {}), temperature)
    ]
    return pd.DataFrame(rows)
