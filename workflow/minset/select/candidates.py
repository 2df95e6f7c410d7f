"""What a selector may look at."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """Frames of a pool that may be picked, and what is known of them before labelling.

    ``frames`` are pool indices, shape (m,); ``descriptors`` their rows, shape (m, d); ``pool`` is the
    pool file, for selectors that look at classical energies or forces.
    """

    frames: np.ndarray
    descriptors: np.ndarray
    pool: Path
