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


# of configurations that a force call takes; nothing physical is beyond
_FARTHEST_A = 1e8  # a float64 resolves 1.5e-8 A there
_LARGEST_CELL_A = 1e6
_THINNEST_CELL_A = 0.1
_LEAST_VOLUME_A3_ATOM = 0.1
_LARGEST_VOLUME_A3 = 1e9  # LAMMPS's P3M crashes at 1e12


class Unusable(ValueError):
    """A configuration that no force call can be made of."""


def require_usable(positions: np.ndarray, cell: np.ndarray) -> None:
    """Stop at what would crash or hang a neighbour list or a mesh.

    Parameters
    ----------
    positions
        In A, shape (n, 3), wrapped or not.
    cell
        Lattice vectors as rows, in A, shape (3, 3).

    Raises
    ------
    Unusable
        If a number is not finite, a coordinate is beyond 1e8 A, where float64 no longer resolves
        distances, an edge of the cell beyond 1e6 A, two of its faces less than 0.1 A apart, or its volume
        below 0.1 A^3 per atom or beyond 1e9 A^3.
    """
    if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
        raise Unusable("positions or cell are not finite")
    if len(positions) == 0:
        raise Unusable("there are no atoms")
    if (farthest := np.abs(positions).max()) > _FARTHEST_A:
        raise Unusable(f"a coordinate of {farthest:.3g} A, beyond {_FARTHEST_A:g} A")
    if (longest := np.abs(cell).max()) > _LARGEST_CELL_A:
        raise Unusable(f"a cell of {longest:.3g} A, beyond {_LARGEST_CELL_A:g} A")
    volume = abs(np.linalg.det(cell))
    if volume < _LEAST_VOLUME_A3_ATOM * len(positions):
        raise Unusable(f"{len(positions)} atoms in a cell of {volume:.3g} A^3")
    if volume > _LARGEST_VOLUME_A3:
        raise Unusable(f"a cell of {volume:.3g} A^3, beyond {_LARGEST_VOLUME_A3:g} A^3")
    faces = np.linalg.norm(np.cross(np.roll(cell, -1, axis=0), np.roll(cell, 1, axis=0)), axis=1)
    if (thinnest := (volume / faces).min()) < _THINNEST_CELL_A:
        raise Unusable(f"a cell with faces {thinnest:.3g} A apart")


def require_apart(shortest_A: np.ndarray) -> None:
    """Stop at atoms at the same place, of which ``Evaluation.shortest_A`` tells.

    Raises
    ------
    Unusable
        If two atoms are closer than 1e-3 A.
    """
    if shortest_A.min() < 1e-3:
        raise Unusable("two atoms are at the same place")


def shortest_distances(
    numbers: np.ndarray, i: np.ndarray, j: np.ndarray, distances_A: np.ndarray
) -> np.ndarray:
    """``Evaluation.shortest_A`` from pairs of atoms i and j, each pair once or twice."""
    kinds, species = np.unique(numbers, return_inverse=True)
    shortest = np.full((len(kinds), len(kinds)), np.inf)
    np.minimum.at(shortest, (species[i], species[j]), distances_A)
    return np.minimum(shortest, shortest.T)
