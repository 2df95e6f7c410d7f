"""What a selector may look at."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """Frames of a pool that may be picked, and what is known of them before labelling.

    ``frames`` are pool indices, shape (m,); ``descriptors`` their rows, shape (m, d); ``runs`` the
    numbers of the MD runs that they are from, shape (m,); ``pool`` is the pool file, for selectors
    that look at classical energies or forces. What a selector writes to ``work`` is there when a
    killed selection is run again.
    """

    frames: np.ndarray
    descriptors: np.ndarray
    runs: np.ndarray
    pool: Path
    work: Path


def standardised(descriptors: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance per column, in float32; constant columns become zero."""
    x = np.asarray(descriptors, dtype=np.float64)
    spread = x.std(axis=0)
    constant = spread <= 1e-12 * np.abs(x).max(initial=1.0)
    x = (x - x.mean(axis=0)) / np.where(constant, 1.0, spread)
    return np.where(constant, 0.0, x).astype(np.float32)
