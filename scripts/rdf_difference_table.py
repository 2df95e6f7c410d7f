"""Compare the RDFs of models with those of the reference potentials."""

from minset.files import write_csv
from minset.observe.rdf import rdf_differences


def main(tables, table, rows: list, threads: int = 1) -> None:
    """Write one row per simulation, model, reference and pair."""
    write_csv(table, rdf_differences(list(tables), rows))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
