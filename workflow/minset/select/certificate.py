"""Selector ``certificate``: what a model gets wrong where it goes itself.

The frames by which a model's own simulation was judged (``minset.observe.certificate``) are labelled
already. Where it was not certified they become training frames of the next size.
"""

import numpy as np
import pandas as pd

from minset.observe.certificate import CERTIFIED, WHOLE
from minset.registry import defaults_of
from minset.select.candidates import Candidates
from minset.select.picks import next_picks
from minset.select.record import Selector


def select_certificate(candidates: Candidates, n: int, seed: int, options: dict) -> pd.DataFrame:
    """Up to ``n`` of the labelled frames of the certificate of the size before, evenly over its run.

    None where everything is certified. Where there are no such frames, since the simulation broke,
    was too short or no label was to be had, ``first`` picks from the pool.

    Parameters
    ----------
    candidates
        With the tables of the ``certificate``.
    n
        Number of new picks; there are fewer where the certificate has fewer frames.
    seed
        Of ``first``.
    options
        As in ``RECORD``.

    Returns
    -------
    pandas.DataFrame
        ``pick``, ``origin`` (the trajectory), ``frame`` (its number there), ``score`` (the model's force
        RMSE there) and ``unit`` of the score, eV/A; of the pool what ``first`` gives.
    """
    verdicts, frames = (pd.read_csv(path) for path in candidates.certificate)
    (whole,) = verdicts[verdicts["quantity"] == WHOLE].itertuples()
    if whole.verdict == CERTIFIED:
        print("everything is certified with the frames of the size before: nothing is added")
        frames = frames.head(0)
    elif frames.empty:
        print(
            f"the certificate has no frames ({whole.reason}): {options['first']} picks from the pool"
        )
        first = _first(options)
        there = len(candidates.known) + candidates.picked_elsewhere
        return next_picks(first, candidates, there + n, seed, defaults_of(first.options))
    else:
        print(
            f"{whole.verdict} ({whole.reason}): {min(n, len(frames))} of {len(frames)} frames picked"
        )
    if 0 < len(frames) < n:
        print(f"{n} frames were to be added; raise `certificate.frames` of the simulation for more")
    chosen = frames.iloc[_evenly(len(frames), n)]
    return pd.DataFrame(
        {
            "pick": range(len(chosen)),
            "origin": chosen["origin"].astype(str).to_numpy(),
            "frame": chosen["frame"].to_numpy(int),
            "score": chosen["force_rmse_eV_A"].to_numpy(float),
            "unit": "eV/A",
        }
    )


def _evenly(number: int, n: int) -> np.ndarray:
    """Indices of at most ``n`` out of a number of frames, in their order."""
    n = min(n, number)
    return ((np.arange(n) + 0.5) * number / max(n, 1)).astype(int)


def _first(options: dict) -> Selector | None:
    from minset.select import SELECTORS  # of which this is an entry

    return SELECTORS.get(options["first"])


def needs(options: dict) -> set[str]:
    """A certificate, and the descriptors that ``first`` looks at where that has no frames."""
    first = _first(options)  # None of a name that is a mistake in the study
    of_first = first.needs(defaults_of(first.options)) if first else set()
    return {"certificate"} | of_first & {"frames", "atoms"}


RECORD = Selector(
    options={
        "simulation": {
            "type": "string",
            "description": "Simulation of the study with a `certificate`, whose frames are picked",
        },
        "model": {
            "type": "string",
            "description": "Model of the study whose certificate it is; of a committee its first member",
        },
        "first": {
            "type": "string",
            "default": "random",
            "description": "Selector of the first size, when there are no models yet, and of sizes after "
            "one whose simulation broke",
        },
    },
    select=select_certificate,
    needs=needs,
    required=("simulation", "model"),
)
