"""Selectors: which frames are worth labelling.

A new one is one module with a ``RECORD`` and one line here.
"""

from minset.select import (
    certificate,
    disagreement,
    entropy_gain,
    explore,
    fps,
    grid,
    random,
    rnd,
    uniform,
)
from minset.select.record import Selector

SELECTORS: dict[str, Selector] = {
    "atomic_energy": uniform.ATOMIC_ENERGY,
    "certificate": certificate.RECORD,
    "disagreement": disagreement.RECORD,
    "entropy_gain": entropy_gain.RECORD,
    "explore": explore.RECORD,
    "force": uniform.FORCE,
    "fps": fps.RECORD,
    "global_energy": uniform.GLOBAL_ENERGY,
    "grid": grid.RECORD,
    "random": random.RECORD,
    "rnd": rnd.RECORD,
    "single_run_random": random.SINGLE_RUN,
}
