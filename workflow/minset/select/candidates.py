"""What a selector may look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from minset.pool.store import read_numbers

FRAMES = 512  # whose atoms are in memory at a time


@dataclass(frozen=True)
class Candidates:
    """Frames of a pool that may be picked, and what is known of them before labelling.

    ``frames`` are pool indices, shape (m,); ``descriptors`` their rows, shape (m, d); ``runs`` the
    numbers of the MD runs that they are from, shape (m,); ``pool`` is the pool file, for selectors
    that look at classical energies or forces; ``atom_descriptors`` the file with the descriptors of
    the atoms of all frames of the pool, shape (T, n, features), if the study has it. What a selector
    writes to ``work`` is there when a killed selection is run again.
    """

    frames: np.ndarray
    descriptors: np.ndarray
    runs: np.ndarray
    pool: Path
    work: Path
    atom_descriptors: Path | None = None


def read_candidates(
    frames: pd.DataFrame, pool: Path, descriptors: Path, atom_descriptors: Path | None, work: Path
) -> Candidates:
    """What is known of some frames (``frame``, ``run``) of a pool."""
    numbers = frames["frame"].to_numpy()
    rows = np.load(descriptors, allow_pickle=False, mmap_mode="r")[numbers]
    runs = frames["run"].to_numpy()
    return Candidates(numbers, rows, runs, Path(pool), Path(work), atom_descriptors)


def standardised(descriptors: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance per column, in float32; constant columns become zero."""
    x = np.asarray(descriptors, dtype=np.float64)
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.abs(x).max(initial=1.0)
    x = (x - x.mean(axis=0)) / np.where(constant, 1.0, spread)
    return np.where(constant, 0.0, x).astype(np.float32)


def read_atoms(candidates: Candidates) -> Callable[[np.ndarray], np.ndarray]:
    """Reader of the descriptors of atoms, for pools that are larger than memory.

    Returns
    -------
    callable
        Takes numbers of candidates, shape (k,), gives shape (k, n, features + species), float32: each
        feature with zero mean and unit variance over all atoms of a species, and a one in the column
        of the atom's species.
    """
    numbers = read_numbers(candidates.pool)
    is_species = (numbers == np.unique(numbers)[:, None]).astype(np.float32)

    def raw(chosen: np.ndarray) -> np.ndarray:
        # opened each time: pages of the file then never count as this process's memory for long
        rows = np.load(candidates.atom_descriptors, mmap_mode="r")[candidates.frames[chosen]]
        return np.asarray(rows, np.float32)

    mean, square = 0.0, 0.0
    m = len(candidates.frames)
    for block in np.array_split(np.arange(m), max(1, m // FRAMES)):
        x = raw(block).astype(np.float64)
        mean += np.einsum("sn,bnf->sf", is_species, x)
        square += np.einsum("sn,bnf->sf", is_species, x**2)
    count = m * is_species.sum(axis=1, keepdims=True)
    mean, square = mean / count, square / count
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    constant = spread <= 1e-6 * np.abs(mean)
    scale = np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, spread))
    mean, scale = (is_species.T @ a.astype(np.float32) for a in (mean, scale))

    def read(chosen: np.ndarray) -> np.ndarray:
        x = (raw(chosen) - mean) * scale
        return np.concatenate(
            [x, np.broadcast_to(is_species.T, (*x.shape[:2], len(is_species)))], axis=2
        )

    return read
