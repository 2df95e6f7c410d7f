"""Force calls: energy, forces and virial of a trained model for one structure, step after step of MD.

``compiled_evaluator`` is what simulations use; ``torchani_evaluator`` are torchani's own modules, the
reference.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from ase.data import atomic_numbers, chemical_symbols
from torchani.neighbors import Neighbors

from minset.evaluation import (
    Evaluation,
    Evaluator,
    require_apart,
    require_known,
    shortest_distances,
)
from minset.model.acsf.architecture import Acsf
from minset.model.acsf.kernels import energies
from minset.model.acsf.layout import Listed, Scratch, scratch
from minset.model.acsf.tables import pack, sizes_of, tabulate
from minset.model.neighbours import VerletList, sorted_rows, undirected_pairs
from minset.model.repulsion import repulsion_of, repulsion_on


def compiled_evaluator(
    model: Acsf, description: dict, numbers: np.ndarray, threads: int = 1, skin_A: float = 1.0
) -> Evaluator:
    """Force calls by compiled loops over tables, on the processor.

    Parameters
    ----------
    model, description
        From ``minset.model.acsf.architecture.load_model``.
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
    offsets, hyper = description["energy_offsets_eV"], description["hyper"]
    require_known(numbers, offsets)
    elements = [atomic_numbers[symbol] for symbol in hyper["elements"]]
    species, n = species_of(numbers, hyper), len(numbers)
    present = np.unique(species)
    tables = tabulate(model.functions, hyper, elements)
    network, sizes = pack(model, [offsets[str(z)] for z in elements]), sizes_of(tables)
    borders = np.linspace(0, n, threads + 1).astype(int).tolist()
    forces, virial = np.empty((threads, n, 3)), np.empty((threads, 3, 3))
    shortest = np.empty((threads, len(elements), len(elements)))
    pairs = VerletList(hyper["cutoff_A"], skin_A, twice=True)
    pool = ThreadPoolExecutor(threads) if threads > 1 else None
    own: list[Scratch] = []
    begin = j = shifts = None

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        nonlocal begin, j, shifts
        continuous, renewed = pairs.update(positions, cell)
        if renewed:
            begin, j, shifts = by_first_atom(pairs, n)
            reach = hyper["angular_cutoff_A"] + skin_A
            inner = most_within(reach, begin, j, shifts @ cell, continuous)
            most = int(np.diff(begin).max())
            own[:] = [scratch(tables, network.widths, most, inner) for _ in range(threads)]
        atomic, listed = np.empty(n), Listed(begin, j, shifts @ cell)

        def work(c: int):
            energies(
                borders[c], borders[c + 1], listed, continuous, species, tables, sizes, network,
                own[c], atomic, forces[c], virial[c], shortest[c],
            )  # fmt: skip

        for _ in (pool.map if pool else map)(work, range(threads)):
            pass
        require_apart(shortest)
        strain, nearest = virial.sum(axis=0), shortest.min(axis=0)[np.ix_(present, present)]
        return Evaluation(
            energy_eV=float(atomic.sum()),
            atomic_energies_eV=atomic,
            forces_eV_A=forces.sum(axis=0),
            virial_eV=0.5 * (strain + strain.T),
            shortest_A=np.minimum(nearest, nearest.T),
        )

    return evaluate


def species_of(numbers: np.ndarray, hyper: dict) -> np.ndarray:
    """Place of each atom's element in ``hyper["elements"]``, shape (n,)."""
    return np.array([hyper["elements"].index(chemical_symbols[z]) for z in numbers], dtype=np.int64)


def by_first_atom(pairs: VerletList, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Listed pairs by their first atom: where each atom's begin, second atoms, shifts as floats."""
    order, begin = sorted_rows(pairs.i.astype(np.int64), n)
    return begin, pairs.j.astype(np.int64)[order], pairs.shifts[order].astype(float)


def most_within(
    reach_A: float, begin: np.ndarray, j: np.ndarray, shift_A: np.ndarray, positions: np.ndarray
) -> int:
    """Largest number of an atom's listed neighbours within a distance, see ``by_first_atom``."""
    i = np.repeat(np.arange(len(begin) - 1), np.diff(begin))
    vectors = positions[j] - positions[i] + shift_A
    close = np.einsum("pd,pd->p", vectors, vectors) < reach_A**2
    return int(np.bincount(i[close], minlength=1).max(initial=0))


def torchani_evaluator(model: Acsf, description: dict, numbers: np.ndarray) -> Evaluator:
    """Force calls by torchani's modules and autograd.

    Parameters
    ----------
    model, description
        From ``minset.model.acsf.architecture.load_model``.
    numbers
        Atomic numbers, shape (n,).

    Returns
    -------
    callable
        As of ``compiled_evaluator``.

    Raises
    ------
    ValueError
        If the model does not know an element.
    """
    offsets, hyper = description["energy_offsets_eV"], description["hyper"]
    require_known(numbers, offsets)
    offset = np.array([offsets[str(z)] for z in numbers])
    species = torch.from_numpy(species_of(numbers, hyper))[None]
    repulsion = repulsion_of(hyper)

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        i, j, vectors = undirected_pairs(positions, cell, hyper["cutoff_A"])
        r = torch.from_numpy(vectors).requires_grad_()
        indices = torch.from_numpy(np.stack([j, i]))  # torchani's vectors begin at the second
        neighbours = Neighbors(indices, r.norm(dim=1), r)
        functions = model.functions.compute_from_neighbors(
            species, torch.from_numpy(positions)[None], neighbours
        )
        energies = model.networks(species, functions, atomic=True)
        gradient = np.zeros_like(vectors)
        if len(vectors):
            gradient = torch.autograd.grad(energies.sum(), r)[0].numpy()
        atomic, virial = energies[0].detach().numpy() + offset, vectors.T @ gradient
        forces = np.zeros((len(numbers), 3))
        np.add.at(forces, i, gradient)
        np.add.at(forces, j, -gradient)
        if repulsion:
            added = repulsion_on(repulsion, numbers, i, j, vectors)
            atomic, forces, virial = (
                a + b for a, b in zip((atomic, forces, virial), added, strict=True)
            )
        return Evaluation(
            energy_eV=float(atomic.sum()),
            atomic_energies_eV=atomic,
            forces_eV_A=forces,
            virial_eV=0.5 * (virial + virial.T),
            shortest_A=shortest_distances(numbers, i, j, np.linalg.norm(vectors, axis=1)),
        )

    return evaluate
