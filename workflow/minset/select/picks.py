"""The picks that a size adds to those of the sizes before."""

import pandas as pd

from minset.select.candidates import Candidates
from minset.select.record import Selector


def next_picks(
    selector: Selector, candidates: Candidates, n: int, seed: int, options: dict
) -> pd.DataFrame:
    """Picks that bring a selection to ``n`` frames.

    A selector that does not look at models orders all ``n`` again, and what is known is left out: its
    order is the same at every length. One that does is asked for the new ones only.

    Parameters
    ----------
    selector
        Record of the registry.
    candidates
        Frames that may be picked, with those that smaller sizes have picked already in ``known`` and
        the number of those that are not from the pool.
    n
        Number of frames of the selection, known ones included.
    seed
        Of the selector.
    options
        Complete options of the selector.

    Returns
    -------
    pandas.DataFrame
        The selector's table of up to ``n`` less the known ones; ``pick`` goes on counting from these.
    """
    there = len(candidates.known) + candidates.picked_elsewhere
    wanted = n - there
    if wanted < 1:
        raise ValueError(
            f"{there} frames are picked already and {n} are wanted; sizes must increase"
        )
    of_models = selector.needs(options) & {"models", "certificate"}
    table = selector.select(candidates, wanted if of_models else n, seed, options)
    if "origin" not in table:  # frames of the pool
        table = table[~table["frame"].isin(candidates.known)]
    new = table.head(wanted).reset_index(drop=True)
    return new.assign(pick=range(there, there + len(new)))
