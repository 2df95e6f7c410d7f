"""Set test and validation frames of a pool apart."""

import tempfile
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.pool.store import read_frames
from minset.select.candidates import descriptor_files, read_candidates
from minset.select.split import finite_frames, split_frames
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
) -> None:
    """Write the role of each frame, and the set of test and validation frames.

    ``held_out`` has names of runs.
    """
    every = pd.read_csv(summary)[["frame", "run"]]
    named = pd.read_csv(runs)
    numbers = named.loc[named["name"].isin(held_out), "run"].tolist()

    def candidates_of(rows: pd.DataFrame):
        work = Path(tempfile.mkdtemp(dir=folder))
        return read_candidates(rows, pool, work, **descriptor_files(descriptors), threads=threads)

    with tempfile.TemporaryDirectory(dir=Path(split).parent) as folder:
        finite = finite_frames(pool, descriptor_files(descriptors)["descriptors"])
        roles = split_frames(every, finite, test, validation, numbers, candidates_of)
    apart = roles[roles["role"].isin(["test", "validation"])].reset_index(drop=True)
    apart.insert(0, "origin", str(pool))
    write_set(frames, table, read_frames(pool, apart["frame"].tolist()), apart)
    write_csv(split, roles)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
