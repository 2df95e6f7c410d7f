"""Compiled loops of SchNet with tabulated filters, over rows of pairs and blocks of atoms.

Names follow Schuett et al. (2018): x atom features, v = in2f(x), m the convolution sum_j W(d_ij) v_j.
g_x is the derivative of the energy with respect to x. Every undirected pair is visited once, from
one of its ends. ``passes`` puts the loops together for MD, ``tabulated``
for training.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

# Not "nnan" and "ninf": broken dynamics must come out as NaN, to be seen.
FAST = {"contract", "reassoc", "nsz", "arcp", "afn"}
OPTIONS = {"fastmath": FAST, "error_model": "numpy", "cache": True, "nogil": True}
_ONE, _HALF, _LN2 = np.float32(1), np.float32(0.5), np.float32(0.6931471805599453)


class Near(NamedTuple):
    """Pairs within the cutoff, each once, and their place in the tables; p pairs, n atoms."""

    begin: np.ndarray  # (n,) where the pairs of an atom begin
    count: np.ndarray  # (n,) and how many there are
    j: np.ndarray  # (p,) their other ends
    segment: np.ndarray  # (p,)
    weights: np.ndarray  # (p, 4), see minset.model.schnet.tables.hermite_weights
    slopes: np.ndarray  # (p, 4)


@njit(inline="always", **OPTIONS)
def _exp_negative(y):
    """exp(y) for y <= 0 in float32, to 1e-7, in a form that compilers vectorise."""
    t = max(y, np.float32(-87.0)) * np.float32(1.4426950408889634)
    n = np.int32(t - _HALF)
    r = (t - np.float32(n)) * _LN2
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + _HALF
    p = p * r + _ONE
    p = p * r + _ONE
    return p * np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(inline="always", **OPTIONS)
def _shifted_softplus(z):
    """ln(1 + e^z) - ln 2 and its derivative, the logistic function, in float32."""
    e = _exp_negative(-abs(z))
    s = e / (np.float32(2) + e)
    q = s * s
    p = np.float32(1 / 15)
    p = p * q + np.float32(1 / 13)
    p = p * q + np.float32(1 / 11)
    p = p * q + np.float32(1 / 9)
    p = p * q + np.float32(1 / 7)
    p = p * q + np.float32(1 / 5)
    p = p * q + np.float32(1 / 3)
    p = p * q + _ONE
    r = _ONE / (_ONE + e)
    sigma = r if z > np.float32(0) else e * r
    return max(z, np.float32(0)) + np.float32(2) * s * p - _LN2, sigma


@njit(**OPTIONS)
def activate_ssp(z, bias, sigma):
    """z = ssp(z + bias) in place, and its derivative; shapes (n, features) and (features,)."""
    for a in range(z.shape[0]):
        for f in range(z.shape[1]):
            z[a, f], sigma[a, f] = _shifted_softplus(z[a, f] + bias[f])


@njit(**OPTIONS)
def activate_silu(z, bias, slope):
    """z = silu(z + bias) = (z + bias) sigma(z + bias) in place, and its derivative."""
    for a in range(z.shape[0]):
        for f in range(z.shape[1]):
            y = z[a, f] + bias[f]
            e = _exp_negative(-abs(y))
            r = _ONE / (_ONE + e)
            sigma = r if y > np.float32(0) else e * r
            z[a, f] = y * sigma
            slope[a, f] = sigma + y * sigma * (_ONE - sigma)


@njit(inline="always", **OPTIONS)
def _four(rows, p):
    return rows[p, 0], rows[p, 1], rows[p, 2], rows[p, 3]


@njit(**OPTIONS)
def convolve_rows(first, last, near, table, v, m):
    """Add sum_j W(d_ij) v_j to m for the pairs of atoms ``first`` to ``last`` - 1, at both ends."""
    filters = v.shape[1]
    for a in range(first, last):
        for p in range(near.begin[a], near.begin[a] + near.count[a]):
            b, k = near.j[p], near.segment[p]
            w0, w1, w2, w3 = _four(near.weights, p)
            for f in range(filters):
                w = w0 * table[k, 0, f] + w1 * table[k, 1, f]
                w += w2 * table[k + 1, 0, f] + w3 * table[k + 1, 1, f]
                m[a, f] += w * v[b, f]
                m[b, f] += w * v[a, f]


@njit(**OPTIONS)
def differentiate_rows(first, last, near, table, v, g_m, with_g_v, g_v, g_d):
    """Pass g_m = dE/dm on: to g_d = dE/dd of every pair and, if asked for, to g_v at both ends."""
    filters = v.shape[1]
    for a in range(first, last):
        for p in range(near.begin[a], near.begin[a] + near.count[a]):
            b, k = near.j[p], near.segment[p]
            w0, w1, w2, w3 = _four(near.weights, p)
            s0, s1, s2, s3 = _four(near.slopes, p)
            total = np.float32(0)
            if with_g_v:
                for f in range(filters):
                    t0, t1 = table[k, 0, f], table[k, 1, f]
                    t2, t3 = table[k + 1, 0, f], table[k + 1, 1, f]
                    w = w0 * t0 + w1 * t1 + w2 * t2 + w3 * t3
                    slope = s0 * t0 + s1 * t1 + s2 * t2 + s3 * t3
                    total += slope * (v[b, f] * g_m[a, f] + v[a, f] * g_m[b, f])
                    g_v[a, f] += w * g_m[b, f]
                    g_v[b, f] += w * g_m[a, f]
            else:
                for f in range(filters):
                    slope = s0 * table[k, 0, f] + s1 * table[k, 1, f]
                    slope += s2 * table[k + 1, 0, f] + s3 * table[k + 1, 1, f]
                    total += slope * (v[b, f] * g_m[a, f] + v[a, f] * g_m[b, f])
            g_d[p] += total


@njit(**OPTIONS)
def convolve_backward(near, table, v, g_m, g_table, g_v):
    """Derivatives of ``convolve_rows`` over all atoms: add to g_table and g_v."""
    filters = v.shape[1]
    for a in range(len(near.begin)):
        for p in range(near.begin[a], near.begin[a] + near.count[a]):
            b, k = near.j[p], near.segment[p]
            w0, w1, w2, w3 = _four(near.weights, p)
            for f in range(filters):
                w = w0 * table[k, 0, f] + w1 * table[k, 1, f]
                w += w2 * table[k + 1, 0, f] + w3 * table[k + 1, 1, f]
                q = v[b, f] * g_m[a, f] + v[a, f] * g_m[b, f]
                g_table[k, 0, f] += w0 * q
                g_table[k, 1, f] += w1 * q
                g_table[k + 1, 0, f] += w2 * q
                g_table[k + 1, 1, f] += w3 * q
                g_v[a, f] += w * g_m[b, f]
                g_v[b, f] += w * g_m[a, f]


@njit(**OPTIONS)
def pair_slopes(near, table, v, g_m, g_d):
    """g_d = sum over filters of W'(d) (v_j g_m,i + v_i g_m,j) for every pair."""
    filters = v.shape[1]
    for a in range(len(near.begin)):
        for p in range(near.begin[a], near.begin[a] + near.count[a]):
            b, k = near.j[p], near.segment[p]
            s0, s1, s2, s3 = _four(near.slopes, p)
            total = np.float32(0)
            for f in range(filters):
                slope = s0 * table[k, 0, f] + s1 * table[k, 1, f]
                slope += s2 * table[k + 1, 0, f] + s3 * table[k + 1, 1, f]
                total += slope * (v[b, f] * g_m[a, f] + v[a, f] * g_m[b, f])
            g_d[p] = total


