"""Selector ``entropy_gain``: the most informative frame next, with quests (BSD licence).

Minimum set cover of Yu, Lordi and Schwalbe-Koda (arXiv:2511.10561, 2025) with the descriptors and the
kernel of Schwalbe-Koda et al., Nature Communications 16, 4014 (2025). Every environment of every atom
counts, so that a frame is picked for one rare environment that an average over its atoms would hide.
"""

import time
from itertools import pairwise

import numpy as np
import pandas as pd

from minset.select.candidates import Candidates
from minset.select.record import Selector

SMALLEST = 1e-300  # kernel sum that counts: that of two environments 37 bandwidths apart


def select_entropy_gain(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick the frame with the largest gain of information, beginning with one drawn at random.

    The gain of a frame Y, given the picks X so far, is max_i dH(y_i | X) + H(Y): how new the newest of
    its environments is, and how diverse they are among themselves. With the Gaussian kernel K of
    bandwidth h, dH(y | X) = -ln sum_x K(y, x) and H(Y) = -mean_i ln [sum_j K(y_i, y_j) / N]. Where
    this differs from ``quests.compression.fps.msc``: the first frame is drawn at random, not the one of
    the largest H; environments of atoms of different species have K = 0; and those farther than 37 h
    from all others are equally new, not infinitely. Nothing is approximated: gains only fall as picks
    are added, so a frame is looked at again only when its last gain would make it the next pick, and of
    its atoms only those that may be the newest.

    Descriptors of environments are computed block by block and kept in a file, 0.5 GB for 10 000 frames
    of 100 ions; memory holds one number per atom of the pool. A killed selection finds them again.

    Parameters
    ----------
    seed
        Of the first pick, and of the order among frames with equal gains.
    options
        As in ``RECORD``; ``bandwidth_inverse_A`` is h, of descriptors ``bandwidth``.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``frame`` and ``score``: the gain in nats; NaN for the first.
    """
    from minset.model.schnet.passes import use_threads
    from minset.select.environments import described_environments, environments
    from minset.select.picked_environments import Picked, entropy, look_again

    use_threads(candidates.threads)
    frames = np.sort(candidates.frames)
    if options.get("environments") == "descriptors":
        x_of = described_environments(candidates)
        bandwidth = options.get("bandwidth") or x_of.bandwidth
    else:
        x_of = environments(candidates, options)
        bandwidth = options.get("bandwidth_inverse_A") or x_of.bandwidth
    starts = x_of.starts
    kinds = np.unique(x_of.numbers)

    def read(row: int) -> dict[int, np.ndarray]:
        """Environments of the atoms of each species of a frame, shape (atoms, columns)."""
        x, numbers = x_of.of(row), x_of.numbers[starts[row] : starts[row + 1]]
        return {z: x[numbers == z] for z in kinds if (numbers == z).any()}

    order = np.random.default_rng(seed).permutation(len(frames))
    picks, scores = [order[0]], [np.nan]
    picked = Picked(bandwidth)
    picked.add(read(order[0]))
    kernels, entropies = np.zeros(starts[-1]), np.empty(len(frames))
    known = np.ones(starts[-1], np.int32)  # picks that the kernel sum of an atom knows of
    of_frame = [slice(*ends) for ends in pairwise(starts)]
    for row in range(len(frames)):
        x = read(row)
        kernels[of_frame[row]] = np.concatenate([picked.sums(z, x[z]) for z in x])
        entropies[row] = entropy(list(x.values()), bandwidth)
    gains = entropies - np.log(np.fmax(np.minimum.reduceat(kernels, starts[:-1]), SMALLEST))
    gains[order[0]] = -np.inf
    looks, began = 0, time.monotonic()
    while len(picks) < n:
        row = order[gains[order].argmax()]
        own = of_frame[row]
        if known[own][kernels[own].argmin()] == len(picks):
            picks.append(row)
            scores.append(gains[row])
            picked.add(read(row))
            gains[row] = -np.inf
            continue
        look_again(x_of.of(row), x_of.numbers[own], kernels[own], known[own], picked)
        gains[row] = entropies[row] - np.log(max(kernels[own].min(), SMALLEST))
        looks += 1
    print(
        f"{n} of {len(frames)} frames picked in {time.monotonic() - began:.0f} s, with {looks} looks "
        "at gains"
    )
    return pd.DataFrame({"pick": range(n), "frame": frames[picks], "score": scores})


RECORD = Selector(
    options={
        "environments": {
            "enum": ["quests", "descriptors"],
            "description": "Seen by quests' descriptor, or by the study's `descriptors` of atoms; quests "
            "when absent",
        },
        "bandwidth": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Of the kernel of descriptors, in their standard deviations; by Scott's rule "
            "when absent",
        },
        "neighbours": {
            "type": "integer",
            "minimum": 2,
            "default": 32,
            "description": "Nearest atoms that describe an environment of quests",
        },
        "cutoff_A": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 5.0,
            "description": "Where they cease to count",
        },
        "bandwidth_inverse_A": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Of the kernel, in 1/A; when absent by quests' rule for the mean volume per "
            "atom",
        },
    },
    select=select_entropy_gain,
    needs=lambda options: {"atoms"} if options.get("environments") == "descriptors" else set(),
)
