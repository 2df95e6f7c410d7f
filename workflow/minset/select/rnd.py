"""Selector ``rnd``: random network distillation (Finkbeiner, Tovey, Holm, PRL 132, 167301, 2024).

A target network f and a predictor g map descriptors to a small space. The frame where they differ
most is picked, g is trained towards f on all picks so far, and so on: what g has learned to predict
is no longer new.

A frame has one descriptor for each atom, and is as novel as its most novel atom; or, as in the
paper, one descriptor in all.
"""

import pandas as pd

from minset.select.candidates import Candidates
from minset.select.record import Selector


def select_rnd(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Pick ``n`` frames, each the most novel one left; a killed selection goes on.

    Parameters
    ----------
    candidates
        Their descriptors are standardised first: over the candidates, or over all atoms of a species.
    n
        Number of picks.
    seed
        Target, predictor and training each get their own seed derived from it.
    options
        As in ``RECORD``.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``frame``, ``score`` (novelty when picked), ``training_steps`` and ``training_loss``
        (mean squared distance on the picks) of the training that followed.
    """
    from minset.select.novelty import novel_frames

    return novel_frames(candidates, n, seed, options)


_COUNT = {"type": "integer", "minimum": 1}
RECORD = Selector(
    options={
        "atoms": {
            "type": "boolean",
            "default": True,
            "description": "A frame is as novel as its most novel atom; false: descriptors of frames, as "
            "in the PRL",
        },
        "hidden": {
            "type": "array",
            "items": _COUNT,
            "default": [64, 64],
            "description": "Widths of the hidden layers of both networks (ReLU)",
        },
        "outputs": _COUNT | {"default": 32, "description": "Outputs of both networks"},
        "learning_rate": {
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 3e-3,
            "description": "Of Adam",
        },
        "max_steps": _COUNT | {"default": 200, "description": "Bounds the training after a pick"},
        "tolerance": {
            "type": "number",
            "minimum": 0,
            "default": 1e-4,
            "description": "Training ends earlier when the mean squared distance on the picks is at most "
            "this share of the pool's at the start",
        },
        "metric": {
            "enum": ["euclidean", "cosine"],
            "default": "euclidean",
            "description": "How far the outputs of the two networks are apart",
        },
        "picks_per_training": _COUNT
        | {
            "default": 1,
            "description": "With more than one, the most novel frames are taken together, but for those "
            "whose target is nearer to that of one of them than the predictor is wrong about them: the "
            "next training may teach it what they are",
        },
    },
    select=select_rnd,
    needs=lambda options: {"atoms" if options["atoms"] else "frames"},
)
