"""Join the MD runs of a pool."""

import pandas as pd

from minset.contacts import shortest_distances_of
from minset.files import write_csv
from minset.pool.runs import density_doubts, distribution, runs_table
from minset.pool.store import join_runs, pool_size, read_frames

BLOCK = 1024  # frames in memory at a time


def main(
    frames,
    tables,
    pool,
    summary,
    runs,
    contacts,
    failed_share: float,
    advice: str = "",
    density_fits=(),
) -> None:
    """Write the pool, a row per frame, a row per run, and the shortest distance of each pair.

    Stops when too many runs failed, with the advice. Densities far from the fits are told.
    """
    table = runs_table([pd.read_csv(t) for t in tables], failed_share, advice)
    sampled = table.loc[table["status"] == "sampled", "run"]
    joined = join_runs(pool, {run: frames[run] for run in sampled})
    write_csv(summary, joined)
    print(*distribution(joined), *density_doubts(table, list(density_fits)), sep="\n")
    shortest = shortest_distances_of(_every_frame(pool))
    write_csv(contacts, pd.DataFrame(shortest.items(), columns=["pair", "shortest_A"]))
    write_csv(runs, table)


def _every_frame(pool):
    size = pool_size(pool)
    for begin in range(0, size, BLOCK):
        yield from read_frames(pool, range(begin, min(begin + BLOCK, size)))


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    fits = job.config["density_fits"][job.wildcards.system]
    run(main, job, advice=job.config["pool_advice"], density_fits=fits)
