"""What an entry of ``minset.pool.GENERATORS`` holds."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Generator:
    """A way to fill a pool.

    Attributes
    ----------
    options, required
        JSON schema ``properties`` of the study's ``pool``, and the keys that it must have.
    plan
        ``plan(settings)``: the runs, plain data, from the study's ``pool``.
    sample
        ``sample(system, run, work)``: frames of one run; ``work`` is its folder, where a killed run
        goes on.
    """

    options: dict
    required: tuple[str, ...]
    plan: Callable[[dict], list[dict]]
    sample: Callable
