"""Selector ``grid``: evenly over the energies and the volumes of a pool.

What one does by hand with a pool that was sampled broadly, and to which Jung, Lee and Choi compare
distillation by a committee ("Data Distillation for Neural Network Potentials toward Foundational
Dataset", 2023).
"""

import numpy as np
import pandas as pd

from minset.pool.store import read_geometries, read_property
from minset.select.candidates import FRAMES, Candidates
from minset.select.record import Selector


def select_grid(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames from the cells of a grid, as evenly as they allow.

    The range of the candidates' energies per atom, and that of their volumes per atom, are cut into
    equal intervals. Every cell of the grid that has frames gives one, in a random order of the cells;
    then every one that has more gives another, and so on.

    Parameters
    ----------
    candidates
        Frames of a pool that knows their energies.
    n
        Number of picks; the first k of n are the picks of k.
    seed
        Of the order of cells, and of frames in each.
    options
        As in ``RECORD``.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``frame``, ``score`` (energy per atom in eV) and ``volume_A3_atom``.

    Raises
    ------
    ValueError
        If the pool does not know the energy of a frame.
    """
    energies, volumes = _per_atom(candidates)
    if not np.isfinite(energies).all():
        frame = candidates.frames[~np.isfinite(energies)][0]
        raise ValueError(
            f"{candidates.pool} has no energy of frame {frame}, at which grid looks; take another "
            "selector, or a pool with energies"
        )
    cells = _bins(energies, options["energy_bins"]) * options["volume_bins"]
    cells += _bins(volumes, options["volume_bins"])
    rows = one_of_each(cells, np.random.default_rng(seed))[:n]
    return pd.DataFrame(
        {
            "pick": range(len(rows)),
            "frame": candidates.frames[rows],
            "score": energies[rows],
            "volume_A3_atom": volumes[rows],
        }
    )


def one_of_each(cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order of frames in which cells take turns, in a random order that is new in each turn.

    Parameters
    ----------
    cells
        Number of the cell of each frame, shape (m,).
    rng
        Draws the order of frames in a cell, and of cells in a turn.

    Returns
    -------
    numpy.ndarray
        A permutation of the m frames.
    """
    shuffled = rng.permutation(len(cells))
    turns = pd.Series(cells[shuffled]).groupby(cells[shuffled]).cumcount().to_numpy()
    return shuffled[np.lexsort((rng.random(len(cells)), turns))]


def _bins(values: np.ndarray, number: int) -> np.ndarray:
    """Number of the interval of each value, of equal ones between the smallest and the largest."""
    low, width = values.min(), np.ptp(values)
    if not width > 0:
        return np.zeros(len(values), int)
    return np.minimum((number * (values - low) / width).astype(int), number - 1)


def _per_atom(candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Energies in eV and volumes in A^3 of the candidates, per atom, each of shape (m,)."""
    atoms, volumes = [], []
    for _, numbers, _, cells in read_geometries(candidates.pool, FRAMES):
        atoms.append(np.count_nonzero(numbers, axis=1))
        volumes.append(np.abs(np.linalg.det(cells)))
    atoms = np.concatenate(atoms)[candidates.frames]
    energies = read_property(candidates.pool, "energy_eV")[candidates.frames]
    return energies / atoms, np.concatenate(volumes)[candidates.frames] / atoms


_bins_of = {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 10}
RECORD = Selector(
    options={
        "energy_bins": _bins_of
        | {"description": "Intervals of the energy per atom, by the pool's potential or labels"},
        "volume_bins": _bins_of | {"description": "Intervals of the volume per atom"},
    },
    select=select_grid,
    needs=lambda options: set(),
)
