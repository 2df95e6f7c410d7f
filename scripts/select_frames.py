"""Pick the frames that one size adds to a selection."""

import shutil
from pathlib import Path

import pandas as pd

from minset.files import file_hash, working_folder
from minset.pool.store import read_frames
from minset.select import SELECTORS
from minset.select.candidates import descriptor_files, read_candidates
from minset.select.picks import next_picks
from minset.sets import frames_of_set, write_set


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
    certificate=(),
    threads: int = 1,
) -> None:
    """Write the new picks in order, with the frames themselves.

    Parameters
    ----------
    certificate
        Frames and table of the set of a certificate, and the tables of its verdicts and errors.

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
    before = pd.concat([pd.read_csv(path) for path in known] or [pd.DataFrame(columns=["origin"])])
    of_pool = before[before["origin"] == str(pool)]
    identity = {"selector": selector, "seed": seed, "size": size, "options": options}
    files = (pool, split, *descriptors, *known, *models, *certificate)
    identity["inputs"] = [file_hash(path) for path in files]
    work = working_folder(Path(table).with_suffix("") / "work", identity)
    candidates = read_candidates(
        chosen,
        pool,
        work,
        **descriptor_files(descriptors),
        known=tuple(of_pool["frame"]) if len(of_pool) else (),
        picked_elsewhere=len(before) - len(of_pool),
        models=tuple(dict.fromkeys(Path(path).parent for path in models)),
        certificate=tuple(certificate[2:]),
        threads=threads,
    )
    picks = next_picks(SELECTORS[selector], candidates, size, seed, options)
    if "origin" in picks:
        atoms = frames_of_set(*certificate[:2], picks)
    else:
        picks.insert(1, "origin", str(pool))
        atoms = read_frames(pool, picks["frame"].tolist())
    write_set(frames, table, atoms, picks)
    shutil.rmtree(work.parent)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
