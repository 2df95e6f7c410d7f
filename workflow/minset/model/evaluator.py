"""Energy, forces and virial of a trained model for one structure, step after step of MD."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from matscipy.neighbours import neighbour_list

from minset.model.architecture import predict


@dataclass(frozen=True)
class Evaluation:
    """Result of one force call: eV, eV/A, eV (strain derivative), A."""

    energy_eV: float
    atomic_energies_eV: np.ndarray  # (n,), offsets included
    forces_eV_A: np.ndarray  # (n, 3)
    virial_eV: np.ndarray  # (3, 3), dE/dstrain; stress = virial / volume
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray]  # i, j, distance of all pairs in the cutoff


Evaluator = Callable[[np.ndarray, np.ndarray], Evaluation]


def schnetpack_evaluator(
    model: torch.nn.Module, description: dict, numbers: np.ndarray, skin_A: float = 0.6
) -> Evaluator:
    """Force calls through the network itself, with a neighbour list that lives several steps.

    Parameters
    ----------
    model, description
        From ``minset.model.architecture.load_model``.
    numbers
        Atomic numbers, shape (n,).
    skin_A
        How much longer than the cutoff the listed pairs are; the list is rebuilt when two atoms
        could have come closer than that together.

    Returns
    -------
    callable
        ``evaluate(positions_A (n, 3), cell_A (3, 3)) -> Evaluation``. Cells smaller than the cutoff
        work: a pair appears once per periodic image. Positions may be wrapped or not.
    """
    cutoff = description["hyper"]["cutoff_A"]
    offset = np.array([description["energy_offsets_eV"][str(z)] for z in numbers])
    atomic_numbers = torch.as_tensor(numbers, dtype=torch.long)
    pairs = NeighbourPairs(cutoff, skin_A)

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        i, j, vectors, distances = pairs.within_cutoff(positions, cell)
        batch = {
            "_atomic_numbers": atomic_numbers,
            "_idx_i": torch.as_tensor(i, dtype=torch.long),
            "_idx_j": torch.as_tensor(j, dtype=torch.long),
            "_idx_m": torch.zeros(len(numbers), dtype=torch.long),
            "_n_atoms": torch.tensor([len(numbers)]),
            "_Rij": torch.as_tensor(vectors, dtype=torch.float32),
        }
        result = predict(model, batch)
        atomic = result["energy_per_atom"].detach().double().numpy().reshape(-1) + offset
        virial = result["virial"][0].double().numpy()
        return Evaluation(
            energy_eV=float(atomic.sum()),
            atomic_energies_eV=atomic,
            forces_eV_A=result["forces"].double().numpy(),
            virial_eV=0.5 * (virial + virial.T),
            pairs=(i, j, distances),
        )

    return evaluate


class NeighbourPairs:
    """Directed pairs within a cutoff, from a list with a skin that is rebuilt only when needed."""

    def __init__(self, cutoff_A: float, skin_A: float):
        self.cutoff, self.skin = cutoff_A, skin_A
        self.built_at = None

    def within_cutoff(self, positions: np.ndarray, cell: np.ndarray):
        """Return i (e,), j (e,), r_j - r_i (e, 3) and distances (e,) of all pairs in the cutoff."""
        fractional = np.linalg.solve(cell.T, positions.T).T
        if self._outdated(fractional, cell):
            self.i, self.j, self.shifts = neighbour_list(
                "ijS", positions=positions, cell=cell, pbc=np.ones(3, bool), cutoff=self.reach
            )
            self.built_at = (fractional, cell.copy())
        # An atom that was wrapped since the list was built is followed to its image.
        continuous = fractional - np.round(fractional - self.built_at[0])
        vectors = (continuous[self.j] - continuous[self.i] + self.shifts) @ cell
        distances = np.sqrt(np.einsum("ed,ed->e", vectors, vectors))
        inside = distances < self.cutoff
        return self.i[inside], self.j[inside], vectors[inside], distances[inside]

    @property
    def reach(self) -> float:
        """Distance to which pairs are listed, in A."""
        return self.cutoff + self.skin

    def _outdated(self, fractional: np.ndarray, cell: np.ndarray) -> bool:
        if self.built_at is None:
            return True
        old, old_cell = self.built_at
        moved = fractional - old
        moved -= np.round(moved)
        distance = np.sqrt(np.max(np.einsum("nd,nd->n", moved @ cell, moved @ cell)))
        # A cell that shrinks brings pairs closer without any atom moving in it.
        strain = np.linalg.norm(np.linalg.solve(old_cell, cell) - np.eye(3), 2)
        return 2 * distance + self.reach * strain > self.skin
