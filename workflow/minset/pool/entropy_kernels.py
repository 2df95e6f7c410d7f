"""Compiled loops of the effective dynamics of generator ``entropy``.

V = E_repulsive - K S (Karabin and Perez, 2020, eqs. 1 to 4), atoms in an orthorhombic cell whose edges
are at least twice the cutoff.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from minset.descriptor.bispectrum_kernels import add_gradient, adjoint, components, expand
from minset.descriptor.bispectrum_tables import Tables
from minset.model.schnet.kernels import OPTIONS

BOLTZMANN_EV_K = 8.617333262e-5
EV_PER_U_A2_PS2 = 1.0364269656e-4  # u (A/ps)^2 in eV


class Energy(NamedTuple):
    """What the effective energy depends on beside positions and K.

    Attributes
    ----------
    edges
        Of the cell, in A, shape (3,).
    species, contacts
        Number of each atom's species, shape (n,), and r0 in A of each pair of species.
    strength
        E0 in eV.
    weights
        Of the atoms as neighbours, shape (n,).
    cutoff
        Of the bispectrum, in A.
    scale
        Divides the components, shape (components,).
    epsilon
        Added to squared scaled distances, so that the logarithm is finite.
    tables
        Of the bispectrum.
    """

    edges: np.ndarray
    species: np.ndarray
    contacts: np.ndarray
    strength: float
    weights: np.ndarray
    cutoff: float
    scale: np.ndarray
    epsilon: float
    tables: Tables


class Work(NamedTuple):
    """Memory of `energy_and_forces`, see ``work_for``."""

    i: np.ndarray
    j: np.ndarray
    vectors: np.ndarray
    u: np.ndarray
    total: np.ndarray
    y: np.ndarray
    q: np.ndarray
    slopes: np.ndarray


def work_for(n: int, tables: Tables) -> Work:
    """Memory for n atoms."""
    pairs, elements = n * (n - 1) // 2, len(tables.parity)
    count = int(tables.terms[:, 0].max()) + 1
    return Work(
        np.empty(pairs, np.int64),
        np.empty(pairs, np.int64),
        np.empty((pairs, 3)),
        np.empty((pairs, elements), np.complex128),
        np.empty((n, elements), np.complex128),
        np.empty((n, elements), np.complex128),
        np.empty((n, count)),
        np.empty((n, count)),
    )


@njit(**OPTIONS)
def entropy(q, scale, epsilon, slopes):
    """S = 1/n sum_j ln(n dq_j), dq_j the distance to the nearest other atom, eqs. 2 and 3.

    Parameters
    ----------
    q
        Descriptors, shape (n, components).
    scale, epsilon
        As of `Energy`.
    slopes
        Result: dS/dq, shape (n, components).

    Returns
    -------
    float
        In nats.
    """
    n, count = q.shape
    total = 0.0
    slopes[:] = 0.0
    for atom in range(n):
        least, nearest = np.inf, -1
        for other in range(n):
            if other != atom:
                square = epsilon
                for c in range(count):
                    d = (q[atom, c] - q[other, c]) / scale[c]
                    square += d * d
                if square < least:
                    least, nearest = square, other
        total += 0.5 * math.log(least * n * n)
        for c in range(count):
            slope = (q[atom, c] - q[nearest, c]) / (scale[c] * scale[c] * least * n)
            slopes[atom, c] += slope
            slopes[nearest, c] -= slope
    return total / n


@njit(**OPTIONS)
def energy_and_forces(x, K, energy, work, forces):
    """V in eV and its forces in eV/A; S is left out, and not known, where K is negative.

    Parameters
    ----------
    x
        In A, shape (n, 3).
    K
        In eV.
    energy, work
        `Energy` and `Work`.
    forces
        Result, shape (n, 3).

    Returns
    -------
    energy_eV, entropy, closest
        And the smallest distance of two atoms, over their r0.
    """
    n, pairs, closest, repulsion = len(x), 0, np.inf, 0.0
    forces[:] = 0.0
    edges = energy.edges
    for a in range(n):
        for b in range(a + 1, n):
            dx, dy, dz = x[b, 0] - x[a, 0], x[b, 1] - x[a, 1], x[b, 2] - x[a, 2]
            dx -= edges[0] * np.rint(dx / edges[0])
            dy -= edges[1] * np.rint(dy / edges[1])
            dz -= edges[2] * np.rint(dz / edges[2])
            square = dx * dx + dy * dy + dz * dz
            r0 = energy.contacts[energy.species[a], energy.species[b]]
            if square < r0 * r0:
                # n = 8 and m = 4, cut at the minimum, where it is shifted to zero; i, j and j, i
                s4 = (r0 * r0 / square) ** 2
                repulsion += 2 * energy.strength * (s4 * s4 - 2 * s4 + 1)
                slope = 16 * energy.strength * (s4 - s4 * s4) / square
                forces[a, 0] += slope * dx
                forces[a, 1] += slope * dy
                forces[a, 2] += slope * dz
                forces[b, 0] -= slope * dx
                forces[b, 1] -= slope * dy
                forces[b, 2] -= slope * dz
                closest = min(closest, math.sqrt(square) / r0)
            if K >= 0 and square < energy.cutoff * energy.cutoff:
                work.i[pairs], work.j[pairs] = a, b
                work.vectors[pairs, 0] = dx
                work.vectors[pairs, 1] = dy
                work.vectors[pairs, 2] = dz
                pairs += 1
    if K < 0:
        return repulsion, np.nan, closest
    i, j, vectors, u = work.i[:pairs], work.j[:pairs], work.vectors[:pairs], work.u[:pairs]
    expand(i, j, vectors, energy.weights, energy.cutoff, energy.tables, u, work.total)
    components(work.total, energy.tables, work.q)
    S = entropy(work.q, energy.scale, energy.epsilon, work.slopes)
    if K > 0:
        adjoint(work.total, work.slopes, energy.tables, work.y)
        add_gradient(
            i, j, vectors, energy.weights, energy.cutoff, energy.tables, u, work.y, K, forces
        )
    return repulsion - K * S, S, closest


@njit(**OPTIONS)
def anneal(x, v, temperature, K, steps, timestep, friction, mass, rng, energy, work, forces):
    """Langevin dynamics (BAOAB) while temperature and K go linearly from one value to another.

    Parameters
    ----------
    x, v
        In A and A/ps, shape (n, 3); both change.
    temperature, K
        First and last value, in K and eV. With K zero throughout no descriptors are computed.
    steps, timestep
        Their number, and its length in ps.
    friction
        In 1/ps.
    mass
        Of each atom, in u.
    rng
        `numpy.random.Generator`.
    energy, work, forces
        As of `energy_and_forces`.
    """
    n = len(x)
    bare = K[0] == 0 and K[1] == 0
    m = mass * EV_PER_U_A2_PS2
    kept = math.exp(-friction * timestep)
    noise = math.sqrt((1 - kept * kept) * BOLTZMANN_EV_K / m)
    energy_and_forces(x, -1.0 if bare else K[0], energy, work, forces)
    for step in range(1, steps + 1):
        share = step / steps
        kick = noise * math.sqrt(temperature[0] + (temperature[1] - temperature[0]) * share)
        for a in range(n):
            for d in range(3):
                moved = v[a, d] + 0.5 * timestep * forces[a, d] / m
                x[a, d] += 0.5 * timestep * moved
                moved = kept * moved + kick * rng.standard_normal()
                x[a, d] += 0.5 * timestep * moved
                v[a, d] = moved
        now = -1.0 if bare else K[0] + (K[1] - K[0]) * share
        energy_and_forces(x, now, energy, work, forces)
        for a in range(n):
            for d in range(3):
                v[a, d] += 0.5 * timestep * forces[a, d] / m


@njit(**OPTIONS)
def push_apart(x, steps, longest, energy, work, forces):
    """Move atoms along the forces of the repulsion, each by at most ``longest`` A a step."""
    for _ in range(steps):
        energy_and_forces(x, -1.0, energy, work, forces)
        for a in range(len(x)):
            size = math.sqrt(forces[a, 0] ** 2 + forces[a, 1] ** 2 + forces[a, 2] ** 2)
            if size > 0:
                x[a] += forces[a] * min(0.01, longest / size)
