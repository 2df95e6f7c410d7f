"""Environments of the sets of frames that observable ``coverage`` compares."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from minset.descriptor import DESCRIPTORS
from minset.observe.coverage import matching
from minset.pool.reading import read_run
from minset.pool.store import read_numbers, write_pool


class Environments(NamedTuple):
    """Environments of the atoms of a set, frame after frame.

    Attributes
    ----------
    x
        Components, shape (n, components).
    numbers
        Atomic numbers, shape (n,).
    frames
        Number of each atom's frame, shape (n,).
    """

    x: np.ndarray
    numbers: np.ndarray
    frames: np.ndarray


def environments_of(
    name: str, wanted: dict, source: dict, system: dict, settings: dict
) -> Environments:
    """Environments of a set.

    Parameters
    ----------
    name, wanted
        Of the set; ``runs``, ``selection`` or ``files``.
    source, system, settings
        As of ``minset.observe.coverage.observe_coverage``.

    Raises
    ------
    ValueError
        If it has no frames, or none that can be described.
    """
    if "files" in wanted:
        return _of_files(name, wanted["files"], system, settings)
    if "runs" in wanted:
        runs = pd.read_csv(source["runs"])
        named = runs["run"][runs["name"].isin(matching(list(runs["name"]), wanted["runs"]))]
        frames = pd.read_csv(source["summary"])
        chosen = frames["frame"][frames["run"].isin(named)].to_numpy()
    else:
        chosen = _picked(wanted["selection"], source["selections"])
    x = np.load(source["descriptors"], mmap_mode="r")[chosen]
    return _joined(name, x, read_numbers(source["pool"])[chosen])


def _picked(selection: str, tables: list) -> np.ndarray:
    """Pool indices of a selection with its smaller sizes."""
    stem, _, seed = selection.rpartition("-s")
    kind, _, size = stem.rpartition("-n")
    parts = []
    for path in map(Path, tables):
        own, _, own_seed = path.stem.rpartition("-s")
        own_kind, _, own_size = own.rpartition("-n")
        if (own_kind, own_seed) == (kind, seed) and int(own_size) <= int(size):
            picks = pd.read_csv(path)
            inside = picks["origin"].isna() if "origin" in picks else np.ones(len(picks), bool)
            parts.append(picks["frame"][inside].to_numpy(int))
    return np.concatenate(parts)


def _of_files(name: str, paths: list[str], system: dict, settings: dict) -> Environments:
    """Environments of the frames of files, of the system's species alone."""
    sampled = read_run(system, {"paths": paths, "every": 1}, labels=False)
    if sampled.note:
        print(f"{name}: {sampled.note}")
    options = dict(settings["descriptors"])
    with tempfile.TemporaryDirectory() as folder:
        pool, array = Path(folder) / "pool.h5", Path(folder) / "atoms.npy"
        write_pool(pool, sampled.frames)
        DESCRIPTORS[options.pop("descriptor")].describe(pool, array, "atoms", options)
        return _joined(name, np.load(array), read_numbers(pool))


def _joined(name: str, x: np.ndarray, numbers: np.ndarray) -> Environments:
    usable = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    real = (numbers > 0) & usable[:, None]
    if not real.any():
        raise ValueError(f"coverage.sets.{name}: there are no frames that can be described")
    frames = np.nonzero(real)[0]
    return Environments(np.asarray(x[real], float), numbers[real], frames)


def standardised(sets: dict[str, Environments], reference: str) -> dict[str, Environments]:
    """The same with zero mean and unit variance, by species, in one of the sets.

    Raises
    ------
    ValueError
        If another set has species that this one has not.
    """
    of = sets[reference]
    done = {name: found._replace(x=np.empty_like(found.x)) for name, found in sets.items()}
    for z in np.unique(np.concatenate([found.numbers for found in sets.values()])):
        own = of.x[of.numbers == z]
        if not len(own):
            names = [name for name, found in sets.items() if (found.numbers == z).any()]
            raise ValueError(
                f"coverage.reference: {reference} has no atoms of atomic number {z}, as {names[0]} "
                "has; name another set there"
            )
        spread = own.std(axis=0)
        spread = np.where(spread > 1e-9 * np.abs(own).max(initial=1.0), spread, 1.0)
        for name, found in sets.items():
            atoms = found.numbers == z
            done[name].x[atoms] = (found.x[atoms] - own.mean(axis=0)) / spread
    return done
