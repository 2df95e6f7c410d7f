"""Force calls: energy, forces and virial of a trained model for one structure, step after step of MD.

``compressed_evaluator`` is what simulations use: filters are looked up (``tables``) and
derivatives are written out by hand (``kernels``), so that a step costs neither filter
networks nor an autograd graph. ``schnetpack_evaluator`` is the network itself, the reference.
"""

import numpy as np
import torch

from minset.evaluation import (
    Evaluation,
    Evaluator,
    require_apart,
    require_known,
    shortest_distances,
)
from minset.model.neighbours import VerletList, sorted_rows
from minset.model.schnet import passes
from minset.model.schnet.architecture import predict
from minset.model.schnet.compressed import Compressed
from minset.model.schnet.kernels import Near

ROWS_PER_BLOCK = 256  # atoms whose features stay in the processor's cache


def compressed_evaluator(
    compressed: Compressed, numbers: np.ndarray, threads: int = 1, skin_A: float = 1.5
) -> Evaluator:
    """Force calls of a compressed model on the processor.

    Parameters
    ----------
    compressed
        From ``tabulate`` or ``load_compressed``.
    numbers
        Atomic numbers, shape (n,).
    threads
        For the compiled loops; the sums of a run depend on it in the last digits.
    skin_A
        Of the neighbour list: the larger, the rarer it is made and the longer it is.

    Returns
    -------
    callable
        ``evaluate(positions_A (n, 3), cell_A (3, 3)) -> Evaluation``, as of
        ``minset.model.evaluator_of``.

    Raises
    ------
    ValueError
        If the model does not know an element.
    """
    require_known(numbers, compressed.numbers)
    passes.use_threads(threads)
    c, n = compressed, len(numbers)
    n_layers, n_features, n_filters = c.layers.in2f.shape
    species = np.searchsorted(c.numbers, numbers)
    present, n_species = np.unique(species), len(c.numbers)
    v_of_species = c.embedding @ c.layers.in2f[0]
    blocks = threads * -(-n // (threads * ROWS_PER_BLOCK))
    rows = np.unique(np.linspace(0, n, blocks + 1).astype(np.int64))
    x, g_x = np.empty((n, n_features), np.float32), np.empty((n, n_features), np.float32)
    v, g_m = np.empty((n_layers, n, n_filters), np.float32), np.empty((n, n_filters), np.float32)
    parts = np.empty((threads, n, n_filters), np.float32)
    sigma = np.empty((n_layers, n, n_features), np.float32)
    atomic, repulsion = np.empty(n), np.empty((threads, n))
    forces, virial = np.empty((threads, n, 3)), np.empty((threads, 3, 3))
    shortest = np.empty((threads, n_species, n_species))
    pairs, p = VerletList(c.cutoff_A, skin_A, twice=False), _Arranged()

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        continuous, renewed = pairs.update(positions, cell)
        if renewed:
            p.arrange(pairs, continuous, cell, threads)
        kinds = species[p.order]
        passes.find_pairs(
            p.chunks, p.listed, p.lattice @ cell, continuous[p.order], kinds, c.cutoff_A, c.segments,
            c.repulsion, p.near, p.vector, p.distance, p.g_d_repulsion, repulsion, shortest,
        )  # fmt: skip
        require_apart(shortest)
        x[:], v[0] = c.embedding[kinds], v_of_species[kinds]
        passes.forward(p.chunks, rows, p.near, c.layers, x, v, parts, sigma)
        passes.readout(rows, c.readout, c.readout_bias, x, atomic, g_x)
        passes.backward(p.chunks, rows, p.near, c.layers, v, sigma, g_x, g_m, parts, p.g_d)
        passes.pair_forces(
            p.chunks, p.near, p.vector, p.distance, p.g_d, p.g_d_repulsion, forces, virial
        )
        energies, total = np.empty(n), np.empty((n, 3))
        energies[p.order] = atomic + repulsion.sum(axis=0) + c.offsets_eV[kinds]
        total[p.order] = forces.sum(axis=0)
        strain = virial.sum(axis=0)
        nearest = shortest.min(axis=0)[np.ix_(present, present)]
        return Evaluation(
            energy_eV=float(energies.sum()),
            atomic_energies_eV=energies,
            forces_eV_A=total,
            virial_eV=0.5 * (strain + strain.T),
            shortest_A=np.minimum(nearest, nearest.T),
        )

    return evaluate


def schnetpack_evaluator(
    model: torch.nn.Module, description: dict, numbers: np.ndarray, skin_A: float = 0.6
) -> Evaluator:
    """Force calls through the network itself, with a neighbour list that lives several steps.

    Parameters
    ----------
    model, description
        From ``minset.model.schnet.architecture.load_model``.
    numbers
        Atomic numbers, shape (n,).
    skin_A
        How much longer than the cutoff the listed pairs are; the list is rebuilt when two atoms
        could have come closer than that together.

    Returns
    -------
    callable
        ``evaluate(positions_A (n, 3), cell_A (3, 3)) -> Evaluation``, as of
        ``minset.model.evaluator_of``; a model in double precision is evaluated in it.

    Raises
    ------
    ValueError
        If the model does not know an element.
    """
    require_known(numbers, description["energy_offsets_eV"])
    cutoff = description["hyper"]["cutoff_A"]
    offset = np.array([description["energy_offsets_eV"][str(z)] for z in numbers])
    dtype = model.representation.embedding.weight.dtype
    atomic_numbers = torch.as_tensor(numbers, dtype=torch.long)
    pairs = VerletList(cutoff, skin_A, twice=True)

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        continuous, _ = pairs.update(positions, cell)
        vectors = continuous[pairs.j] - continuous[pairs.i] + pairs.shifts @ cell
        distances = np.linalg.norm(vectors, axis=1)
        require_apart(distances)
        inside = distances < cutoff
        i, j = pairs.i[inside].astype(np.int64), pairs.j[inside].astype(np.int64)
        batch = {
            "_atomic_numbers": atomic_numbers,
            "_idx_i": torch.as_tensor(i),
            "_idx_j": torch.as_tensor(j),
            "_idx_m": torch.zeros(len(numbers), dtype=torch.long),
            "_n_atoms": torch.tensor([len(numbers)]),
            "_Rij": torch.as_tensor(vectors[inside], dtype=dtype),
        }
        result = predict(model, batch)
        atomic = result["energy_per_atom"].detach().double().numpy().reshape(-1) + offset
        virial = result["virial"][0].double().numpy()
        return Evaluation(
            energy_eV=float(atomic.sum()),
            atomic_energies_eV=atomic,
            forces_eV_A=result["forces"].double().numpy(),
            virial_eV=0.5 * (virial + virial.T),
            shortest_A=shortest_distances(numbers, i, j, distances[inside]),
        )

    return evaluate


class _Arranged:
    """Listed pairs in the order in which they are worked on, and the buffers for them."""

    def __init__(self):
        self.size = -1

    def arrange(self, pairs: VerletList, positions: np.ndarray, cell: np.ndarray, chunks: int):
        """Sort atoms along a space-filling curve and pairs by atom; each pair at its earlier atom."""
        n = len(positions)
        self.order = np.argsort(_morton(positions, cell), kind="stable")
        rank = np.empty(n, np.int64)
        rank[self.order] = np.arange(n)
        i, j = rank[pairs.i], rank[pairs.j]
        shifts = pairs.shifts * np.where(i > j, -1, 1)[:, None]
        farthest = np.abs(shifts).max(initial=0)
        base = 2 * farthest + 1
        self.lattice = np.indices((base,) * 3).reshape(3, -1).T - float(farthest)
        shift = (shifts + farthest) @ [base**2, base, 1]
        i, j = np.minimum(i, j), np.maximum(i, j)
        by_row, begin = sorted_rows(i, n)
        self.listed = passes.Listed(begin, j[by_row], shift[by_row])
        borders = np.searchsorted(begin, np.linspace(0, len(j), chunks + 1)[1:-1])
        self.chunks = np.array([0, *borders, n])
        if len(j) > self.size:
            self.size = size = len(j) + len(j) // 8  # lists of a liquid differ in length
            self.j, self.segment = np.empty(size, np.int32), np.empty(size, np.int32)
            self.weights, self.slopes = np.empty((size, 4), "f4"), np.empty((size, 4), "f4")
            self.vector, self.distance = np.empty((size, 3)), np.empty(size)
            self.g_d, self.g_d_repulsion = np.empty(size, np.float32), np.empty(size)
        self.near = Near(
            begin[:-1], np.empty(n, np.int64), self.j, self.segment, self.weights, self.slopes
        )


def _morton(positions: np.ndarray, cell: np.ndarray, bits: int = 7) -> np.ndarray:
    """Place of each atom on a Z-order curve through the cell: near on it is near in space."""
    fractional = positions @ np.linalg.inv(cell)
    bins = ((fractional % 1.0) * 2**bits).astype(np.int64) & (2**bits - 1)
    place = np.zeros(len(positions), np.int64)
    for bit in range(bits):
        for axis in range(3):
            place |= ((bins[:, axis] >> bit) & 1) << (3 * bit + axis)
    return place
