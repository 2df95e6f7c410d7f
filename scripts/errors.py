"""Test a model on frames that no selection saw."""

import pandas as pd

from minset.dataset import read_dataset
from minset.files import write_csv
from minset.observe.errors import error_row, predictions


def main(test, model, forces, energies, errors, threads: int = 1) -> None:
    """Write predictions beside labels, and their errors."""
    force_table, energy_table = predictions(list(model), read_dataset(test), threads)
    write_csv(forces, force_table)
    write_csv(energies, energy_table)
    write_csv(errors, pd.DataFrame([error_row(force_table, energy_table)]))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
