"""Selector ``random``: frames of the pool without replacement."""

import numpy as np
import pandas as pd

from minset.select.candidates import Candidates


def select_random(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames at random; the first k of n are a random selection of k."""
    rng = np.random.default_rng(seed)
    picks = rng.permutation(candidates.frames)[:n]
    return pd.DataFrame({"pick": range(n), "frame": picks, "score": np.nan})
