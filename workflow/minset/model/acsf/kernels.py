"""Compiled loops of atom-centred symmetry functions and atomic networks, one central atom at a time.

A central atom is finished before the next begins: its neighbours, its triples (each once), its
network, and back to the forces with what the triples left in the processor's cache. Symmetry functions
are looked up in tables (``minset.model.acsf.tables``); of a triple they are products R_u C_v of a
function of the two distances and one of the cosine of the angle between them.
"""

import math

import numpy as np
from numba import njit

# Not "nnan" and "ninf": broken dynamics must come out as NaN, to be seen.
FAST = {"contract", "reassoc", "nsz", "arcp", "afn"}
OPTIONS = {"fastmath": FAST, "error_model": "numpy", "cache": True, "nogil": True}


@njit(**OPTIONS)
def _look_up(table, u, columns, rows, t):
    """Columns of a table at u segments in rows[t, 0], and their derivatives by u in rows[t, 1].

    Rows are written in place, not into slices, which count their references.
    """
    k = min(int(u), table.shape[0] - 1)
    f = u - k
    for q in range(columns):
        c1, c2, c3 = table[k, 1, q], table[k, 2, q], table[k, 3, q]
        rows[t, 0, q] = table[k, 0, q] + f * (c1 + f * (c2 + f * c3))
        rows[t, 1, q] = c1 + f * (2 * c2 + f * (3 * c3))


@njit(**OPTIONS)
def _network(network, s, scratch):
    """Energy of an atom of species s in eV, and its gradient by the symmetry functions."""
    h, rise, widths = scratch.hidden, scratch.rise, network.widths
    last = len(network.weights)
    for f in range(widths[0]):
        h[0, f] = scratch.functions[f]
    for k in range(last):
        w, b = network.weights[k, s], network.biases[k, s]
        for o in range(widths[k + 1]):
            h[k + 1, o] = b[o]
        for f in range(widths[k]):
            x = h[k, f]
            for o in range(widths[k + 1]):
                h[k + 1, o] += x * w[f, o]
        if k + 1 < last:
            for o in range(widths[k + 1]):  # GELU
                y = h[k + 1, o]
                below = 0.5 * (1 + math.erf(y * 0.7071067811865476))
                rise[k + 1, o] = below + y * 0.3989422804014327 * math.exp(-0.5 * y * y)
                h[k + 1, o] = y * below
    energy = h[last, 0]
    h[last, 0] = 1.0
    for k in range(last - 1, -1, -1):
        w = network.weights[k, s]
        for f in range(widths[k]):
            total = 0.0
            for o in range(widths[k + 1]):
                total += w[f, o] * h[k + 1, o]
            h[k, f] = total * rise[k, f] if k else total
    for f in range(widths[0]):
        scratch.gradient[f] = h[0, f]
    return energy + network.offsets[s]


@njit(**OPTIONS)
def _neighbours(i, listed, x, species, tables, sizes, scratch):
    """Neighbours of an atom, their radial functions; how many, and how many are in triples."""
    count, inner, n_radial, n_near = 0, 0, len(sizes.radial), tables.near.shape[2]
    cutoff, cutoff_inner = tables.cutoffs[0], tables.cutoffs[1]
    per_A = tables.radial.shape[0] / cutoff
    per_A_inner = tables.near.shape[0] / cutoff_inner
    radial, near = scratch.radial_of, scratch.near
    functions = scratch.functions
    functions[:] = 0.0
    for p in range(listed.begin[i], listed.begin[i + 1]):
        j = listed.j[p]
        dx = x[j, 0] - x[i, 0] + listed.shift[p, 0]
        dy = x[j, 1] - x[i, 1] + listed.shift[p, 1]
        dz = x[j, 2] - x[i, 2] + listed.shift[p, 2]
        squared = dx * dx + dy * dy + dz * dz
        if not squared < cutoff * cutoff:
            continue
        d, s = np.sqrt(squared), species[j]
        scratch.j[count], scratch.species[count], scratch.distance[count] = j, s, d
        scratch.unit[count, 0], scratch.unit[count, 1] = dx / d, dy / d
        scratch.unit[count, 2] = dz / d
        _look_up(tables.radial, d * per_A, n_radial, radial, count)
        for q in range(n_radial):
            functions[s * n_radial + q] += radial[count, 0, q]
            radial[count, 1, q] *= per_A
        if d < cutoff_inner:
            _look_up(tables.near, d * per_A_inner, n_near, near, inner)
            for q in range(n_near):
                near[inner, 1, q] *= per_A_inner
            scratch.inner[inner] = count
            inner += 1
        count += 1
    return count, inner


