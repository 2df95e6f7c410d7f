"""What the registry of descriptors holds of an entry."""

from collections.abc import Callable
from dataclasses import dataclass


def nothing_amiss(options: dict) -> list[str]:
    """Mistakes of a descriptor that has nothing to check beyond its schema."""
    return []


@dataclass(frozen=True)
class Descriptor:
    """A way to describe the frames of a pool for selectors.

    Attributes
    ----------
    options
        JSON schema ``properties`` of its options, with defaults.
    describe
        ``describe(pool, path, of, options, threads)`` writes an array of float32 in one step. ``of`` is
        ``"atoms"``: a row for each atom, shape (T, n_max, features), where rows of padding repeat the
        frame's first atom; or ``"frames"``: a row for each frame, shape (T, species x features), the mean
        over its atoms of each species of the pool by increasing atomic number, 0 for those that it lacks.
        NaN for a frame whose geometry cannot be used.
    mistakes
        ``mistakes(options)``: what is wrong with them, each beginning with one of them.
    """

    options: dict
    describe: Callable
    mistakes: Callable[[dict], list[str]] = nothing_amiss