@njit(**OPTIONS)
def pair_slopes_backward(near, table, v, g_m, g_d, g_table, g_v, g_g):
    """Derivatives of ``pair_slopes``, with g_d the gradient of its result: add to g_table, g_v, g_g."""
    filters = v.shape[1]
    for a in range(len(near.begin)):
        for p in range(near.begin[a], near.begin[a] + near.count[a]):
            b, k, g = near.j[p], near.segment[p], g_d[p]
            s0, s1, s2, s3 = _four(near.slopes, p)
            s0, s1, s2, s3 = g * s0, g * s1, g * s2, g * s3
            for f in range(filters):
                slope = s0 * table[k, 0, f] + s1 * table[k, 1, f]
                slope += s2 * table[k + 1, 0, f] + s3 * table[k + 1, 1, f]
                q = v[b, f] * g_m[a, f] + v[a, f] * g_m[b, f]
                g_table[k, 0, f] += s0 * q
                g_table[k, 1, f] += s1 * q
                g_table[k + 1, 0, f] += s2 * q
                g_table[k + 1, 1, f] += s3 * q
                g_v[a, f] += slope * g_m[b, f]
                g_v[b, f] += slope * g_m[a, f]
                g_g[a, f] += slope * v[b, f]
                g_g[b, f] += slope * v[a, f]


@njit(**OPTIONS)
def update_atoms(m, out1, bias1, out2, bias2, x, sigma):
    """x += f2out(m), for one block of atoms."""
    h = np.dot(m, out1)
    activate_ssp(h, bias1, sigma)
    update = np.dot(h, out2)
    for a in range(x.shape[0]):
        for f in range(x.shape[1]):
            x[a, f] += update[a, f] + bias2[f]


@njit(**OPTIONS)
def read_atoms(weights, biases, x, energies, g_x):
    """Energies and their gradient for one block of atoms."""
    widest = 0
    for w in weights:
        widest = max(widest, w.shape[1])
    last = len(weights) - 1
    slopes = np.empty((last + 1, len(x), widest), np.float32)
    h = x
    for layer in range(last):
        h = np.dot(h, weights[layer])
        activate_silu(h, biases[layer], slopes[layer])
    g = np.empty_like(h)
    for a in range(len(x)):
        total = np.float64(biases[last][0])
        for f in range(h.shape[1]):
            total += h[a, f] * weights[last][f, 0]
            g[a, f] = weights[last][f, 0]
        energies[a] = total
    for layer in range(last - 1, -1, -1):
        scale(g, slopes[layer])
        g = np.dot(g, weights[layer].T)
    g_x[:] = g


@njit(**OPTIONS)
def scale(g, sigma):
    """g *= sigma, for one block of atoms."""
    for a in range(g.shape[0]):
        for f in range(g.shape[1]):
            g[a, f] *= sigma[a, f]
