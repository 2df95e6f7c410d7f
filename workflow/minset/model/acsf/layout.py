"""What the compiled loops of symmetry functions work on, as arrays."""

from typing import NamedTuple

import numpy as np


class Listed(NamedTuple):
    """Pairs of a neighbour list, each from both of its atoms, by the first of them."""

    begin: np.ndarray  # (n + 1,) pairs of atom i are begin[i] : begin[i + 1]
    j: np.ndarray  # (p,)
    shift: np.ndarray  # (p, 3) lattice vectors to add to atom j, in A


class Tables(NamedTuple):
    """Coefficients of cubics in the share of each of K segments, from ``tables.tabulate``."""

    radial: np.ndarray  # (K, 4, R) over the distance
    near: np.ndarray  # (K, 4, B) of a neighbour in a triple, over the distance
    mean: np.ndarray  # (K, 4, A) of a triple, over the mean of its distances; or with no columns
    angle: np.ndarray  # (K, 4, C) over the cosine, from -1 to 1
    cutoffs: np.ndarray  # (2,) of pairs and of triples, in A
    repulsion: np.ndarray  # (S, S, K, 4) of d U(d), or with no rows
    blocks: np.ndarray  # (S, S) number of a pair of species among the functions of triples


class Sizes(NamedTuple):
    """Tuples as long as there are functions: what the compiler knows, it unrolls."""

    radial: tuple  # R
    mean: tuple  # A
    angle: tuple  # C


class Network(NamedTuple):
    """Weights of the atomic networks, as in h @ w; of L layers, w the widest."""

    widths: np.ndarray  # (L + 1,) the input's first
    weights: np.ndarray  # (L, S, w, w), what is beyond the widths not used
    biases: np.ndarray  # (L, S, w)
    offsets: np.ndarray  # (S,) in eV


class Scratch(NamedTuple):
    """Of one thread; m neighbours, a of them in triples, t triples, L layers of width w."""

    j: np.ndarray  # (m,)
    species: np.ndarray  # (m,)
    distance: np.ndarray  # (m,)
    unit: np.ndarray  # (m, 3)
    radial_of: np.ndarray  # (m, 2, R) radial functions and their slopes
    pull: np.ndarray  # (m, 3) dE/d(vector)
    inner: np.ndarray  # (a,) which neighbours are in triples
    near: np.ndarray  # (a, 2, B) value and slope
    radial: np.ndarray  # (t, 3, A): R_u, its derivatives by the first and by the second distance
    angle: np.ndarray  # (t, 2, C): C_v and its derivative by the cosine
    cosine: np.ndarray  # (t,)
    hidden: np.ndarray  # (L + 1, w)
    rise: np.ndarray  # (L + 1, w) derivative of the activation
    functions: np.ndarray  # (F,)
    gradient: np.ndarray  # (F,)


def scratch(tables: Tables, widths: list[int], most: int, most_inner: int) -> Scratch:
    """Memory for a thread.

    Parameters
    ----------
    widths
        Of the layers of the networks, the input's first.
    most, most_inner
        Listed neighbours of an atom, and those of them that can be in triples.
    """
    n_radial, n_near, n_angle = (t.shape[2] for t in (tables.radial, tables.near, tables.angle))
    n_mean, of_triples = tables.mean.shape[2] or n_near, most_inner * (most_inner - 1) // 2
    shapes = {
        "radial_of": (most, 2, n_radial),
        "unit": (most, 3),
        "pull": (most, 3),
        "near": (most_inner, 2, n_near),
        "radial": (of_triples, 3, n_mean),
        "angle": (of_triples, 2, n_angle),
        "cosine": (of_triples,),
        "hidden": (len(widths), max(widths)),
        "rise": (len(widths), max(widths)),
        "functions": (widths[0],),
        "gradient": (widths[0],),
    }
    whole = {"j", "species", "inner"}
    return Scratch(
        *(
            np.empty(shapes.get(name, (most,)), np.int64 if name in whole else float)
            for name in Scratch._fields
        )
    )
