"""Neighbour lists: vesin's, kept over several steps of MD.

vesin (C++, BSD licence) takes any cell, lists pairs once or twice, and is several times faster than
the alternatives for a few hundred atoms. One thread: more of its own would fight with those of the
force calls, and a list is a small part of the steps that it serves.
"""

import numpy as np
from numba import njit
from vesin import NeighborList

from minset.evaluation import require_apart, require_usable


class VerletList:
    """Pairs within a cutoff and a skin, listed anew only when one could be missing.

    Parameters
    ----------
    cutoff_A
        Pairs closer than this are always in the list.
    skin_A
        How much farther the listed pairs reach when the list is made.
    twice
        Every pair from both of its ends, or once.

    Attributes
    ----------
    i, j
        Indices of the two atoms of each listed pair, shape (p,).
    shifts
        Lattice vectors to add to atom j, as integers, shape (p, 3). A cell smaller than the cutoff has
        a pair once for each image.
    """

    def __init__(self, cutoff_A: float, skin_A: float, twice: bool):
        self.reach, self.skin = cutoff_A + skin_A, skin_A
        self._search = NeighborList(cutoff=self.reach, full_list=twice, n_threads=1)
        self._made_at = None

    def update(self, positions: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, bool]:
        """Bring the list up to date.

        Parameters
        ----------
        positions
            In A, shape (n, 3), wrapped or not.
        cell
            Lattice vectors as rows, in A, shape (3, 3); may change from call to call.

        Returns
        -------
        continuous, renewed
            Positions for which the listed shifts hold: an atom that was wrapped since the list was
            made is followed to its image, one far outside the cell has an image near it. And whether
            the list was made anew.

        Raises
        ------
        minset.evaluation.Unusable
            If the configuration has no neighbour list.
        """
        require_usable(positions, cell)
        if self._made_at is not None:
            old, old_cell, inverse = self._made_at
            strain = 0.0
            if not np.array_equal(cell, old_cell):
                inverse = np.linalg.inv(cell)
                # a cell that shrinks brings pairs closer without any atom moving in it
                strain = np.linalg.norm(np.linalg.solve(old_cell, cell) - np.eye(3), 2)
            moved = positions @ inverse - old
            moved -= np.round(moved)
            displacement = moved @ cell
            farthest = np.sqrt(np.einsum("nd,nd->n", displacement, displacement).max())
            if 2 * farthest + self.reach * strain <= self.skin:
                return old @ cell + displacement, False
        positions = near_cell(positions, cell)
        self.i, self.j, self.shifts = self._search.compute(
            points=positions, box=cell, periodic=True, quantities="ijS"
        )
        inverse = np.linalg.inv(cell)
        self._made_at = (positions @ inverse, cell.copy(), inverse)
        return positions, True


def near_cell(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Images of atoms less than a cell outside of it, so that few lattice vectors lie between them.

    What is near already stays as it is, to the last digit.

    Parameters
    ----------
    positions
        In A, shape (n, 3).
    cell
        Lattice vectors as rows, in A, shape (3, 3).

    Returns
    -------
    np.ndarray
        In A, shape (n, 3).
    """
    cells = np.floor(positions @ np.linalg.inv(cell))
    cells[np.abs(cells) <= 1] = 0
    return positions - cells @ cell if cells.any() else positions


def undirected_pairs(
    positions: np.ndarray, cell: np.ndarray, cutoff_A: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs within a cutoff once, sorted by their first atom.

    Parameters
    ----------
    positions
        In A, shape (n, 3), wrapped or not.
    cell
        Lattice vectors as rows, in A, shape (3, 3). One smaller than the cutoff has a pair once for
        each image.
    cutoff_A
        Pairs closer than this are listed.

    Returns
    -------
    i, j, vectors
        Indices of the atoms, shape (p,), and r_j - r_i in A, shape (p, 3).

    Raises
    ------
    minset.evaluation.Unusable
        If the configuration has no neighbour list, or two atoms are at the same place.
    """
    require_usable(positions, cell)
    positions = near_cell(positions, cell)
    search = NeighborList(cutoff=cutoff_A, full_list=False, sorted=True, n_threads=1)
    i, j, vectors = search.compute(points=positions, box=cell, periodic=True, quantities="ijD")
    require_apart(np.sqrt(np.einsum("pd,pd->p", vectors, vectors)))
    return i.astype(np.int64), j.astype(np.int64), vectors


@njit(cache=True, nogil=True)
def sorted_rows(i, n):
    """Order that sorts pairs by their atom i (n atoms), and where each atom's pairs begin, (n + 1,)."""
    begin = np.zeros(n + 1, np.int64)
    for a in i:
        begin[a + 1] += 1
    begin = np.cumsum(begin)
    place, order = begin[:-1].copy(), np.empty(len(i), np.int64)
    for p in range(len(i)):
        order[place[i[p]]] = p
        place[i[p]] += 1
    return order, begin
