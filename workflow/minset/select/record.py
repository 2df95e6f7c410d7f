"""What the registry of selectors holds of an entry."""

from collections.abc import Callable
from dataclasses import dataclass

OF_COMMITTEES = {
    "model": {
        "type": "string",
        "description": "Model of the study whose members vote; it needs two `members` or more",
    },
    "first": {
        "type": "string",
        "default": "random",
        "description": "Selector of the first size, when there are no models yet",
    },
}
"""Options of every selector that asks a committee"""


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
        that are not from the pool come with ``origin``, of which ``frame`` is their number; one that
        makes frames itself writes them to ``OWN_FRAMES`` of its working folder.
    needs
        ``needs(options)`` says what it looks at: a subset of ``{"frames", "atoms", "models",
        "certificate", "system"}``: descriptors of these, models and certificate of the size before, and
        the system's species and crystal, which come as the option ``system``.
    mistakes
        ``mistakes(options, system, cutoff_A)`` says what is wrong with its options in view of a system
        file and the largest cutoff of the models, a line each that begins with the option.
    required
        Options that have no default and must be given.
    """

    options: dict
    select: Callable
    needs: Callable[[dict], set[str]]
    mistakes: Callable[[dict, dict, float], list[str]] = lambda options, system, cutoff_A: []
    required: tuple[str, ...] = ()
