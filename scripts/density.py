"""Mean density of a run at constant pressure."""

import json
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.observe.density import thermo_averages


def main(thermo, verdict, density, threads: int = 1) -> None:
    """Write one row, or only the header for a run that broke."""
    if not json.loads(Path(verdict).read_text())["stable"]:
        write_csv(density, pd.DataFrame(columns=["note"]))
        return
    averages = thermo_averages(pd.read_csv(thermo), discard_fraction=0.0)
    # the simulation's own temperature is a column of the collected table
    names = {c: f"measured_{c}" for c in averages if c.startswith("temperature")}
    write_csv(density, averages.rename(columns=names))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
