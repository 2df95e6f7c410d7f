"""Tables of bispectrum components: which products of expansion coefficients make each of them.

Thompson, Swiler, Trott, Foiles and Tucker, J. Comput. Phys. 285, 316 (2015), in the order and with the
phases of LAMMPS's ``compute sna/atom``. Indices j are twice the angular momenta: all are integers.
"""

import functools
import math
from collections import Counter
from typing import NamedTuple

import numpy as np


class Tables(NamedTuple):
    """What the compiled loops need of a choice of components.

    Attributes
    ----------
    starts
        Where the matrix u_j, of (j + 1)^2, begins among all elements, shape (twojmax + 1,).
    roots
        Of the recursion: sqrt(p / q), shape (twojmax + 2, twojmax + 2).
    parity
        (-1)^(m + m') of each matrix element, shape (elements,).
    transposed
        Where the element (m', m) stands that belongs to (m, m'), shape (elements,).
    terms
        Of the components: component, and the places of the three factors, shape (terms, 4).
    weights
        Of the terms, shape (terms,).
    """

    starts: np.ndarray
    roots: np.ndarray
    parity: np.ndarray
    transposed: np.ndarray
    terms: np.ndarray
    weights: np.ndarray


def names(twojmax: int) -> list[tuple[int, int, int]]:
    """The indices (j1, j2, j), all doubled, of all components, as LAMMPS orders them."""
    return [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(j1 - j2, min(twojmax, j1 + j2) + 1, 2)
        if j >= j1
    ]


@functools.cache
def tables_of(twojmax: int, components: int) -> Tables:
    """Tables of the first components.

    Raises
    ------
    ValueError
        If there are fewer.
    """
    triples = names(twojmax)
    if components > len(triples):
        raise ValueError(
            f"there are {len(triples)} bispectrum components with twojmax {twojmax}, not {components}"
        )
    sizes = np.arange(1, twojmax + 2) ** 2
    starts = np.cumsum(sizes) - sizes
    roots = np.zeros((twojmax + 2, twojmax + 2))
    for p in range(1, twojmax + 2):
        roots[p, 1:] = np.sqrt(p / np.arange(1, twojmax + 2))
    row, column = (np.concatenate(x) for x in zip(*map(_rows_columns, sizes), strict=True))
    first = np.repeat(starts, sizes)
    width = np.repeat(np.arange(1, twojmax + 2), sizes)
    found = _terms(triples[:components], starts)
    return Tables(
        starts,
        roots,
        np.where((row + column) % 2, -1.0, 1.0),
        first + column * width + row,
        np.array(list(found), np.int64),
        np.array(list(found.values())),
    )


def _rows_columns(size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.divmod(np.arange(size), math.isqrt(size))


def _terms(triples: list[tuple[int, int, int]], starts: np.ndarray) -> Counter:
    """Weights of the terms Re(conj(U_j) U_j1 U_j2) by component and places of the factors.

    Equal terms are one: factors that change places, and mirrored ones, (-m, -m') for (m, m').
    """
    found = Counter()
    for component, (j1, j2, j) in enumerate(triples):
        size = (j + 1) ** 2
        for place in range(size):
            m, n = divmod(place, j + 1)
            if place > size - 1 - place:
                continue
            twice = 1 if 2 * place == size - 1 else 2
            for m1, m2, c in _couplings(j1, j2, j, m):
                for n1, n2, d in _couplings(j1, j2, j, n):
                    others = sorted(
                        (
                            int(starts[j1]) + m1 * (j1 + 1) + n1,
                            int(starts[j2]) + m2 * (j2 + 1) + n2,
                        )
                    )
                    found[component, int(starts[j]) + place, *others] += twice * c * d
    return found


def _couplings(j1: int, j2: int, j: int, m: int) -> list[tuple[int, int, float]]:
    """Pairs m1, m2 that make m, with their Clebsch-Gordan coefficients where these are not zero."""
    pairs = []
    for m1 in range(j1 + 1):
        m2 = m - m1 + (j1 + j2 - j) // 2
        if 0 <= m2 <= j2 and (c := clebsch_gordan(j1, j2, j, m1, m2)):
            pairs.append((m1, m2, c))
    return pairs


def clebsch_gordan(j1: int, j2: int, j: int, m1: int, m2: int) -> float:
    """Clebsch-Gordan coefficient; the j are doubled, the m count from 0 at the lowest."""
    a, b = 2 * m1 - j1, 2 * m2 - j2
    c = a + b
    fac = math.factorial
    first = max(0, -(j - j2 + a) // 2, -(j - j1 - b) // 2)
    last = min((j1 + j2 - j) // 2, (j1 - a) // 2, (j2 + b) // 2)
    total = sum(
        (-1) ** z
        / (
            fac(z)
            * fac((j1 + j2 - j) // 2 - z)
            * fac((j1 - a) // 2 - z)
            * fac((j2 + b) // 2 - z)
            * fac((j - j2 + a) // 2 + z)
            * fac((j - j1 - b) // 2 + z)
        )
        for z in range(first, last + 1)
    )
    triangle = (
        fac((j1 + j2 - j) // 2)
        * fac((j1 - j2 + j) // 2)
        * fac((j2 - j1 + j) // 2)
        / fac((j1 + j2 + j) // 2 + 1)
    )
    spins = math.prod(fac((k + s) // 2) * fac((k - s) // 2) for k, s in ((j1, a), (j2, b), (j, c)))
    return total * math.sqrt(triangle * spins * (j + 1))
