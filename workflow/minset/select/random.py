"""Selectors ``random`` and ``single_run_random``: frames without replacement."""

import numpy as np
import pandas as pd

from minset.select.candidates import Candidates
from minset.select.record import Selector


def select_random(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames at random; the first k of n are a random selection of k."""
    rng = np.random.default_rng(seed)
    picks = rng.permutation(candidates.frames)[:n]
    return pd.DataFrame({"pick": range(n), "frame": picks, "score": np.nan})


def select_single_run_random(
    candidates: Candidates, n: int, seed: int, options: dict
) -> pd.DataFrame:
    """Pick ``n`` frames at random from one MD run of the pool, itself drawn at random.

    The worst that a user can do with a pool of many runs, as in "Efficient data selection methods"
    (2021).

    Raises
    ------
    ValueError
        If the run has fewer than ``n`` frames, or the pool does not know the runs of its frames.
    """
    if pd.isna(candidates.runs).any():
        raise ValueError(
            f"{candidates.pool} does not say which MD run each frame is from, which single_run_random "
            "needs; take another selector"
        )
    rng = np.random.default_rng(seed)
    run = rng.choice(np.unique(candidates.runs))
    frames = candidates.frames[candidates.runs == run]
    if n > len(frames):
        raise ValueError(
            f"run {run} of the pool has {len(frames)} candidate frames, {n} were asked of it; raise "
            f"pool.frames or lower sizes"
        )
    picks = rng.permutation(frames)[:n]
    return pd.DataFrame({"pick": range(n), "frame": picks, "score": np.nan})


RECORD = Selector(options={}, select=select_random, needs=lambda options: set())
SINGLE_RUN = Selector(options={}, select=select_single_run_random, needs=lambda options: set())
