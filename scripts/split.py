"""Set test and validation frames of a pool apart."""

import tempfile
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.pool.store import read_frames
from minset.published.orders import held_out_roles, read_orders
from minset.select.candidates import descriptor_files, read_candidates
from minset.select.split import finite_frames, given_roles, split_frames
from minset.sets import write_set


def main(
    pool,
    summary,
    runs,
    descriptors,
    split,
    frames,
    table,
    test: dict,
    validation: dict,
    held_out: list,
    threads: int = 1,
    published: dict | None = None,
) -> None:
    """Write the role of each frame, and the set of test and validation frames.

    ``held_out`` has names of runs, ``published`` the ``folder`` from which the frames are taken if
    it has them, and what decides them here (``split``).
    """
    every = pd.read_csv(summary)[["frame", "run"]]
    named = pd.read_csv(runs)
    numbers = named.loc[named["name"].isin(held_out), "run"].tolist()

    def candidates_of(rows: pd.DataFrame):
        work = Path(tempfile.mkdtemp(dir=folder))
        return read_candidates(rows, pool, work, **descriptor_files(descriptors), threads=threads)

    with tempfile.TemporaryDirectory(dir=Path(split).parent) as folder:
        finite = finite_frames(pool, descriptor_files(descriptors)["descriptors"])
        orders = read_orders(published["folder"]) if published else None
        given = held_out_roles(orders, pool, published["split"]) if orders else None
        if given is None:
            roles = split_frames(every, finite, test, validation, numbers, candidates_of)
        else:
            print(f"test and validation frames are those of {published['folder']}")
            roles = given_roles(every, finite, numbers, given)
    apart = roles[roles["role"].isin(["test", "validation"])].reset_index(drop=True)
    apart.insert(0, "origin", str(pool))
    write_set(frames, table, read_frames(pool, apart["frame"].tolist()), apart)
    write_csv(split, roles)


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    run(main, job, published=job.config["published"].get(job.wildcards.system))
