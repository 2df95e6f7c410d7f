"""What the registry of selectors holds of an entry."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Selector:
    """A way to choose the frames that are worth labelling.

    Attributes
    ----------
    options
        JSON schema ``properties`` of its options, with defaults.
    select
        ``select(candidates, n, seed, options)`` gives a table with columns ``pick``, ``frame`` (pool
        index) and ``score``, in the order of the picks. One that does not look at models orders ``n``
        frames, the same at every ``n``; one that does gives up to ``n`` that are not yet known. Frames
        that are not from the pool come with ``origin``, the file in which ``frame`` is their number.
    needs
        ``needs(options)`` says what it looks at: a subset of ``{"frames", "atoms", "models",
        "certificate"}``, the first two being descriptors, the others of the size before.
    required
        Options that have no default and must be given.
    """

    options: dict
    select: Callable
    needs: Callable[[dict], set[str]]
    required: tuple[str, ...] = ()
