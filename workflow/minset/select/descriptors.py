"""Descriptors of frames from an untrained SchNet representation, as in Finkbeiner et al. (2024)."""

from pathlib import Path

import numpy as np
import torch
from matscipy.neighbours import neighbour_list

from minset.model.architecture import build_representation
from minset.pool.store import read_arrays


def untrained_schnet(pool: Path, hyper: dict, seed: int, frames_per_batch: int = 8) -> np.ndarray:
    """Structure descriptors of every frame of a pool.

    Per-atom features of an untrained SchNet representation are averaged over the atoms of each
    species; the averages stand one after the other.

    Parameters
    ----------
    pool
        Pool file.
    hyper
        Of the representation, see ``minset.model.architecture.build_representation``.
    seed
        Of its random weights.
    frames_per_batch
        Bounds the memory.

    Returns
    -------
    np.ndarray
        Shape (frames, species x features), float32; species by increasing atomic number.
    """
    arrays = read_arrays(pool)
    numbers, n_frames = arrays["numbers"].astype(int), len(arrays["positions_A"])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        representation = build_representation(hyper).eval()
    members = [np.flatnonzero(numbers == z) for z in np.unique(numbers)]
    rows = []
    for begin in range(0, n_frames, frames_per_batch):
        chunk = slice(begin, min(begin + frames_per_batch, n_frames))
        features = _atom_features(
            representation,
            numbers,
            arrays["positions_A"][chunk],
            arrays["cells_A"][chunk],
            hyper["cutoff_A"],
        )
        rows.append(np.concatenate([features[:, m].mean(axis=1) for m in members], axis=1))
        if begin // frames_per_batch % 50 == 49:
            print(f"descriptors of {chunk.stop} of {n_frames} frames", flush=True)
    return np.concatenate(rows).astype(np.float32)


def _atom_features(representation, numbers, positions, cells, cutoff) -> np.ndarray:
    """Per-atom features of several frames, shape (frames, n, features)."""
    n = len(numbers)
    i, j, vectors = [], [], []
    for k, (x, cell) in enumerate(zip(positions, cells, strict=True)):
        pairs = neighbour_list("ijD", positions=x, cell=cell, pbc=np.ones(3, bool), cutoff=cutoff)
        i.append(pairs[0] + k * n)
        j.append(pairs[1] + k * n)
        vectors.append(pairs[2])
    batch = {
        "_atomic_numbers": torch.as_tensor(np.tile(numbers, len(positions))),
        "_idx_i": torch.as_tensor(np.concatenate(i), dtype=torch.long),
        "_idx_j": torch.as_tensor(np.concatenate(j), dtype=torch.long),
        "_Rij": torch.as_tensor(np.concatenate(vectors), dtype=torch.float32),
    }
    with torch.no_grad():
        features = representation(batch)["scalar_representation"]
    return features.reshape(len(positions), n, -1).numpy()
