"""Structure of a run at constant volume: partial RDFs and their peaks."""

import json
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.observe.rdf import rdf_peaks, run_rdfs


def main(trajectory, verdict, rdf, peaks, settings: dict, threads: int = 1) -> None:
    """Write the tables; of a run that broke, the RDF up to the break."""
    stable = json.loads(Path(verdict).read_text())["stable"]
    table = run_rdfs(trajectory, stable, settings["range_A"], settings["bins"])
    write_csv(rdf, table)
    write_csv(peaks, rdf_peaks(table) if stable else pd.DataFrame(columns=["note"]))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
