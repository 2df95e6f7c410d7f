"""Labelled frames as tensors, with their symmetry functions and the derivatives of these.

Atoms do not move during a training: functions and derivatives are computed once, and an epoch is no more
than the networks and sums of products.
"""

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers

from minset.evaluation import require_apart
from minset.model.acsf.architecture import Acsf
from minset.model.acsf.evaluator import by_first_atom, most_within, species_of
from minset.model.acsf.kernels import jacobians
from minset.model.acsf.layout import Listed, scratch
from minset.model.acsf.tables import sizes_of, tabulate
from minset.model.neighbours import VerletList
from minset.model.repulsion import repulsion_of, repulsion_on

LEAST_SPREAD = (
    0.1  # of a function, beside the rms spread of all: what hardly varies is not blown up
)
ROUNDING_A = 1e-9


class Batches:
    """Frames that are all in memory, joined into batches on demand.

    Parameters
    ----------
    frames
        With energy, forces and, if it is known, stress.
    model
        Its symmetry functions are used.
    offsets
        Energy per atom of each species in eV, taken off the labels.
    hyper
        Of the model. The repulsion has no parameters: it is taken off the labels too.
    with_stress
        Whether stresses are read.
    """

    def __init__(
        self, frames: list[Atoms], model: Acsf, offsets: dict, hyper: dict, with_stress: bool
    ):
        elements = [atomic_numbers[symbol] for symbol in hyper["elements"]]
        tables = tabulate(model.functions.double(), hyper, elements)
        self.parts = [_tensors(f, tables, offsets, hyper, with_stress) for f in frames]

    def spread(self, n_species: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of the functions of each species' atoms, shapes (S, F)."""
        functions = torch.cat([p["functions"] for p in self.parts]).double()
        species = torch.cat([p["species"] for p in self.parts])
        of_species = [functions[species == s] for s in range(n_species)]
        mean = torch.stack([f.mean(0) for f in of_species])
        spread = torch.stack([f.std(0, correction=0) for f in of_species])
        least = LEAST_SPREAD * spread.square().mean().sqrt().clamp(min=1e-6)
        return mean.float(), spread.clamp(min=least).float()

    def of(self, indices: np.ndarray) -> dict:
        """One batch: inputs of ``predict``, and the labels, see ``minset.model.training.Batches``."""
        parts = [self.parts[k] for k in indices]
        if len(parts) == 1:
            batch = dict(parts[0])
        else:
            batch = {key: torch.cat([p[key] for p in parts]) for key in parts[0]}
        atoms = torch.tensor([len(p["species"]) for p in parts])
        first = torch.cumsum(atoms, 0) - atoms
        for name in ("i", "j", "inner_i", "inner_j"):
            listed = torch.tensor([len(p[name]) for p in parts])
            batch[name] = batch[name] + torch.repeat_interleave(first, listed)
        frames = torch.arange(len(parts))
        return batch | {"atoms": atoms, "frame": torch.repeat_interleave(frames, atoms)}


def _tensors(frame: Atoms, tables, offsets: dict, hyper: dict, with_stress: bool) -> dict:
    energy = frame.get_potential_energy() - sum(offsets[int(z)] for z in frame.numbers)
    forces, stress = frame.get_forces(), np.zeros((3, 3))
    if with_stress:
        known = "stress" in frame.calc.results
        stress = frame.get_stress(voigt=False) if known else np.full((3, 3), np.nan)
    species, cell = species_of(frame.numbers, hyper), np.array(frame.cell)
    positions, listed, i, vectors = _pairs(frame.positions, cell, hyper["cutoff_A"])
    j, distance = listed.j, np.linalg.norm(vectors, axis=1)
    require_apart(distance)
    if repulsion := repulsion_of(hyper):
        energies, of_forces, virial = repulsion_on(repulsion, frame.numbers, i, j, vectors)
        # each pair is listed from both of its atoms
        energy, forces = energy - energies.sum() / 2, forces - of_forces / 2
        stress = stress - virial / 2 / frame.cell.volume
    exact = {"species": species, "i": i, "j": j, "kind": species[j]}
    rounded = {
        "unit": vectors / distance[:, None],
        "distance": distance,
        "energy": [energy],
        "forces": forces,
        "stress": stress[None],
        "volume": [frame.cell.volume],
    }
    derived = _functions(listed, positions, species, vectors, tables)
    inner = derived.pop("inner")
    exact |= {"inner_i": i[inner], "inner_j": j[inner], "inner_kind": species[j[inner]]}
    rounded |= derived | {"inner_vector": vectors[inner]}
    return {k: torch.as_tensor(v, dtype=torch.long) for k, v in exact.items()} | {
        k: torch.as_tensor(v, dtype=torch.float32) for k, v in rounded.items()
    }


def _pairs(positions: np.ndarray, cell: np.ndarray, cutoff_A: float):
    """Positions, pairs from both of their atoms, the first of each and the vectors between them."""
    # a pair at the cutoff, as in crystals, must not be one for the list and none for the loops
    pairs = VerletList(cutoff_A - ROUNDING_A, 0.0, twice=True)
    positions, _ = pairs.update(positions, cell)
    begin, j, shifts = by_first_atom(pairs, len(positions))
    i = np.repeat(np.arange(len(positions)), np.diff(begin))
    shift = shifts @ cell
    return positions, Listed(begin, j, shift), i, positions[j] - positions[i] + shift


def _functions(listed: Listed, positions, species, vectors, tables) -> dict:
    """Symmetry functions and their derivatives as of ``jacobians``; which pairs are in triples."""
    sizes, n, n_species = sizes_of(tables), len(species), len(tables.blocks)
    of_triple = len(sizes.mean) * len(sizes.angle)
    inputs = n_species * len(sizes.radial) + n_species * (n_species + 1) // 2 * of_triple
    reach = tables.cutoffs[1] + ROUNDING_A
    inner = np.einsum("pd,pd->p", vectors, vectors) < reach**2
    functions, slopes = np.empty((n, inputs)), np.empty((len(listed.j), len(sizes.radial)))
    of_triples = np.empty((int(inner.sum()), 3, n_species * of_triple), np.float32)
    memory = scratch(
        tables,
        [inputs],
        int(np.diff(listed.begin).max()),
        most_within(reach, listed.begin, listed.j, listed.shift, positions),
    )
    jacobians(
        listed,
        positions,
        species,
        tables,
        sizes,
        memory,
        functions,
        slopes,
        of_triples,
        np.cumsum(inner) - 1,
    )
    return {"functions": functions, "slopes": slopes, "of_triples": of_triples, "inner": inner}
