"""Collect the verdicts of all simulations."""

import json
from pathlib import Path

import pandas as pd

from minset.files import write_csv


def main(verdicts, table, rows: list, threads: int = 1) -> None:
    """Write one row per simulation."""
    columns = ("stable", "phase", "reached_ps", "ns_per_day", "reason")
    contents = [json.loads(Path(v).read_text()) for v in verdicts]
    joined = [
        row | {c: content[c] for c in columns} for row, content in zip(rows, contents, strict=True)
    ]
    write_csv(table, pd.DataFrame(joined))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
