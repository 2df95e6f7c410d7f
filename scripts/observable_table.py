"""Collect one quantity of all simulations, with the experiment beside it."""

import pandas as pd

from minset.compare.tables import collected, experiment
from minset.files import write_csv


def main(tables, table, rows: list, system: dict, quantity: str, threads: int = 1) -> None:
    """Write one table; experimental rows have ``experiment`` as engine."""
    joined = [collected(list(tables), rows)]
    if quantity != "rdf_peaks":
        temperatures = {row["simulation"]: row["temperature_K"] for row in rows}
        joined.append(experiment(quantity, system, temperatures))
    write_csv(table, pd.concat([t for t in joined if len(t)] or joined[:1], ignore_index=True))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