@njit(**OPTIONS)
def _triples(inner, tables, sizes, scratch):
    """Functions of all triples of an atom, added to those of pairs; their factors stay in scratch."""
    n_mean, n_angle, ani = len(sizes.mean), len(sizes.angle), tables.mean.shape[2] > 0
    first = tables.blocks.shape[0] * len(sizes.radial)
    per_cosine = 0.5 * tables.angle.shape[0]
    per_A = tables.near.shape[0] / tables.cutoffs[1]
    near, radial, angle = scratch.near, scratch.radial, scratch.angle
    unit, functions, t = scratch.unit, scratch.functions, 0
    for a in range(1, inner):
        x = scratch.inner[a]
        ux, uy, uz, d, s = (
            unit[x, 0],
            unit[x, 1],
            unit[x, 2],
            scratch.distance[x],
            scratch.species[x],
        )
        for b in range(a):
            y = scratch.inner[b]
            c = ux * unit[y, 0] + uy * unit[y, 1] + uz * unit[y, 2]
            scratch.cosine[t] = c
            place = min(max((c + 1) * per_cosine, 0.0), 2 * per_cosine)
            _look_up(tables.angle, place, n_angle, angle, t)
            if ani:
                _look_up(tables.mean, 0.5 * per_A * (d + scratch.distance[y]), n_mean, radial, t)
                both = near[a, 0, 0] * near[b, 0, 0]
                by_a, by_b = near[a, 1, 0] * near[b, 0, 0], near[a, 0, 0] * near[b, 1, 0]
                half = 0.5 * per_A * both
                for u in range(n_mean):
                    value, slope = radial[t, 0, u], half * radial[t, 1, u]
                    radial[t, 0, u] = both * value
                    radial[t, 1, u] = by_a * value + slope
                    radial[t, 2, u] = by_b * value + slope
            else:
                for u in range(n_mean):
                    radial[t, 0, u] = near[a, 0, u] * near[b, 0, u]
                    radial[t, 1, u] = near[a, 1, u] * near[b, 0, u]
                    radial[t, 2, u] = near[a, 0, u] * near[b, 1, u]
            begin = first + tables.blocks[s, scratch.species[y]] * n_mean * n_angle
            for u in range(n_mean):
                for v in range(n_angle):
                    functions[begin + u * n_angle + v] += radial[t, 0, u] * angle[t, 0, v]
            t += 1


@njit(**OPTIONS)
def _pull_triples(inner, tables, sizes, scratch):
    """Derivatives of the energy by the neighbours' vectors, from its gradient by the functions."""
    per_cosine = 0.5 * tables.angle.shape[0]
    n_mean, n_angle = len(sizes.mean), len(sizes.angle)
    first = tables.blocks.shape[0] * len(sizes.radial)
    radial, angle = scratch.radial, scratch.angle
    g, t = scratch.gradient, 0
    for a in range(1, inner):
        x = scratch.inner[a]
        ux, uy, uz = scratch.unit[x, 0], scratch.unit[x, 1], scratch.unit[x, 2]
        per_x, s = 1 / scratch.distance[x], scratch.species[x]
        along, px, py, pz = 0.0, 0.0, 0.0, 0.0
        for b in range(a):
            y = scratch.inner[b]
            c = scratch.cosine[t]
            begin = first + tables.blocks[s, scratch.species[y]] * n_mean * n_angle
            by_x, by_y, by_c = 0.0, 0.0, 0.0
            for u in range(n_mean):
                of_value, of_slope = 0.0, 0.0
                for v in range(n_angle):
                    of_value += g[begin + u * n_angle + v] * angle[t, 0, v]
                    of_slope += g[begin + u * n_angle + v] * angle[t, 1, v]
                by_x += radial[t, 1, u] * of_value
                by_y += radial[t, 2, u] * of_value
                by_c += radial[t, 0, u] * of_slope
            by_c *= per_cosine
            turn_x, turn_y = by_c * per_x, by_c / scratch.distance[y]
            along += by_x - turn_x * c
            vx, vy, vz = scratch.unit[y, 0], scratch.unit[y, 1], scratch.unit[y, 2]
            px += turn_x * vx
            py += turn_x * vy
            pz += turn_x * vz
            by_y -= turn_y * c
            scratch.pull[y, 0] += by_y * vx + turn_y * ux
            scratch.pull[y, 1] += by_y * vy + turn_y * uy
            scratch.pull[y, 2] += by_y * vz + turn_y * uz
            t += 1
        scratch.pull[x, 0] += px + along * ux
        scratch.pull[x, 1] += py + along * uy
        scratch.pull[x, 2] += pz + along * uz


