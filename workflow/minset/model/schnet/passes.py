"""Passes over all atoms and pairs that make a force call, in parallel.

Pairs are worked on in ``chunks`` and atoms in ``rows``, both ranges of atoms. Each chunk of pairs has its
own accumulators, so that threads never meet.
"""

from typing import NamedTuple

import numba
import numpy as np
import scipy.linalg.cython_blas  # where numba finds matrix products  # noqa: F401
from numba import njit, prange
from threadpoolctl import threadpool_limits

from minset.model.schnet.kernels import (
    OPTIONS,
    convolve_rows,
    differentiate_rows,
    read_atoms,
    scale,
    update_atoms,
)


class Listed(NamedTuple):
    """Pairs of a neighbour list, each once, at the earlier of its atoms."""

    begin: np.ndarray  # (n + 1,) pairs of atom i are begin[i] : begin[i + 1]
    j: np.ndarray  # (p,)
    shift: np.ndarray  # (p,) number of the lattice vector to add to atom j


class Layers(NamedTuple):
    """Weights of the L interactions of a SchNet, as in x @ in2f."""

    tables: np.ndarray  # (L, segments + 1, 2, filters), see minset.model.schnet.tables.filter_table
    in2f: np.ndarray  # (L, F, filters)
    out1: np.ndarray  # (L, filters, F)
    bias1: np.ndarray  # (L, F)
    out2: np.ndarray  # (L, F, F)
    bias2: np.ndarray  # (L, F)


def use_threads(threads: int) -> None:
    """Threads of the compiled loops; the matrix products inside them take no threads of their own."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    threadpool_limits(1, user_api="blas")
    _find_blas(np.zeros((1, 1), np.float32))


@njit(**OPTIONS)
def _find_blas(a):
    """Numba looks the matrix products up at the first call, which must not be in a thread."""
    return np.dot(a, a)


@njit(inline="always", **OPTIONS)
def _set_four(rows, p, a, b, c, d):
    rows[p, 0], rows[p, 1], rows[p, 2], rows[p, 3] = a, b, c, d


@njit(**OPTIONS)
def _find_rows(
    first, last, listed, shifts, x, species, cutoff, segments, repulsion, near, vector, distance,
    g_d_repulsion, energies, shortest,
):  # fmt: skip
    h = cutoff / segments
    repel = repulsion.shape[2] > 0
    shortest[:] = np.inf
    energies[:] = 0.0
    for a in range(first, last):
        p = near.begin[a]
        for q in range(listed.begin[a], listed.begin[a + 1]):
            b, s = listed.j[q], listed.shift[q]
            dx = x[b, 0] - x[a, 0] + shifts[s, 0]
            dy = x[b, 1] - x[a, 1] + shifts[s, 1]
            dz = x[b, 2] - x[a, 2] + shifts[s, 2]
            squared = dx * dx + dy * dy + dz * dz
            if not squared < cutoff * cutoff:
                continue
            d = np.sqrt(squared)
            k = min(int(d / h), segments - 1)
            u = d / h - k  # as in minset.model.schnet.tables.hermite_weights
            w0, w1 = (1 + 2 * u) * (1 - u) ** 2, h * u * (1 - u) ** 2
            w2, w3 = u * u * (3 - 2 * u), h * u * u * (u - 1)
            s0, s1 = 6 * u * (u - 1) / h, (3 * u - 1) * (u - 1)
            s2, s3 = -s0, u * (3 * u - 2)
            _set_four(near.weights, p, w0, w1, w2, w3)
            _set_four(near.slopes, p, s0, s1, s2, s3)
            vector[p, 0], vector[p, 1], vector[p, 2] = dx, dy, dz
            distance[p], near.j[p], near.segment[p] = d, b, k
            sa, sb = species[a], species[b]
            shortest[sa, sb] = min(shortest[sa, sb], d)
            if repel:
                t0, t1 = repulsion[sa, sb, k, 0], repulsion[sa, sb, k, 1]
                t2, t3 = repulsion[sa, sb, k + 1, 0], repulsion[sa, sb, k + 1, 1]
                u_d = (w0 * t0 + w1 * t1 + w2 * t2 + w3 * t3) / d
                g_d_repulsion[p] = (s0 * t0 + s1 * t1 + s2 * t2 + s3 * t3 - u_d) / d
                energies[a] += 0.5 * u_d
                energies[b] += 0.5 * u_d
            else:
                g_d_repulsion[p] = 0.0
            p += 1
        near.count[a] = p - near.begin[a]


@njit(parallel=True, **OPTIONS)
def find_pairs(
    chunks, listed, shifts, x, species, cutoff, segments, repulsion, near, vector, distance,
    g_d_repulsion, energies, shortest,
):  # fmt: skip
    """Listed pairs inside the cutoff, with their place in the tables and their repulsion.

    Parameters
    ----------
    chunks
        Borders of the chunks, shape (c + 1,).
    listed, shifts
        ``Listed``, and the lattice vectors that it numbers, in A, shape (s, 3).
    x, species
        Positions in A, shape (n, 3), and species numbers, shape (n,).
    cutoff, segments
        In A; intervals of the tables.
    repulsion
        Of ``minset.model.repulsion.repulsion_tables``, shape (S, S, segments + 1, 2), or with no rows.
    near, vector, distance
        Filled: the pairs inside the cutoff, their r_j - r_i (p, 3) and distance (p,) in A.
    g_d_repulsion
        Filled: dU/dd of the repulsion in eV/A, shape (p,).
    energies
        Filled: repulsion per atom in eV, half of each pair's, shape (c, n).
    shortest
        Filled: shortest distance between species in A, shape (c, S, S).
    """
    for c in prange(len(chunks) - 1):
        _find_rows(
            chunks[c], chunks[c + 1], listed, shifts, x, species, cutoff, segments, repulsion, near,
            vector, distance, g_d_repulsion, energies[c], shortest[c],
        )  # fmt: skip


@njit(**OPTIONS)
def _summed(chunks, parts, one, end):
    """Sum of the chunks' accumulators for the atoms ``one`` to ``end`` - 1."""
    total = np.zeros((end - one, parts.shape[2]), np.float32)
    for c in range(len(chunks) - 1):
        # pairs of a chunk end at its own atoms and later ones
        for a in range(max(chunks[c], one), end):
            for f in range(parts.shape[2]):
                total[a - one, f] += parts[c, a, f]
    return total


