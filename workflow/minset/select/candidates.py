"""What a selector may look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from minset.pool.store import read_numbers

FRAMES = 512  # whose atoms are in memory at a time
OWN_FRAMES = "frames.h5"  # in the working folder: those that a selector made itself, pick by pick


@dataclass(frozen=True)
class Candidates:
    """Frames of a pool that may be picked, and what is known of them before labelling.

    Attributes
    ----------
    frames
        Pool indices, shape (m,).
    descriptors
        Rows of these frames, shape (m, d); None if the selector needs none.
    runs
        Numbers of the MD runs that they are from, shape (m,), NaN where the pool does not say.
    pool
        Pool file, for selectors that look at geometries, classical energies or forces.
    work
        Folder: what a selector writes there it finds again when a killed selection is run again.
    atom_descriptors
        File with the descriptors of the atoms of all frames of the pool, shape (T, n_max, features).
    known
        Pool indices of the picks of smaller sizes, in their order.
    picked_elsewhere
        Number of picks of smaller sizes that are not from the pool.
    models
        Folders of the members of a committee.
    certificate
        Tables of the certificate of the size before: verdicts, and errors of its frames.
    threads
        For whatever the selector computes.
    """

    frames: np.ndarray
    descriptors: np.ndarray | None
    runs: np.ndarray
    pool: Path
    work: Path
    atom_descriptors: Path | None = None
    known: tuple[int, ...] = ()
    picked_elsewhere: int = 0
    models: tuple[Path, ...] = ()
    certificate: tuple[Path, ...] = ()
    threads: int = 1


def read_candidates(
    frames: pd.DataFrame,
    pool: Path,
    work: Path,
    descriptors: Path | None = None,
    atom_descriptors: Path | None = None,
    **more,
) -> Candidates:
    """What is known of some frames of a pool.

    Parameters
    ----------
    frames
        Table with ``frame`` and ``run``.
    pool, work, atom_descriptors, **more
        As in `Candidates`.
    descriptors
        File with the descriptors of all frames of the pool, shape (T, d).
    """
    indices = frames["frame"].to_numpy()
    rows = np.load(descriptors, mmap_mode="r")[indices] if descriptors else None
    runs = frames["run"].to_numpy()
    return Candidates(indices, rows, runs, Path(pool), Path(work), atom_descriptors, **more)


def descriptor_files(paths) -> dict[str, Path]:
    """Arguments of `read_candidates` from the files ``descriptors-<frames or atoms>.npy`` of a study."""
    arguments = {"frames": "descriptors", "atoms": "atom_descriptors"}
    return {arguments[Path(path).stem.rpartition("-")[2]]: Path(path) for path in paths}


def standardised(descriptors: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance per column, in float32; constant columns become zero."""
    x = np.asarray(descriptors, dtype=np.float64)
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.abs(x).max(initial=1.0)
    x = (x - x.mean(axis=0)) / np.where(constant, 1.0, spread)
    return np.where(constant, 0.0, x).astype(np.float32)


def read_atoms(candidates: Candidates) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Reader of the descriptors of atoms, for pools that are larger than memory.

    Returns
    -------
    read, real
        A function of numbers of candidates, shape (k,), that gives shape (k, n_max, features + species),
        float32: each feature with zero mean and unit variance over all atoms of a species, and a one in
        the column of the atom's species; rows of padding are those of the frame's first atom. And which
        rows are atoms and no padding, shape (m, n_max).
    """
    numbers = read_numbers(candidates.pool)[candidates.frames]
    real = numbers > 0
    kinds = np.unique(numbers[real])
    species = np.searchsorted(kinds, np.where(real, numbers, numbers[:, :1]))

    def raw(chosen: np.ndarray) -> np.ndarray:
        # opened each time: pages of the file then never count as this process's memory for long
        rows = np.load(candidates.atom_descriptors, mmap_mode="r")[candidates.frames[chosen]]
        return np.asarray(rows, np.float32)

    mean, square, count = 0.0, 0.0, 0
    m = len(candidates.frames)
    for block in np.array_split(np.arange(m), max(1, m // FRAMES)):
        x = raw(block).astype(np.float64)
        is_species = (numbers[block, None] == kinds[:, None]).astype(np.float32)
        mean += np.einsum("bsn,bnf->sf", is_species, x)
        square += np.einsum("bsn,bnf->sf", is_species, x**2)
        count += np.count_nonzero(is_species, axis=(0, 2))[:, None]
    mean, square = mean / count, square / count
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    constant = spread <= 1e-6 * np.abs(mean)
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, spread))
    mean, scale = mean.astype(np.float32), scale.astype(np.float32)
    columns = np.eye(len(kinds), dtype=np.float32)

    def read(chosen: np.ndarray) -> np.ndarray:
        own = species[chosen]
        return np.concatenate([(raw(chosen) - mean[own]) * scale[own], columns[own]], axis=2)

    return read, real
