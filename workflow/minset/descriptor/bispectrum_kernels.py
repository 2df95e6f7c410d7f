"""Compiled loops of bispectrum components and of their gradients.

Notation of Thompson et al., J. Comput. Phys. 285, 316 (2015): a neighbour at r is a rotation of the
3-sphere with the Cayley-Klein parameters a and b; u_j are its matrices, U the sum over the neighbours,
each with its weight times the cutoff function, and the atom itself, whose matrices are unity.
"""

import math

import numpy as np
from numba import njit

from minset.model.schnet.kernels import OPTIONS

RFAC0 = 0.99363  # share of the half circle that the cutoff is mapped to; LAMMPS's SNAPs have it


@njit(inline="always", **OPTIONS)
def cutoff_function(r, cutoff):
    """Value and slope of the cosine that ends at the cutoff."""
    x = math.pi * r / cutoff
    return 0.5 * (math.cos(x) + 1.0), -0.5 * math.pi / cutoff * math.sin(x)


@njit(**OPTIONS)
def rotation(x, y, z, r, cutoff, tables, u):
    """Matrices u of a neighbour at (x, y, z), all elements in one row."""
    starts, roots, parity = tables.starts, tables.roots, tables.parity
    angle = r * RFAC0 * math.pi / cutoff
    s, c = math.sin(angle) / r, math.cos(angle)
    a_conj = complex(c, s * z)
    b_conj = complex(s * y, s * x)
    u[0] = 1.0
    for j in range(1, len(starts)):
        for m in range(j // 2 + 1):
            own, before = starts[j] + m * (j + 1), starts[j - 1] + m * j
            u[own] = 0.0
            for n in range(j):
                u[own + n] += roots[j - n, j - m] * a_conj * u[before + n]
                u[own + n + 1] = -roots[n + 1, j - m] * b_conj * u[before + n]
        first, last = starts[j], starts[j] + (j + 1) ** 2 - 1
        for k in range((j + 1) ** 2 // 2):
            u[last - k] = parity[first + k] * u[first + k].conjugate()


@njit(**OPTIONS)
def expand(i, j, vectors, weights, cutoff, tables, u, total):
    """Matrices u of each pair, and their sums U over the neighbours of each atom.

    Parameters
    ----------
    i, j, vectors
        Pairs, each once: indices, shape (p,), and r_j - r_i in A, shape (p, 3).
    weights
        Of the atoms as neighbours, shape (n,).
    cutoff
        In A.
    tables
        `minset.descriptor.bispectrum_tables.Tables`.
    u, total
        Results, complex, shapes (p, elements) and (n, elements).
    """
    total[:] = 0.0
    for twoj in range(len(tables.starts)):
        for m in range(twoj + 1):
            total[:, tables.starts[twoj] + m * (twoj + 2)] = 1.0
    transposed = tables.transposed
    for p in range(len(i)):
        x, y, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
        r = math.sqrt(x * x + y * y + z * z)
        rotation(x, y, z, r, cutoff, tables, u[p])
        fade = cutoff_function(r, cutoff)[0]
        to_i, to_j = fade * weights[j[p]], fade * weights[i[p]]
        for k in range(u.shape[1]):
            total[i[p], k] += to_i * u[p, k]
            total[j[p], k] += to_j * u[p, transposed[k]].conjugate()


@njit(**OPTIONS)
def components(total, tables, out):
    """Bispectrum components of each atom, shape (n, components), from the sums U."""
    terms, weights = tables.terms, tables.weights
    out[:] = 0.0
    for atom in range(len(total)):
        row = total[atom]
        for t in range(len(terms)):
            product = row[terms[t, 1]].conjugate() * row[terms[t, 2]] * row[terms[t, 3]]
            out[atom, terms[t, 0]] += weights[t] * product.real


@njit(**OPTIONS)
def adjoint(total, slopes, tables, y):
    """Derivative of a function of the components by U: its change is Re(y dU), summed.

    Parameters
    ----------
    total
        U, shape (n, elements).
    slopes
        Derivatives of the function by the components, shape (n, components).
    y
        Result, shape (n, elements).
    """
    terms, weights = tables.terms, tables.weights
    y[:] = 0.0
    for atom in range(len(total)):
        row = total[atom]
        for t in range(len(terms)):
            w = weights[t] * slopes[atom, terms[t, 0]]
            a, b, c = row[terms[t, 1]], row[terms[t, 2]], row[terms[t, 3]]
            y[atom, terms[t, 1]] += w * (b * c).conjugate()
            y[atom, terms[t, 2]] += w * a.conjugate() * c
            y[atom, terms[t, 3]] += w * a.conjugate() * b


@njit(**OPTIONS)
def add_gradient(i, j, vectors, weights, cutoff, tables, u, y, factor, out):
    """Add the gradient by positions, times a factor, of the function whose adjoint is y.

    Parameters
    ----------
    i, j, vectors, weights, cutoff, tables, u
        As of `expand`.
    y
        As of `adjoint`.
    factor
        Of the gradient.
    out
        In 1/A, shape (n, 3).
    """
    transposed = tables.transposed
    own = np.empty(u.shape[1], np.complex128)
    for p in range(len(i)):
        x, y_, z = vectors[p, 0], vectors[p, 1], vectors[p, 2]
        r = math.sqrt(x * x + y_ * y_ + z * z)
        whole = 0.0
        for k in range(len(own)):
            own[k] = weights[j[p]] * y[i[p], k] + weights[i[p]] * y[j[p], transposed[k]].conjugate()
            whole += (own[k] * u[p, k]).real
        angle_slope = RFAC0 * math.pi / cutoff
        s, c = math.sin(angle_slope * r), math.cos(angle_slope * r)
        x, y_, z = x / r, y_ / r, z / r
        by_a, by_b = _backwards(complex(c, s * z), complex(s * y_, s * x), tables, u[p], own)
        # conj(a) = cos + i sin z, conj(b) = sin y + i sin x of the unit vector (x, y, z)
        across = by_b.real * y_ - by_b.imag * x - by_a.imag * z
        fade, fade_slope = cutoff_function(r, cutoff)
        along = fade * (angle_slope * (c * across - s * by_a.real) - s / r * across)
        along += fade_slope * whole
        s *= fade / r
        gradient = (
            factor * (along * x - s * by_b.imag),
            factor * (along * y_ + s * by_b.real),
            factor * (along * z - s * by_a.imag),
        )
        for d in range(3):
            out[j[p], d] += gradient[d]
            out[i[p], d] -= gradient[d]


@njit(**OPTIONS)
def _backwards(a_conj, b_conj, tables, u, y):
    """Through the recursion of `rotation`: derivatives by conj(a) and conj(b); y is used up.

    The change of the function is Re(by_a d conj(a) + by_b d conj(b)).
    """
    starts, roots, parity = tables.starts, tables.roots, tables.parity
    by_a, by_b = 0j, 0j
    for j in range(len(starts) - 1, 0, -1):
        first, last = starts[j], starts[j] + (j + 1) ** 2 - 1
        # elements that were written as mirror images give what they got to their sources
        for k in range((j + 1) ** 2 // 2):
            y[first + k] += parity[first + k] * y[last - k].conjugate()
        for m in range(j // 2 + 1):
            own, before = first + m * (j + 1), starts[j - 1] + m * j
            for n in range(j):
                # in a middle row the second half are mirror images
                to_a = roots[j - n, j - m] * y[own + n] if 2 * m < j or 2 * n <= j else 0j
                to_b = -roots[n + 1, j - m] * y[own + n + 1] if 2 * m < j or 2 * n + 2 <= j else 0j
                by_a += to_a * u[before + n]
                by_b += to_b * u[before + n]
                y[before + n] += to_a * a_conj + to_b * b_conj
    return by_a, by_b
