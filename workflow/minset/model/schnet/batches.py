"""Labelled frames as tensors, with their pairs placed in the tables once for a whole training."""

import numpy as np
import torch
from ase import Atoms

from minset.model.neighbours import undirected_pairs
from minset.model.repulsion import repulsion_of, repulsion_on
from minset.model.schnet.kernels import Near
from minset.model.schnet.tables import hermite_weights
from minset.model.schnet.tabulated import Pairs


class Batches:
    """Frames that are all in memory, joined into batches on demand.

    Parameters
    ----------
    frames
        With energy, forces and, if it is known, stress.
    offsets
        Energy per atom of each species in eV, taken off the labels.
    hyper
        Of the model; ``cutoff_A``, ``repulsion`` and ``floor_A``. The repulsion has no parameters: it
        is taken off the labels too.
    segments
        Of the tables.
    with_stress
        Whether stresses are read.
    device
        Where the batches are.
    """

    def __init__(
        self,
        frames: list[Atoms],
        offsets: dict,
        hyper: dict,
        segments: int,
        with_stress: bool,
        device: torch.device,
    ):
        self.parts = [_tensors(f, offsets, hyper, segments, with_stress) for f in frames]
        self.device = device

    def of(self, indices: np.ndarray) -> dict:
        """One batch: inputs of ``tabulated_predict``, and the labels.

        ``energy`` (m,), ``forces`` (n, 3), ``stress`` (m, 3, 3), NaN where a frame does not know
        it, ``volume`` (m,), ``atoms`` (m,).
        """
        parts = [self.parts[k] for k in indices]
        atoms = torch.tensor([len(p["numbers"]) for p in parts])
        pairs = torch.tensor([len(p["i"]) for p in parts])
        batch = {key: torch.cat([p[key] for p in parts]) for key in parts[0]}
        first = torch.repeat_interleave(torch.cumsum(atoms, 0) - atoms, pairs)
        batch["i"] += first
        batch["j"] += first
        batch["frame"] = torch.repeat_interleave(torch.arange(len(parts)), atoms)
        batch["atoms"] = atoms
        batch = {key: value.to(self.device) for key, value in batch.items()}
        batch["frames"] = len(parts)
        placed = [batch.pop(name) for name in ("i", "j", "segment", "weights", "slopes")]
        near = None
        if self.device.type == "cpu":
            begin = np.searchsorted(placed[0].numpy(), np.arange(len(batch["numbers"]) + 1))
            near = Near(begin[:-1], np.diff(begin), *(t.numpy() for t in placed[1:]))
        return batch | {"pairs": Pairs(*placed, near)}


def _tensors(frame: Atoms, offsets: dict, hyper: dict, segments: int, with_stress: bool) -> dict:
    cutoff = hyper["cutoff_A"]
    i, j, vectors = undirected_pairs(frame.positions, np.array(frame.cell), cutoff)
    distance = np.linalg.norm(vectors, axis=1)
    segment, weights, slopes = hermite_weights(torch.from_numpy(distance), cutoff, segments)
    energy = frame.get_potential_energy() - sum(offsets[int(z)] for z in frame.numbers)
    forces = frame.get_forces()
    stress = np.zeros((3, 3))
    if with_stress:
        known = "stress" in frame.calc.results
        stress = frame.get_stress(voigt=False) if known else np.full((3, 3), np.nan)
    if repulsion := repulsion_of(hyper):
        energies, of_forces, virial = repulsion_on(repulsion, frame.numbers, i, j, vectors)
        energy, forces = energy - energies.sum(), forces - of_forces
        stress = stress - virial / frame.cell.volume
    exact = {"numbers": frame.numbers, "i": i, "j": j, "segment": segment}
    rounded = {
        "weights": weights,
        "slopes": slopes,
        "distance": distance,
        "direction": vectors / distance[:, None],
        "energy": [energy],
        "forces": forces,
        "stress": stress[None],
        "volume": [frame.cell.volume],
    }
    return {k: torch.as_tensor(v, dtype=torch.long) for k, v in exact.items()} | {
        k: torch.as_tensor(v, dtype=torch.float32) for k, v in rounded.items()
    }
