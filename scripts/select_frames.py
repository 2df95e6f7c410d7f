"""Pick the frames that one size adds to a selection."""

import shutil
from pathlib import Path

import pandas as pd

from minset.files import file_hash, working_folder
from minset.names import set_row
from minset.pool.store import read_frames
from minset.published.frames import published_frames
from minset.published.orders import published_picks, read_orders
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
    published: dict | None = None,
) -> None:
    """Write the new picks in order, with the frames themselves.

    ``published`` has the ``folder`` from which the order is taken if it has so many picks, and what
    decides them here (``selectors``).

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
    picks = _published(pool, roles, Path(table).stem, known, selector, options, published)
    if picks is not None:
        keys = picks.pop("key").tolist()
        if "origin" in picks:
            write_set(frames, table, published_frames(published["folder"], keys), picks)
        else:
            _write(pool, frames, table, picks)
        return
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
    _write(pool, frames, table, picks)
    shutil.rmtree(work.parent)


def _published(pool, roles, name: str, known, selector: str, options: dict, published):
    """Picks that are published, or None."""
    orders = read_orders(published["folder"]) if published else None
    if orders is None:
        return None
    tables = [Path(path) for path in known]
    before = {path.stem: pd.read_csv(path)["frame"].tolist() for path in tables}
    decides = published["selectors"][set_row(name)["selector"]]
    by_size = bool(SELECTORS[selector].needs(options) - {"frames", "atoms"})
    picks = published_picks(orders, name, before, pool, roles, decides, by_size)
    said = "has not" if picks is None else "has"
    print(f"{published['folder']} {said} the picks of {name}")
    return picks


def _write(pool, frames, table, picks: pd.DataFrame) -> None:
    picks.insert(1, "origin", str(pool))
    write_set(frames, table, read_frames(pool, picks["frame"].tolist()), picks)


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    run(main, job, published=job.config["published"].get(job.wildcards.system))
