"""Frames that are labelled at once: none of them a copy of another, and far from each other."""

from pathlib import Path

import numpy as np
from ase import Atoms

from minset.pool.store import read_frames

COPY_A = 0.05  # root mean square displacement; a force changes by a few tenths of an eV/A over it
FRAMES_PER_BLOCK = 64


def without_copies(pool: Path, order: np.ndarray, known: np.ndarray, most: int) -> np.ndarray:
    """The first frames in an order that are copies neither of earlier ones nor of known ones.

    Parameters
    ----------
    pool
        Pool file.
    order, known
        Pool indices.
    most
        Number of frames at which to stop.

    Returns
    -------
    numpy.ndarray
        Pool indices, in their order.
    """
    there, kept = read_frames(pool, known), []
    for begin in range(0, len(order), FRAMES_PER_BLOCK):
        block = order[begin : begin + FRAMES_PER_BLOCK]
        for frame, atoms in zip(block, read_frames(pool, block), strict=True):
            if len(kept) < most and not any(_is_copy(atoms, other) for other in there):
                kept.append(frame)
                there.append(atoms)
        if len(kept) == most:
            break
    return np.array(kept, int)


def _is_copy(a: Atoms, b: Atoms) -> bool:
    """Whether two frames of the same atoms and cell are closer than ``COPY_A``, images counted."""
    if not np.array_equal(a.numbers, b.numbers) or np.abs(a.cell - b.cell).max() > COPY_A:
        return False
    moved = (a.positions - b.positions) @ np.linalg.inv(a.cell)
    moved = (moved - np.round(moved)) @ a.cell
    return np.square(moved).sum(axis=1).mean() < COPY_A**2


def farthest_first(x: np.ndarray, rows: np.ndarray, known: np.ndarray, n: int) -> np.ndarray:
    """Farthest point sampling that begins with a given row.

    Parameters
    ----------
    x
        Descriptors, shape (m, d).
    rows
        Which of them may be picked; the first is.
    known
        Those that count as picked.
    n
        Number of picks; there are fewer if there are fewer rows.

    Returns
    -------
    numpy.ndarray
        The picked ones of ``rows``, in order.
    """
    nearest = np.full(len(rows), np.inf)
    for row in known:
        nearest = np.minimum(nearest, np.linalg.norm(x[rows] - x[row], axis=1))
    picks: list[int] = []
    while len(picks) < min(n, len(rows)):
        picks.append(int(nearest.argmax()) if picks else 0)
        nearest = np.minimum(nearest, np.linalg.norm(x[rows] - x[rows[picks[-1]]], axis=1))
        nearest[picks] = -np.inf
    return rows[picks]
