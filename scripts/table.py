"""Make one table of a study."""

from minset.files import write_csv
from minset.outputs import make_table


def main(table, name: str, rows: list, options: dict, tables=(), **files) -> None:
    """Write the table from the files of runs, each with the columns of its row, or from other tables."""
    write_csv(table, make_table(name, files, list(zip(tables, rows, strict=True)), options))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
