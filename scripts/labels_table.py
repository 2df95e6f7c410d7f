"""Collect the label batches of a study."""

import pandas as pd

from minset.dataset import labels_table
from minset.files import write_csv


def main(tables, table, failed_share: float, threads: int = 1) -> None:
    """Write one table of all labels, or stop when too many failed."""
    write_csv(table, labels_table([pd.read_csv(t) for t in tables], failed_share))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
