"""How close atoms come: in frames, and the least that dynamics may do before they count as broken."""

from collections.abc import Iterable
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from minset.evaluation import shortest_distances
from minset.system import covalent_contact_A

REACH_A = 6.0  # no two species of a condensed phase stay farther apart
# 0.6 sigma of Tosi and Fumi, as melts of salts up to 1700 K come as close as 0.8 sigma
_OF_SHORTEST = 0.75
_OF_COVALENT = 0.5


def shortest_A(numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """``Evaluation.shortest_A`` of any periodic configuration, from pairs within 6 A."""
    from minset.model.neighbours import undirected_pairs

    i, j, vectors = undirected_pairs(positions, cell, REACH_A)
    return shortest_distances(numbers, i, j, np.linalg.norm(vectors, axis=1))


def shortest_distances_of(frames: Iterable[Atoms]) -> dict[str, float]:
    """Shortest distance of each pair of species in frames of any cell and composition.

    Returns
    -------
    dict
        Names like ``K-Cl``, by decreasing atomic number, to distances in A. Pairs that come nowhere
        within 6 A are left out.
    """
    shortest: dict[str, float] = {}
    for frame in frames:
        kinds = np.unique(frame.numbers)
        distances = shortest_A(frame.numbers, frame.positions, frame.cell[:])
        for a, b in combinations_with_replacement(range(len(kinds)), 2):
            if np.isfinite(distances[a, b]):
                name = f"{chemical_symbols[kinds[b]]}-{chemical_symbols[kinds[a]]}"
                shortest[name] = min(float(distances[a, b]), shortest.get(name, np.inf))
    return dict(sorted(shortest.items()))


def closest_allowed_A(shortest: dict[str, float]) -> dict[str, float]:
    """Distance of each pair below which dynamics are unphysical: 0.75 of the pool's shortest, in A.

    Parameters
    ----------
    shortest
        As of `shortest_distances_of`.
    """
    return {name: _OF_SHORTEST * distance for name, distance in shortest.items()}


def closest_matrix_A(species: list[str], closest: dict[str, float]) -> np.ndarray:
    """Allowed distances as a matrix like ``Evaluation.shortest_A``.

    Parameters
    ----------
    species
        Elements in the order of the matrix.
    closest
        Distances in A by pair, either way round; a pair that is missing gets half the sum of its
        covalent radii.
    """
    matrix = np.empty((len(species), len(species)))
    for (k, a), (m, b) in combinations_with_replacement(enumerate(species), 2):
        known = closest.get(f"{a}-{b}", closest.get(f"{b}-{a}"))
        matrix[k, m] = matrix[m, k] = (
            _OF_COVALENT * covalent_contact_A(a, b) if known is None else known
        )
    return matrix
