"""Pick the frames that one size adds to a selection."""

import shutil
from pathlib import Path

import pandas as pd

from minset.files import file_hash, working_folder
from minset.pool.store import read_frames
from minset.select import SELECTORS
from minset.select.candidates import descriptor_files, read_candidates
from minset.select.picks import next_picks
from minset.sets import write_set


def main(
    pool,
    split,
    frames,
    table,
    selector: str,
    seed: int,
    size: int,
    options: dict,
    descriptors=(),
    known=(),
    models=(),
    threads: int = 1,
) -> None:
    """Write the new picks in order, with the frames themselves.

    Raises
    ------
    ValueError
        If there are fewer candidates than ``size``.
    """
    roles = pd.read_csv(split)
    chosen = roles[roles["role"] == "candidate"]
    if size > len(chosen):
        raise ValueError(
            f"{size} frames were asked for, {pool} has {len(chosen)} candidates; raise pool.frames or "
            "lower sizes"
        )
    before = [frame for path in known for frame in pd.read_csv(path)["frame"]]
    identity = {"selector": selector, "seed": seed, "size": size, "options": options}
    identity["inputs"] = [file_hash(path) for path in (pool, split, *descriptors, *known, *models)]
    work = working_folder(Path(table).with_suffix("") / "work", identity)
    candidates = read_candidates(
        chosen,
        pool,
        work,
        **descriptor_files(descriptors),
        known=tuple(before),
        models=tuple(dict.fromkeys(Path(path).parent for path in models)),
        threads=threads,
    )
    picks = next_picks(SELECTORS[selector], candidates, size, seed, options)
    picks.insert(1, "origin", str(pool))
    write_set(frames, table, read_frames(pool, picks["frame"].tolist()), picks)
    shutil.rmtree(work.parent)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
