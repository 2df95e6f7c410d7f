"""Descriptors of frames from an untrained SchNet representation, as in Finkbeiner et al. (2024).

An untrained representation is a fixed function: its filters are tabulated like a trained model's.
"""

import time
from pathlib import Path

import numpy as np
import torch

from minset.model.neighbours import undirected_pairs
from minset.model.schnet import passes
from minset.model.schnet.architecture import build_representation
from minset.model.schnet.compressed import tabulate_representation
from minset.model.schnet.kernels import Near
from minset.model.schnet.tables import hermite_weights
from minset.pool.store import read_geometries

SEGMENTS = 1024  # of the filter tables


def untrained_schnet(
    pool: Path,
    hyper: dict,
    seed: int,
    threads: int = 1,
    frames_per_batch: int = 16,
    atoms: np.ndarray | None = None,
) -> np.ndarray:
    """Descriptors of every frame of a pool, and of its atoms if wanted.

    Those of atoms are the features of an untrained SchNet representation; that of a frame has their
    averages over the atoms of each species, one after the other.

    Parameters
    ----------
    pool
        Pool file.
    hyper
        Of the representation, see ``minset.model.schnet.architecture.build_representation``.
    seed
        Of its random weights.
    threads
        Of the compiled loops.
    frames_per_batch
        Frames in memory at a time.
    atoms
        Gets the descriptors of the atoms, shape (frames, n, features).

    Returns
    -------
    np.ndarray
        Shape (frames, species x features), float32; species by increasing atomic number.
    """
    numbers, n_frames, batches = read_geometries(pool, frames_per_batch)
    kinds = np.unique(numbers)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        representation = build_representation(hyper)
    embedding, layers = tabulate_representation(representation, kinds, SEGMENTS)
    start = embedding[np.searchsorted(kinds, numbers)]
    passes.use_threads(threads)
    members = [np.flatnonzero(numbers == z) for z in kinds]
    rows = np.empty((n_frames, len(kinds) * hyper["features"]), np.float32)
    began = reported = time.monotonic()
    for begin, positions, cells in batches:
        found = [
            undirected_pairs(x, cell, hyper["cutoff_A"])
            for x, cell in zip(positions, cells, strict=True)
        ]
        features = _atom_features(start, layers, found, hyper["cutoff_A"], threads)
        done = begin + len(positions)
        rows[begin:done] = np.concatenate([features[:, m].mean(axis=1) for m in members], axis=1)
        if atoms is not None:
            atoms[begin:done] = features
        if time.monotonic() - reported > 5 or done == n_frames:
            reported = time.monotonic()
            rate = done / max(reported - began, 1e-9)
            print(
                f"descriptors of {done} of {n_frames} frames, {rate:.0f} frames/s, "
                f"{(n_frames - done) / rate:.0f} s left",
                flush=True,
            )
    return rows


def _atom_features(
    start: np.ndarray, layers: passes.Layers, found: list, cutoff_A: float, threads: int
) -> np.ndarray:
    """Per-atom features of several frames, shape (frames, n, features).

    ``start`` (n, features) is the embedding of the atoms of one frame; ``found`` has the pairs of
    each.
    """
    n, total = len(start), len(start) * len(found)
    i = np.concatenate([pairs[0] + k * n for k, pairs in enumerate(found)])
    j = np.concatenate([pairs[1] + k * n for k, pairs in enumerate(found)])
    distances = np.linalg.norm(np.concatenate([pairs[2] for pairs in found]), axis=1)
    placed = hermite_weights(torch.from_numpy(distances).float(), cutoff_A, SEGMENTS)
    count = np.bincount(i, minlength=total)
    near = Near(np.cumsum(count) - count, count, j, *(t.numpy() for t in placed))
    # pairs stay inside their frame: ranges of whole frames never share an atom
    borders = n * np.linspace(0, len(found), min(threads, len(found)) + 1).astype(np.int64)
    x = np.tile(start, (len(found), 1))
    n_layers, _, n_filters = layers.in2f.shape
    v, sigma = np.empty((n_layers, total, n_filters), "f4"), np.empty((n_layers, *x.shape), "f4")
    v[0] = x @ layers.in2f[0]
    passes.forward(
        borders, borders, near, layers, x, v, np.empty((threads, *v[0].shape), "f4"), sigma
    )
    return x.reshape(len(found), n, -1)
