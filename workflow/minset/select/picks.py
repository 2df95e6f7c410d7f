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
        Frames that may be picked, with those that smaller sizes have picked already in ``known``.
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
    wanted = n - len(candidates.known)
    if wanted < 1:
        raise ValueError(
            f"{len(candidates.known)} frames are picked already and {n} are wanted; sizes must increase"
        )
    at_once = wanted if "models" in selector.needs(options) else n
    table = selector.select(candidates, at_once, seed, options)
    new = table[~table["frame"].isin(candidates.known)].head(wanted).reset_index(drop=True)
    return new.assign(pick=range(len(candidates.known), len(candidates.known) + len(new)))
