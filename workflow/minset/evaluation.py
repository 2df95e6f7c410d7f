"""A force call: positions and cell in, energy, forces and virial out, whatever makes them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """Result of one force call: eV, eV/A, eV (strain derivative), A."""

    energy_eV: float
    atomic_energies_eV: np.ndarray  # (n,), offsets included
    forces_eV_A: np.ndarray  # (n, 3)
    virial_eV: np.ndarray  # (3, 3), dE/dstrain; stress = virial / volume
    shortest_A: np.ndarray  # (S, S), shortest distance between species by atomic number; inf: none


Evaluator = Callable[[np.ndarray, np.ndarray], Evaluation]
"""``evaluate(positions_A (n, 3), cell_A (3, 3))``"""


def shortest_distances(
    numbers: np.ndarray, i: np.ndarray, j: np.ndarray, distances_A: np.ndarray
) -> np.ndarray:
    """``Evaluation.shortest_A`` from pairs of atoms i and j, each pair once or twice."""
    kinds, species = np.unique(numbers, return_inverse=True)
    shortest = np.full((len(kinds), len(kinds)), np.inf)
    np.minimum.at(shortest, (species[i], species[j]), distances_A)
    return np.minimum(shortest, shortest.T)
