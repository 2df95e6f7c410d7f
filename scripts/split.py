"""Set test and validation frames of a pool apart."""

import tempfile
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.select.candidates import read_candidates
from minset.select.split import finite_frames, split_frames


def main(
    pool,
    summary,
    runs,
    descriptors,
    split,
    test: dict,
    validation: dict,
    held_out: list,
    atom_descriptors=None,
    threads: int = 1,
) -> None:
    """Write the MD run and the role of each frame; ``held_out`` has names of runs."""
    frames = pd.read_csv(summary)[["frame", "run"]]
    named = pd.read_csv(runs)
    numbers = named.loc[named["name"].isin(held_out), "run"].tolist()

    def candidates_of(rows: pd.DataFrame):
        work = Path(tempfile.mkdtemp(dir=folder))
        return read_candidates(rows, pool, descriptors, atom_descriptors, work)

    with tempfile.TemporaryDirectory(dir=Path(split).parent) as folder:
        finite = finite_frames(pool, descriptors)
        write_csv(split, split_frames(frames, finite, test, validation, numbers, candidates_of))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
