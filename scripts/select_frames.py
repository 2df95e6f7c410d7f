"""Pick the frames that one size adds to a selection."""

import shutil
from pathlib import Path

import pandas as pd
from ase import Atoms

from minset.files import file_hash, working_folder
from minset.names import set_row
from minset.pool.store import read_frames
from minset.published.frames import published_frames
from minset.published.orders import published_picks, read_orders
from minset.select import SELECTORS
from minset.select.candidates import OWN_FRAMES, descriptor_files, read_candidates
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
    published: dict | None = None,
) -> None:
    """Write the new picks in order, with the frames themselves.

    Parameters
    ----------
    certificate
        Frames and table of the set of a certificate, and the tables of its verdicts and errors.
    published
        ``folder`` from which the order is taken if it has so many picks, and what decides them here
        (``selectors``).

    Raises
    ------
    ValueError
        If there are fewer candidates than ``size``.
    """
    roles = pd.read_csv(split)
    chosen = roles[roles["role"] == "candidate"]
    makes_frames = "system" in SELECTORS[selector].needs(options)
    if size > len(chosen) and not makes_frames:
        raise ValueError(
            f"{size} frames were asked for, {pool} has {len(chosen)} candidates; raise pool.frames or "
            "lower sizes"
        )
    picks = _published(pool, roles, Path(table).stem, known, selector, options, published)
    if picks is not None:
        keys = picks.pop("key").tolist()
        elsewhere = "origin" in picks
        atoms = published_frames(published["folder"], keys) if elsewhere else None
        _write(pool, frames, table, picks, atoms)
        return
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
    _write(pool, frames, table, picks, _not_of_pool(picks, work, certificate))
    shutil.rmtree(work.parent)


def _not_of_pool(picks: pd.DataFrame, work: Path, certificate) -> list[Atoms] | None:
    """Frames of picks that are not from the pool: made by the selector, or a certificate's; or None."""
    if "origin" not in picks:
        return None
    if certificate:
        return frames_of_set(*certificate[:2], picks)
    return read_frames(work / OWN_FRAMES) if len(picks) else []


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


def _write(pool, frames, table, picks: pd.DataFrame, atoms: list[Atoms] | None) -> None:
    """Write picks with their frames, those of the pool where none are given."""
    if atoms is None:
        picks.insert(1, "origin", str(pool))
        atoms = read_frames(pool, picks["frame"].tolist())
    write_set(frames, table, atoms, picks)


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    run(main, job, published=job.config["published"].get(job.wildcards.system))
