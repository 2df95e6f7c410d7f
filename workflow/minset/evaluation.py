"""A force call: positions and cell in, energy, forces and virial out, whatever makes them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols


@dataclass(frozen=True)
class Evaluation:
    """Result of one force call: eV, eV/A, eV (strain derivative), A."""

    energy_eV: float
    atomic_energies_eV: np.ndarray  # (n,), offsets included; NaN where there are none
    forces_eV_A: np.ndarray  # (n, 3)
    virial_eV: np.ndarray  # (3, 3), dE/dstrain; stress = virial / volume
    shortest_A: np.ndarray  # (S, S), shortest distance between species by atomic number; inf: none


Evaluator = Callable[[np.ndarray, np.ndarray], Evaluation]
"""``evaluate(positions_A (n, 3), cell_A (3, 3))``"""


# Of configurations that a force call takes; nothing physical is beyond.
_FARTHEST_A = 1e8  # where float64 still resolves 1.5e-8 A
_LARGEST_CELL_A = 1e6
_THINNEST_CELL_A = 0.1
_LEAST_VOLUME_A3_ATOM = 0.1
_SAME_PLACE_A = 1e-3
_LARGEST_VOLUME_A3 = 1e9  # LAMMPS's P3M crashes at 1e12


class Unusable(ValueError):
    """A configuration of which no force call can be made."""


def require_usable(positions: np.ndarray, cell: np.ndarray) -> None:
    """Stop at what would crash or hang a neighbour list; takes 5 microseconds.

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
        distances, an edge of the cell beyond 1e6 A, two of its faces less than 0.1 A apart or its
        volume below 0.1 A^3 per atom or beyond 1e9 A^3, where a mesh for electrostatics crashes.
    """
    if not len(positions):
        raise Unusable("there are no atoms")
    # one pass over the positions, by which any of them that is too large or no number is seen
    if not np.vdot(positions, positions) < _FARTHEST_A**2:
        if not np.isfinite(positions).all():
            raise Unusable("positions or cell are not finite")
        if (farthest := np.abs(positions).max()) > _FARTHEST_A:
            raise Unusable(f"a coordinate of {farthest:.3g} A, beyond {_FARTHEST_A:g} A")
    # plain numbers: numpy takes ten times as long for so few
    edges = a, b, c = cell.tolist()
    if not all(map(math.isfinite, (*a, *b, *c))):
        raise Unusable("positions or cell are not finite")
    if (longest := max(math.hypot(*edge) for edge in edges)) > _LARGEST_CELL_A:
        raise Unusable(f"a cell of {longest:.3g} A, beyond {_LARGEST_CELL_A:g} A")
    face = _cross(b, c)
    volume = abs(a[0] * face[0] + a[1] * face[1] + a[2] * face[2])
    if volume < _LEAST_VOLUME_A3_ATOM * len(positions):
        raise Unusable(f"{len(positions)} atoms in a cell of {volume:.3g} A^3")
    if volume > _LARGEST_VOLUME_A3:
        raise Unusable(f"a cell of {volume:.3g} A^3, beyond {_LARGEST_VOLUME_A3:g} A^3")
    largest_face = max(math.hypot(*f) for f in (face, _cross(c, a), _cross(a, b)))
    if volume < _THINNEST_CELL_A * largest_face:
        raise Unusable(f"a cell with faces {volume / largest_face:.3g} A apart")


def _cross(a: list[float], b: list[float]) -> tuple[float, float, float]:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def require_apart(shortest_A: np.ndarray) -> None:
    """Stop at atoms at the same place.

    Parameters
    ----------
    shortest_A
        Distances of pairs, such as ``Evaluation.shortest_A``, of any shape.

    Raises
    ------
    Unusable
        If one is below 1e-3 A.
    """
    if shortest_A.min(initial=np.inf) < _SAME_PLACE_A:
        raise Unusable("two atoms are at the same place")


def require_known(numbers: np.ndarray, known) -> None:
    """Stop at elements that a model was not trained on.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    known
        Atomic numbers of the elements that the model knows.

    Raises
    ------
    ValueError
        With the elements, and those that the model knows.
    """
    known = {int(z) for z in known}
    if unknown := sorted({int(z) for z in numbers} - known):
        raise ValueError(
            f"the model knows no {_symbols(unknown)}, only {_symbols(sorted(known))}; take a model "
            "that was trained on frames with all of these elements"
        )


def _symbols(numbers: list[int]) -> str:
    known = range(1, len(chemical_symbols))
    return ", ".join(chemical_symbols[z] if z in known else f"element {z}" for z in numbers)


def shortest_distances(
    numbers: np.ndarray, i: np.ndarray, j: np.ndarray, distances_A: np.ndarray
) -> np.ndarray:
    """``Evaluation.shortest_A`` from pairs of atoms i and j, each pair once or twice."""
    kinds, species = np.unique(numbers, return_inverse=True)
    shortest = np.full((len(kinds), len(kinds)), np.inf)
    np.minimum.at(shortest, (species[i], species[j]), distances_A)
    return np.minimum(shortest, shortest.T)