@njit(**OPTIONS)
def _atom(i, listed, x, species, tables, sizes, network, scratch, forces, virial, shortest):
    """Energy of an atom in eV; adds to forces and virial what it does to itself and others."""
    count, inner = _neighbours(i, listed, x, species, tables, sizes, scratch)
    own, n_radial = species[i], len(sizes.radial)
    _triples(inner, tables, sizes, scratch)
    energy = _network(network, own, scratch)
    repel = tables.repulsion.shape[2] > 0
    per_A = tables.repulsion.shape[2] / tables.cutoffs[0]
    g = scratch.gradient
    for m in range(count):
        s, d = scratch.species[m], scratch.distance[m]
        shortest[own, s] = min(shortest[own, s], d)
        along = 0.0
        for q in range(n_radial):
            along += g[s * n_radial + q] * scratch.radial_of[m, 1, q]
        if repel:  # half of it here, half at the other atom
            u = d * per_A
            k = min(int(u), tables.repulsion.shape[2] - 1)
            f, c0, c1 = u - k, tables.repulsion[own, s, k, 0], tables.repulsion[own, s, k, 1]
            c2, c3 = tables.repulsion[own, s, k, 2], tables.repulsion[own, s, k, 3]
            value = (c0 + f * (c1 + f * (c2 + f * c3))) / d
            slope = c1 + f * (2 * c2 + f * (3 * c3))
            energy += 0.5 * value
            along += 0.5 * (slope * per_A - value) / d
        for a in range(3):
            scratch.pull[m, a] = along * scratch.unit[m, a]
    _pull_triples(inner, tables, sizes, scratch)
    for m in range(count):
        j, d = scratch.j[m], scratch.distance[m]
        for a in range(3):
            pull = scratch.pull[m, a]
            forces[i, a] += pull
            forces[j, a] -= pull
            for b in range(3):
                virial[b, a] += d * scratch.unit[m, b] * pull
    return energy


@njit(**OPTIONS)
def energies(
    first,
    last,
    listed,
    x,
    species,
    tables,
    sizes,
    network,
    scratch,
    atomic,
    forces,
    virial,
    shortest,
):
    """Energies of the atoms ``first`` to ``last`` - 1 and their derivatives.

    Parameters
    ----------
    first, last
        Range of atoms; those of a thread.
    listed, x, species
        Pairs; positions in A, shape (n, 3); species numbers, shape (n,).
    tables, sizes, network, scratch
        Of the model, and memory that no other thread has.
    atomic
        Filled: energies in eV, shape (n,), of these atoms.
    forces, virial
        What these atoms add to forces (n, 3) in eV/A and virial (3, 3) in eV.
    shortest
        Filled: shortest distances between species about these atoms in A, shape (S, S).
    """
    forces[:] = 0.0
    virial[:] = 0.0
    shortest[:] = np.inf
    for i in range(first, last):
        atomic[i] = _atom(
            i, listed, x, species, tables, sizes, network, scratch, forces, virial, shortest
        )


@njit(**OPTIONS)
def jacobians(listed, x, species, tables, sizes, scratch, functions, slopes, of_triples, place):
    """Symmetry functions of all atoms and their derivatives, for training.

    Parameters
    ----------
    listed, x, species, tables, sizes, scratch
        As of ``energies``; every listed pair must be within the cutoff.
    functions
        Filled, shape (n, F).
    slopes
        Filled: derivatives of the radial functions of each listed pair by its distance, shape (p, R).
    of_triples, place
        Filled: derivatives of the functions of triples by the vectors of pairs, shape (a, 3, S A C), one
        block for each species of the third atom; those of listed pair p, if it is within the cutoff of
        triples, at place[p].
    """
    of_triples[:] = 0.0
    n_mean, n_angle = len(sizes.mean), len(sizes.angle)
    per_cosine = 0.5 * tables.angle.shape[0]
    for i in range(len(listed.begin) - 1):
        count, inner = _neighbours(i, listed, x, species, tables, sizes, scratch)
        _triples(inner, tables, sizes, scratch)
        functions[i] = scratch.functions
        for m in range(count):
            slopes[listed.begin[i] + m] = scratch.radial_of[m, 1]
        t = 0
        for a in range(1, inner):
            m = scratch.inner[a]
            for b in range(a):
                n, c = scratch.inner[b], scratch.cosine[t]
                radial, angle = scratch.radial[t], scratch.angle[t]
                to_m = of_triples[place[listed.begin[i] + m]]
                to_n = of_triples[place[listed.begin[i] + n]]
                of_m = scratch.species[n] * n_mean * n_angle
                of_n = scratch.species[m] * n_mean * n_angle
                for d in range(3):
                    um, un = scratch.unit[m, d], scratch.unit[n, d]
                    turn_m = per_cosine * (un - c * um) / scratch.distance[m]
                    turn_n = per_cosine * (um - c * un) / scratch.distance[n]
                    for u in range(n_mean):
                        for v in range(n_angle):
                            f = u * n_angle + v
                            turned = radial[0, u] * angle[1, v]
                            to_m[d, of_m + f] += radial[1, u] * angle[0, v] * um + turned * turn_m
                            to_n[d, of_n + f] += radial[2, u] * angle[0, v] * un + turned * turn_n
                t += 1
