"""Features of atoms from an untrained SchNet representation, as in Finkbeiner et al. (2024).

An untrained representation is a fixed function: its filters are tabulated like a trained model's.
"""

from pathlib import Path

import numpy as np
import torch

from minset.descriptor.of_pool import Batches, means_of_frames, species, write_atoms
from minset.evaluation import Unusable, require_usable
from minset.model.neighbours import undirected_pairs
from minset.model.schnet import passes
from minset.model.schnet.architecture import build_representation
from minset.model.schnet.compressed import tabulate_representation
from minset.model.schnet.kernels import Near
from minset.model.schnet.tables import hermite_weights
from minset.pool.store import read_geometries

SEGMENTS = 1024  # of the filter tables


def frames_described(
    pool: Path, hyper: dict, seed: int, threads: int = 1, frames_per_batch: int = 16
) -> np.ndarray:
    """Descriptors of the frames of a pool: averages over the atoms of each species.

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

    Returns
    -------
    numpy.ndarray
        Shape (T, species x features), float32: the species of the whole pool by increasing atomic
        number, zeros for those that a frame lacks; NaN for a frame whose geometry cannot be used.
    """
    return means_of_frames(pool, _features(pool, hyper, seed, threads, frames_per_batch))


def atoms_described(
    pool: Path, hyper: dict, seed: int, path: Path, threads: int = 1, frames_per_batch: int = 16
) -> None:
    """Write the features of all atoms of a pool as an array of shape (T, n_max, features), float32.

    Parameters
    ----------
    pool, hyper, seed, threads, frames_per_batch
        As of `frames_described`.
    path
        Array (.npy), written batch by batch.
    """
    batches = _features(pool, hyper, seed, threads, frames_per_batch)
    write_atoms(pool, path, batches, hyper["features"])


def _features(pool: Path, hyper: dict, seed: int, threads: int, frames_per_batch: int) -> Batches:
    """Index of the first frame of each batch, its atomic numbers (b, n_max) and features (b, n_max, F).

    Rows of padding repeat the frame's first atom: they never decide a maximum over its atoms, which is
    what selectors look at, and need no mask there.
    """
    kinds = species(pool)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        representation = build_representation(hyper)
    embedding, layers = tabulate_representation(representation, kinds, SEGMENTS)
    passes.use_threads(threads)
    for begin, numbers, positions, cells in read_geometries(pool, frames_per_batch):
        real = numbers > 0
        starts = np.concatenate([[0], real.sum(axis=1).cumsum()])
        found = [
            _pairs(x[own], cell, hyper["cutoff_A"])
            for x, own, cell in zip(positions, real, cells, strict=True)
        ]
        x = _interacted(
            embedding[np.searchsorted(kinds, numbers[real])],
            starts,
            layers,
            [pairs or NO_PAIRS for pairs in found],
            hyper["cutoff_A"],
            threads,
        )
        features = np.empty((*numbers.shape, hyper["features"]), np.float32)
        features[:] = x[starts[:-1], None]
        features[real] = x
        features[[pairs is None for pairs in found]] = np.nan
        yield begin, numbers, features


NO_PAIRS = np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 3))


def _pairs(positions: np.ndarray, cell: np.ndarray, cutoff_A: float) -> tuple | None:
    """Pairs of the atoms of a frame; None if its geometry cannot be used."""
    try:
        require_usable(positions, cell)
    except Unusable as error:
        print(f"a frame cannot be described: {error}")
        return None
    return undirected_pairs(positions, cell, cutoff_A)


def _interacted(
    x: np.ndarray,
    starts: np.ndarray,
    layers: passes.Layers,
    found: list,
    cutoff_A: float,
    threads: int,
) -> np.ndarray:
    """Features of the atoms of several frames, shape (atoms, features).

    Parameters
    ----------
    x
        Their embedding, shape (atoms, features); becomes the result.
    starts
        First atom of each frame, and the number of all, shape (frames + 1,).
    layers
        Interactions.
    found
        Pairs of the atoms of each frame.
    cutoff_A
        Reach of the pairs.
    threads
        Of the compiled loops.
    """
    i, j = (
        np.concatenate(
            [pairs[end] + first for pairs, first in zip(found, starts[:-1], strict=True)]
        )
        for end in (0, 1)
    )
    distances = np.linalg.norm(np.concatenate([pairs[2] for pairs in found]), axis=1)
    placed = hermite_weights(torch.from_numpy(distances).float(), cutoff_A, SEGMENTS)
    count = np.bincount(i, minlength=len(x))
    near = Near(np.cumsum(count) - count, count, j, *(t.numpy() for t in placed))
    # pairs stay inside their frame: ranges of whole frames never share an atom
    chosen = np.linspace(0, len(found), min(threads, len(found)) + 1).astype(np.int64)
    borders = starts[chosen].astype(np.int64)
    n_layers, _, n_filters = layers.in2f.shape
    v, sigma = np.empty((n_layers, len(x), n_filters), "f4"), np.empty((n_layers, *x.shape), "f4")
    v[0] = x @ layers.in2f[0]
    passes.forward(
        borders, borders, near, layers, x, v, np.empty((threads, *v[0].shape), "f4"), sigma
    )
    return x
