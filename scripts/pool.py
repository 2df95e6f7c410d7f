"""Join the MD runs of a pool."""

import pandas as pd

from minset.files import write_csv
from minset.pool.runs import runs_table
from minset.pool.store import join_runs, shortest_distances


def main(
    frames, tables, pool, summary, runs, contacts, failed_share: float, threads: int = 1
) -> None:
    """Write the pool, a row per frame, a row per run, and the shortest distance of each pair.

    Stops when too many runs failed.
    """
    table = runs_table([pd.read_csv(t) for t in tables], failed_share)
    sampled = table.loc[table["status"] == "sampled", "run"]
    write_csv(summary, join_runs(pool, {run: frames[run] for run in sampled}))
    write_csv(contacts, shortest_distances(pool))
    write_csv(runs, table)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
