"""Selector ``fps``: farthest point sampling on the descriptors, by scikit-matter (BSD licence)."""

import numpy as np
import pandas as pd

from minset.select.candidates import Candidates, standardised
from minset.select.record import Selector


def select_fps(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick the frame farthest from all picks so far, beginning with one drawn at random.

    Frames with equal descriptors are picked only when no others are left, in random order.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``frame`` and ``score``: distance to the nearest earlier pick, in standard
        deviations of the descriptors; NaN for the first.
    """
    from skmatter.sample_selection import FPS

    rng = np.random.default_rng(seed)
    x = standardised(candidates.descriptors)
    # equal rows would be picked twice: scikit-matter sees each once
    distinct = np.sort(np.unique(x, axis=0, return_index=True)[1])
    count = min(n, len(distinct))
    first = int(rng.integers(len(distinct)))
    if count > 1:
        selector = FPS(n_to_select=count, initialize=first).fit(x[distinct])
        chosen, scores = selector.selected_idx_, np.sqrt(selector.get_select_distance())
    else:
        chosen, scores = np.array([first]), np.array([np.nan])
    picks = distinct[chosen]
    rest = rng.permutation(np.setdiff1d(np.arange(len(x)), picks))[: n - count]
    score = np.concatenate([[np.nan], scores[1:], np.zeros(len(rest))])
    frames = candidates.frames[np.concatenate([picks, rest]).astype(int)]
    return pd.DataFrame({"pick": range(n), "frame": frames, "score": score})


RECORD = Selector(options={}, select=select_fps, needs=lambda options: {"frames"})
