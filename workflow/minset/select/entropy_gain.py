"""Selector ``entropy_gain``: the most informative frame next, with quests (BSD licence).

Minimum set cover of Yu, Lordi and Schwalbe-Koda (arXiv:2511.10561, 2025) with the descriptors and the
kernel of Schwalbe-Koda et al., Nature Communications 16, 4014 (2025). Every environment of every atom
counts, so that a frame is picked for one rare environment that an average over its atoms would hide.
"""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from quests.descriptor import descriptor_pbc
from quests.entropy import get_bandwidth, kernel_sum

from minset.model.schnet.passes import use_threads
from minset.pool.store import read_geometries
from minset.select.candidates import Candidates

DEFAULTS = {"neighbours": 32, "cutoff_A": 5.0, "bandwidth_inverse_A": None}
FRAMES_PER_BATCH = 64
FILE = "environments.f32"
SMALLEST = 1e-300  # kernel sum that counts: that of two environments 37 bandwidths apart


def select_entropy_gain(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick the frame with the largest gain of information, beginning with one drawn at random.

    The gain of a frame Y, given the picks X so far, is max_i dH(y_i | X) + H(Y): how new the newest of
    its environments is, and how diverse they are among themselves. With the Gaussian kernel K of
    bandwidth h, dH(y | X) = -ln sum_x K(y, x) and H(Y) = -mean_i ln [sum_j K(y_i, y_j) / N]. Where
    this differs from ``quests.compression.fps.msc``: the first frame is drawn at random, not the one of
    the largest H; environments of atoms of different species have K = 0; and those farther than 37 h
    from all others are equally new, not infinitely. Nothing is approximated: gains only fall as picks
    are added, so a frame is evaluated again only when its last gain would make it the next pick.

    Descriptors of environments are computed block by block and kept in a file, 0.5 GB for 10 000 frames
    of 100 ions; memory holds one number per atom of the pool. A killed selection finds them again.

    Parameters
    ----------
    seed
        Of the first pick, and of the order among frames with equal gains.
    options
        ``neighbours`` and ``cutoff_A``: of the descriptors, see `environments`.
        ``bandwidth_inverse_A``: h, in 1/A; when absent by quests' rule for the mean volume per atom.

    Returns
    -------
    pd.DataFrame
        ``pick``, ``frame`` and ``score``: the gain in nats; NaN for the first.
    """
    options = DEFAULTS | options
    use_threads(torch.get_num_threads())
    frames = np.sort(candidates.frames)
    numbers, bandwidth = _numbers_and_bandwidth(candidates.pool, frames)
    bandwidth = options["bandwidth_inverse_A"] or bandwidth
    path = environments(candidates, options)
    size = path.stat().st_size // 4 // len(frames)
    # environments of a frame stand by species
    ends = np.cumsum([0, *np.unique(numbers, return_counts=True)[1]])
    species = [slice(*pair) for pair in pairwise(ends)]

    def read(row: int) -> np.ndarray:
        x = np.fromfile(path, np.float32, size, offset=4 * size * row)
        return x.reshape(len(numbers), -1).astype(np.float64)

    def sums(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Sum over y of K(x, y), shape (atoms,); y (..., atoms, d) may be of several frames."""
        width = x.shape[-1]
        parts = (kernel_sum(x[s], y[..., s, :].reshape(-1, width), bandwidth) for s in species)
        return np.maximum(np.concatenate(list(parts)), SMALLEST)

    order = np.random.default_rng(seed).permutation(len(frames))
    picks, scores = [order[0]], [np.nan]
    picked = read(order[0])[None]
    kernels, entropies = np.zeros((len(frames), len(numbers))), np.empty(len(frames))
    for row in range(len(frames)):
        x = read(row)
        kernels[row] = sums(x, picked)
        entropies[row] = -np.log(sums(x, x) / len(numbers)).mean()
    gains = -np.log(kernels.min(axis=1)) + entropies
    gains[order[0]] = -np.inf
    seen = np.ones(len(frames), int)  # picks that the gain of a frame knows of
    evaluations, began = 0, time.monotonic()
    while len(picks) < n:
        row = order[gains[order].argmax()]
        if seen[row] == len(picks):
            picks.append(row)
            scores.append(gains[row])
            picked = np.concatenate([picked, read(row)[None]])
            gains[row] = -np.inf
            continue
        kernels[row] += sums(read(row), picked[seen[row] :])
        gains[row] = -np.log(kernels[row].min()) + entropies[row]
        seen[row] = len(picks)
        evaluations += 1
    print(
        f"{n} of {len(frames)} frames picked in {time.monotonic() - began:.0f} s, with "
        f"{evaluations} evaluations of gains"
    )
    return pd.DataFrame({"pick": range(n), "frame": frames[picks], "score": scores})


def environments(candidates: Candidates, options: dict) -> Path:
    """Descriptors of the environments of all atoms of the candidates, as a file of float32.

    An atom is described by its neighbours, whatever they are, and if there are several species once
    more by those of its own species alone, as quests' descriptor of systems with several components
    does: sorted inverse distances (1/A) to the nearest ``neighbours`` atoms and means of those among
    them, with weights that vanish at ``cutoff_A``. One that takes part in nothing is zero.

    Returns
    -------
    Path
        In ``candidates.work``: shape (frames, atoms, columns) with frames by increasing number and
        atoms by species. One that is not complete is continued.
    """
    frames, path = np.sort(candidates.frames), candidates.work / FILE
    numbers, _, batches = read_geometries(candidates.pool, FRAMES_PER_BATCH)
    members = [np.flatnonzero(numbers == z) for z in np.unique(numbers)]
    columns = (2 * options["neighbours"] - 1) * (2 if len(members) > 1 else 1)
    row_bytes = 4 * columns * len(numbers)
    done = path.stat().st_size // row_bytes if path.exists() else 0
    before, began = done, time.monotonic()
    reported = began
    with open(path, "ab") as file:
        file.truncate(done * row_bytes)
        for begin, positions, cells in batches:
            rows = frames[done:][frames[done:] < begin + len(positions)] - begin
            if not len(rows):
                continue
            blocks = [_describe(positions[k], cells[k], members, options) for k in rows]
            file.write(np.array(blocks, np.float32).tobytes())
            file.flush()
            done += len(rows)
            if time.monotonic() - reported > 5 or done == len(frames):
                reported = time.monotonic()
                rate = (done - before) / (reported - began)
                print(
                    f"environments of {done} of {len(frames)} frames, {rate:.0f} frames/s, "
                    f"{(len(frames) - done) / rate:.0f} s left",
                    flush=True,
                )
    return path


def _describe(positions: np.ndarray, cell: np.ndarray, members: list, options: dict) -> np.ndarray:
    """Environments of one frame, shape (atoms, columns), atoms by species."""

    def describe(x):
        parts = descriptor_pbc(x, cell, options["neighbours"], options["cutoff_A"])
        return np.concatenate(parts, axis=1)

    everything = describe(positions)
    if len(members) == 1:
        return everything
    parts = [np.hstack([everything[m], describe(positions[m])]) for m in members]
    return np.concatenate(parts)


def _numbers_and_bandwidth(pool: Path, frames: np.ndarray) -> tuple[np.ndarray, float]:
    """Atomic numbers, and the bandwidth that quests has for the mean volume per atom, in 1/A."""
    numbers, _, batches = read_geometries(pool, 4096)
    volumes = np.concatenate([np.abs(np.linalg.det(cells)) for _, _, cells in batches])
    return numbers, float(get_bandwidth(volumes[frames].mean() / len(numbers)))
