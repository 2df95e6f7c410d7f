"""Descriptor ``bispectrum``: invariants of the neighbour density of an atom, as of SNAP.

Thompson, Swiler, Trott, Foiles and Tucker, J. Comput. Phys. 285, 316 (2015); Karabin and Perez
(2020) describe environments by the first six of them.
"""

from pathlib import Path

import numpy as np

from minset.descriptor.record import Descriptor

FRAMES_PER_BATCH = 16


def bispectrum(
    positions: np.ndarray, cell: np.ndarray, neighbour_weights: np.ndarray, options: dict
) -> np.ndarray:
    """Bispectrum components of the atoms of a frame.

    Parameters
    ----------
    positions
        In A, shape (n, 3).
    cell
        Lattice vectors as rows, in A, shape (3, 3).
    neighbour_weights
        Of each atom as a neighbour of others, shape (n,).
    options
        ``cutoff_A``, ``twojmax`` and ``components``.

    Returns
    -------
    numpy.ndarray
        Without units, shape (n, components): those of LAMMPS's ``compute sna/atom`` with rfac0 0.99363
        and ``bzeroflag 0``.

    Raises
    ------
    minset.evaluation.Unusable
        If the configuration has no neighbour list, or two atoms are at the same place.
    """
    from minset.descriptor.bispectrum_kernels import components

    *_, tables, _, total = _expanded(positions, cell, neighbour_weights, options)
    out = np.empty((len(positions), options["components"]))
    components(total, tables, out)
    return out


def bispectrum_gradient(
    positions: np.ndarray,
    cell: np.ndarray,
    neighbour_weights: np.ndarray,
    options: dict,
    slopes: np.ndarray,
) -> np.ndarray:
    """Gradient by the positions of a function of the bispectrum components.

    Parameters
    ----------
    positions, cell, neighbour_weights, options
        As of `bispectrum`.
    slopes
        Derivatives of the function by the components of each atom, shape (n, components).

    Returns
    -------
    numpy.ndarray
        Per A, shape (n, 3).
    """
    from minset.descriptor.bispectrum_kernels import add_gradient, adjoint

    i, j, vectors, tables, u, total = _expanded(positions, cell, neighbour_weights, options)
    y, gradient = np.empty_like(total), np.zeros((len(positions), 3))
    adjoint(total, slopes, tables, y)
    cutoff = options["cutoff_A"]
    add_gradient(i, j, vectors, neighbour_weights, cutoff, tables, u, y, 1.0, gradient)
    return gradient


def _expanded(positions, cell, neighbour_weights, options):
    """Pairs, tables, and the expansion of the neighbours of a frame."""
    from minset.descriptor.bispectrum_kernels import expand
    from minset.descriptor.bispectrum_tables import tables_of
    from minset.model.neighbours import undirected_pairs

    tables = tables_of(options["twojmax"], options["components"])
    i, j, vectors = undirected_pairs(positions, cell, options["cutoff_A"])
    elements = len(tables.parity)
    u, total = (np.empty((rows, elements), np.complex128) for rows in (len(i), len(positions)))
    expand(i, j, vectors, neighbour_weights, options["cutoff_A"], tables, u, total)
    return i, j, vectors, tables, u, total


def weights_of(symbols, given: dict[str, float]) -> np.ndarray:
    """Weights of elements as neighbours, shape (n,): those given, else the covalent radius in A."""
    from minset.system import covalent_contact_A

    return np.array([given.get(s, covalent_contact_A(s, s) / 2) for s in symbols], float)


def describe(pool: Path, path: Path, of: str, options: dict, threads: int = 1) -> None:
    """Write the components of the atoms of a pool, or their means over each species of its frames.

    Parameters
    ----------
    pool, path, of
        As of ``minset.descriptor.record.Descriptor``.
    options
        As in ``RECORD``.
    threads
        Not used: one frame takes a millisecond.

    Raises
    ------
    ValueError
        If the pool is damaged.
    """
    from minset.descriptor.of_pool import write_described

    features = _features(pool, options)
    write_described(pool, path, of, features, options["components"])


def _features(pool: Path, options: dict):
    """Batches of a pool: first frame, atomic numbers (b, n_max), components (b, n_max, components)."""
    from ase.data import chemical_symbols

    from minset.evaluation import Unusable
    from minset.pool.store import read_geometries

    weight_of = np.concatenate([[0.0], weights_of(chemical_symbols[1:], options["weights"])])
    for begin, numbers, positions, cells in read_geometries(pool, FRAMES_PER_BATCH):
        features = np.full((*numbers.shape, options["components"]), np.nan, np.float32)
        for row, own, x, cell in zip(features, numbers, positions, cells, strict=True):
            real = own > 0
            try:
                found = bispectrum(x[real], cell, weight_of[own[real]], options)
            except Unusable as error:
                print(f"a frame cannot be described: {error}")
                continue
            row[:] = found[0]
            row[real] = found
        yield begin, numbers, features


def mistakes(options: dict) -> list[str]:
    """More components than there are, with a key in front."""
    from minset.descriptor.bispectrum_tables import names

    if options["components"] <= (there := len(names(options["twojmax"]))):
        return []
    return [f"components: with twojmax {options['twojmax']} there are {there}"]


CHOICE = {
    "twojmax": {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
        "default": 3,
        "description": "Of the expansion, as in LAMMPS: 3 gives 8 components, 8 gives 55",
    },
    "components": {
        "type": "integer",
        "minimum": 1,
        "maximum": 55,
        "default": 6,
        "description": "The first so many in LAMMPS's order; up to the sixth they are the same for any "
        "twojmax from 3 on. Six as in Karabin and Perez",
    },
    "weights": {
        "type": "object",
        "additionalProperties": {"type": "number"},
        "default": {},
        "description": "Of elements as neighbours, as in LAMMPS; the covalent radius in A of those that "
        "are not named. Elements of the same weight are taken for one another",
    },
}
RECORD = Descriptor(
    options={
        "cutoff_A": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 5.0,
            "description": "Where neighbours cease to count, in A",
        }
    }
    | CHOICE,
    describe=describe,
    mistakes=mistakes,
)
