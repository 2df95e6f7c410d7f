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
from minset.select.record import Selector


def select_global_energy(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Uniform over the classical energy of the frames; ``score`` is the energy in eV."""
    energies = read_property(candidates.pool, "energy_eV")[candidates.frames, None]
    _require(candidates, np.isfinite(energies), "energy")
    return uniform_picks(candidates.frames, [energies], n, seed)


def select_atomic_energy(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Uniform over the classical energies of the atoms; ``score`` is the energy in eV."""
    groups = _by_species(candidates, "atomic_energies_eV", "energy of each atom")
    return uniform_picks(candidates.frames, groups, n, seed)


def select_force(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Uniform over the size of the classical force on the atoms; ``score`` is the force in eV/A."""
    groups = _by_species(candidates, "force_size_eV_A", "forces")
    return uniform_picks(candidates.frames, groups, n, seed)


def _by_species(candidates: Candidates, name: str, told: str) -> list[np.ndarray]:
    """A property of the atoms of each species, shape (m, n_max), NaN for all others."""
    numbers = read_numbers(candidates.pool)[candidates.frames]
    values = read_property(candidates.pool, name)[candidates.frames]
    _require(candidates, np.isfinite(values) | (numbers == 0), told)
    return [np.where(numbers == z, values, np.nan) for z in np.unique(numbers[numbers > 0])]


def _require(candidates: Candidates, known: np.ndarray, told: str) -> None:
    if not known.all():
        frame = candidates.frames[~known.all(axis=1)][0]
        raise ValueError(
            f"{candidates.pool} has no {told} of frame {frame}, at which this selector looks; take "
            "another selector, or a pool with energies and forces"
        )


def uniform_picks(frames: np.ndarray, groups: list[np.ndarray], n: int, seed: int) -> pd.DataFrame:
    """Frames whose values spread evenly over each group's range, in an order good at every size.

    Parameters
    ----------
    frames
        Pool indices, shape (m,).
    groups
        Values of the property, each of shape (m, k): of the frames, or of the atoms of one species; NaN
        where a frame has fewer. Groups take turns, but for those whose frames have all been picked.
    n
        Number of picks.
    seed
        Shifts the targets.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``frame``, ``score`` (the value that was closest to the target) and ``target``.
    """
    free = np.ones(len(frames), bool)
    sorted_groups = [_sorted_values(values) for values in groups]
    start = np.random.default_rng(seed).random()
    rows = []
    for pick in range(n):
        place = (van_der_corput(pick // len(groups)) + start) % 1.0
        for turn in range(pick, pick + len(groups)):
            values, owners = sorted_groups[turn % len(groups)]
            target = values[0] + place * (values[-1] - values[0])
            k = _nearest_free(values, owners, free, target)
            if k is not None:
                break
        free[owners[k]] = False
        rows.append((pick, frames[owners[k]], values[k], target))
    return pd.DataFrame(rows, columns=["pick", "frame", "score", "target"])


def van_der_corput(k: int) -> float:
    """Member k of the van der Corput sequence in base 2: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    return int(f"{k:b}"[::-1], 2) / 2 ** k.bit_length()


def _sorted_values(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All values in increasing order, and the row of the frame of each."""
    order = np.argsort(values, axis=None, kind="stable")[: np.count_nonzero(~np.isnan(values))]
    return values.ravel()[order], order // values.shape[1]


def _nearest_free(
    values: np.ndarray, owners: np.ndarray, free: np.ndarray, target: float
) -> int | None:
    """Place of the value closest to a target, of those whose frame is free; None if none is."""
    right = int(np.searchsorted(values, target))
    left = right - 1
    while left >= 0 and not free[owners[left]]:
        left -= 1
    while right < len(values) and not free[owners[right]]:
        right += 1
    if left < 0:
        return right if right < len(values) else None
    if right == len(values):
        return left
    return left if target - values[left] <= values[right] - target else right


GLOBAL_ENERGY, ATOMIC_ENERGY, FORCE = (
    Selector(options={}, select=select, needs=lambda options: set())
    for select in (select_global_energy, select_atomic_energy, select_force)
)
