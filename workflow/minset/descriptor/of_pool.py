"""What descriptors share: batches of atoms of a pool in, the array of a descriptor out."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minset.files import written_aside
from minset.pool.store import read_numbers

Batches = Iterator[tuple[int, np.ndarray, np.ndarray]]
"""First frame of each batch, its atomic numbers (b, n_max) and the features of atoms (b, n_max, F)."""


def write_described(pool: Path, path: Path, of: str, batches: Batches, features: int) -> None:
    """Write what a descriptor makes of a pool, in one step and in bounded memory.

    Parameters
    ----------
    pool, path, of
        As of ``minset.descriptor.record.Descriptor``.
    batches
        Of all frames; rows of padding repeat the frame's first atom: they never decide a maximum over
        its atoms, which is what selectors look at, and need no mask there.
    features
        F.
    """
    with written_aside(path) as aside:
        if of == "frames":
            np.save(aside, means_of_frames(pool, batches), allow_pickle=False)
        else:
            write_atoms(pool, aside, batches, features)


def means_of_frames(pool: Path, batches: Batches) -> np.ndarray:
    """Averages over the atoms of each species, by frame.

    Returns
    -------
    numpy.ndarray
        Shape (T, species x features), float32: the species of the whole pool by increasing atomic
        number, zeros for those that a frame lacks; NaN for a frame whose geometry cannot be used.
    """
    kinds, parts = species(pool), []
    for _, numbers, features in told(pool, batches):
        rows = np.zeros((len(numbers), len(kinds), features.shape[2]), np.float32)
        for row, own, x in zip(rows, numbers, features, strict=True):
            for k in np.flatnonzero(np.isin(kinds, own)):
                row[k] = x[own == kinds[k]].mean(axis=0)
        parts.append(rows.reshape(len(rows), -1))
    return np.concatenate(parts)


def write_atoms(pool: Path, path: Path, batches: Batches, features: int) -> None:
    """Write the features of all atoms as an array of shape (T, n_max, features), float32."""
    shape = (*read_numbers(pool).shape, features)
    atoms = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for begin, _, x in told(pool, batches):
        atoms[begin : begin + len(x)] = x
    atoms.flush()


def species(pool: Path) -> np.ndarray:
    """Atomic numbers that occur in a pool, increasing."""
    kinds = np.unique(read_numbers(pool))
    return kinds[kinds > 0]


def told(pool: Path, batches: Batches) -> Batches:
    """The same batches, with a line now and then about how far they are."""
    n_frames = len(read_numbers(pool))
    began = reported = time.monotonic()
    for begin, numbers, features in batches:
        yield begin, numbers, features
        done = begin + len(numbers)
        if time.monotonic() - reported > 5 or done == n_frames:
            reported = time.monotonic()
            rate = done / max(reported - began, 1e-9)
            print(
                f"descriptors of {done} of {n_frames} frames, {rate:.0f} frames/s, "
                f"{(n_frames - done) / rate:.0f} s left",
                flush=True,
            )