@njit(parallel=True, **OPTIONS)
def forward(chunks, rows, near, layers, x, v, parts, sigma):
    """Atom features after all interactions.

    Parameters
    ----------
    chunks, rows
        Borders of the ranges of atoms in which pairs (chunks) and atoms (rows) are worked on.
    near, layers
        ``minset.model.schnet.kernels.Near`` and ``Layers``.
    x, v
        Features of the species (n, F) and v of the first interaction, v[0]; filled: x after all
        interactions, v (L, n, filters).
    parts
        Accumulators, shape (c, n, filters).
    sigma
        Filled: derivative of the activation inside f2out, shape (L, n, F).
    """
    n_layers = len(layers.tables)
    for k in range(n_layers):
        for c in prange(len(chunks) - 1):
            parts[c, chunks[c] :] = 0
            convolve_rows(chunks[c], chunks[c + 1], near, layers.tables[k], v[k], parts[c])
        for r in prange(len(rows) - 1):
            one, end = rows[r], rows[r + 1]
            m = _summed(chunks, parts, one, end)
            update_atoms(
                m, layers.out1[k], layers.bias1[k], layers.out2[k], layers.bias2[k], x[one:end],
                sigma[k, one:end],
            )  # fmt: skip
            if k + 1 < n_layers:
                np.dot(x[one:end], layers.in2f[k + 1], v[k + 1, one:end])


@njit(parallel=True, **OPTIONS)
def readout(rows, weights, biases, x, energies, g_x):
    """Energies per atom (n,) from features (n, F), and their gradient g_x (n, F).

    ``weights`` and ``biases`` are tuples, one entry per layer of the output network; the last has
    one column.
    """
    for r in prange(len(rows) - 1):
        one, end = rows[r], rows[r + 1]
        read_atoms(weights, biases, x[one:end], energies[one:end], g_x[one:end])


@njit(parallel=True, **OPTIONS)
def backward(chunks, rows, near, layers, v, sigma, g_x, g_m, parts, g_d):
    """Derivative of the energy with respect to the distance of each pair, g_d in eV/A.

    ``g_x`` is the gradient of the readout; ``g_m`` (n, filters) is a buffer; the rest as in
    ``forward``.
    """
    n_layers = len(layers.tables)
    g_d[:] = 0
    for k in range(n_layers - 1, -1, -1):
        for r in prange(len(rows) - 1):
            one, end = rows[r], rows[r + 1]
            if k + 1 < n_layers:
                g_x[one:end] += np.dot(_summed(chunks, parts, one, end), layers.in2f[k + 1].T)
            g_h = np.dot(g_x[one:end], layers.out2[k].T)
            scale(g_h, sigma[k, one:end])
            np.dot(g_h, layers.out1[k].T, g_m[one:end])
        for c in prange(len(chunks) - 1):
            if k > 0:
                parts[c, chunks[c] :] = 0
            differentiate_rows(
                chunks[c], chunks[c + 1], near, layers.tables[k], v[k], g_m, k > 0, parts[c], g_d
            )


@njit(**OPTIONS)
def _forces_of_rows(first, last, near, vector, distance, g_d, g_d_repulsion, forces, virial):
    forces[:] = 0.0
    virial[:] = 0.0
    for a in range(first, last):
        for p in range(near.begin[a], near.begin[a] + near.count[a]):
            b = near.j[p]
            scale = (g_d[p] + g_d_repulsion[p]) / distance[p]
            for d in range(3):
                g = scale * vector[p, d]
                forces[a, d] += g
                forces[b, d] -= g
                for e in range(3):
                    virial[e, d] += vector[p, e] * g


@njit(parallel=True, **OPTIONS)
def pair_forces(chunks, near, vector, distance, g_d, g_d_repulsion, forces, virial):
    """Forces (c, n, 3) in eV/A and virials (c, 3, 3) in eV from dE/dd of the pairs, in float64."""
    for c in prange(len(chunks) - 1):
        _forces_of_rows(
            chunks[c], chunks[c + 1], near, vector, distance, g_d, g_d_repulsion, forces[c], virial[c]
        )  # fmt: skip
