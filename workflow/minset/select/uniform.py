"""Selectors ``global_energy``, ``atomic_energy`` and ``force``: uniform over a classical property.

After "Efficient data selection methods" (2021). A target value is drawn uniformly between the
smallest and the largest value of the property in the pool, and the frame that comes closest to it,
of those not yet picked, is taken; for a property of atoms it is the frame that holds the atom that
comes closest. So rare values, in the tails, count as much as common ones.

Targets follow the van der Corput sequence, shifted by the seed: every beginning of it is spread evenly,
so that the order of picks is good at every size. Atoms of different species have ranges of their own
and take turns.
"""

import numpy as np
import pandas as pd

from minset.pool.store import read_numbers, read_property
from minset.select.candidates import Candidates


def select_global_energy(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Uniform over the classical energy of the frames; ``score`` is the energy in eV."""
    energies = read_property(candidates.pool, "energy_eV")[candidates.frames]
    return uniform_picks(candidates.frames, [energies[:, None]], n, seed)


def select_atomic_energy(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Uniform over the classical energies of the atoms; ``score`` is the energy in eV."""
    energies = read_property(candidates.pool, "atomic_energies_eV")[candidates.frames]
    return uniform_picks(candidates.frames, _by_species(candidates, energies), n, seed)


def select_force(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Uniform over the size of the classical force on the atoms; ``score`` is the force in eV/A."""
    forces = read_property(candidates.pool, "force_size_eV_A")[candidates.frames]
    return uniform_picks(candidates.frames, _by_species(candidates, forces), n, seed)


def _by_species(candidates: Candidates, values: np.ndarray) -> list[np.ndarray]:
    numbers = read_numbers(candidates.pool)
    return [values[:, numbers == z] for z in np.unique(numbers)]


def uniform_picks(frames: np.ndarray, groups: list[np.ndarray], n: int, seed: int) -> pd.DataFrame:
    """Frames whose values spread evenly over each group's range, in an order good at every size.

    Parameters
    ----------
    frames
        Pool indices, shape (m,).
    groups
        Finite values of the property, each of shape (m, k): of the frames, or of the atoms of one
        species. Groups take turns.
    n
        Number of picks.
    seed
        Shifts the targets.

    Returns
    -------
    pd.DataFrame
        ``pick``, ``frame``, ``score`` (the value that was closest to the target) and ``target``.
    """
    free = np.ones(len(frames), bool)
    sorted_groups = [_sorted_values(values) for values in groups]
    start = np.random.default_rng(seed).random()
    rows = []
    for pick in range(n):
        values, owners = sorted_groups[pick % len(groups)]
        place = (van_der_corput(pick // len(groups)) + start) % 1.0
        target = values[0] + place * (values[-1] - values[0])
        k = _nearest_free(values, owners, free, target)
        free[owners[k]] = False
        rows.append((pick, frames[owners[k]], values[k], target))
    return pd.DataFrame(rows, columns=["pick", "frame", "score", "target"])


def van_der_corput(k: int) -> float:
    """Member k of the van der Corput sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    return int(f"{k:b}"[::-1], 2) / 2 ** k.bit_length()


def _sorted_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All values in increasing order, and the row of the frame of each."""
    order = np.argsort(values, axis=None, kind="stable")
    return values.ravel()[order], order // values.shape[1]


def _nearest_free(values: np.ndarray, owners: np.ndarray, free: np.ndarray, target: float) -> int:
    right = int(np.searchsorted(values, target))
    left = right - 1
    while left >= 0 and not free[owners[left]]:
        left -= 1
    while right < len(values) and not free[owners[right]]:
        right += 1
    if left < 0:
        return right
    if right == len(values):
        return left
    return left if target - values[left] <= values[right] - target else right
