"""Join tables of several runs into one."""

from minset.compare.tables import collected
from minset.files import write_csv


def main(tables, table, rows: list, threads: int = 1) -> None:
    """Write one table with the columns that say where each row is from."""
    write_csv(table, collected(list(tables), rows))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
