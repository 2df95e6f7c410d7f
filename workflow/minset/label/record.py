"""What an entry of LABELERS says of itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms

from minset.label.store import RawLabel


@dataclass(frozen=True)
class Labeler:
    """A labeler: the function that computes labels, and what the workflow must know of it.

    Attributes
    ----------
    name
        Part of the key of each label; the name in LABELERS.
    label
        ``label(atoms, settings, workdir, threads)``, the label of one frame. It may leave files in
        ``workdir``, which is the frame's alone, and beside it what the next frame can use.
    options
        What a study may set under ``labels.settings``, as ``properties`` of a JSON schema.
    settings_of
        ``settings_of(system, given)``, the complete settings from the content of a system file
        and the study's ``labels.settings``.
    physics
        ``physics(settings, atoms)``, the part of the settings that decides the label of this very
        frame, as JSON values; it is part of the key. No commands and limits, nothing about
        elements that the frame does not have, and files by their hash.
    mistakes
        ``mistakes(system, given)``, of the same arguments one line for each mistake that can be
        seen before a run; ``settings_of`` needs those without.
    environment
        Name of the file in ``envs/`` without ``.yaml`` that has what the labeler needs.
    seconds, megabytes
        ``seconds(settings, ions)`` of one frame on one core and ``megabytes(settings, ions)`` of
        memory, for what a job asks of a cluster.
    effort
        Settings that say how a label is reached, not what it is: commands, limits. They reach a job
        beside its parameters, so that another command computes nothing again.
    required
        The options that a study must give.
    of_frame
        Keys of ``physics`` that tell frames apart, not settings: they may differ within a dataset.
    needs_labels
        Whether frames must come with labels on their calculators, as a pool of files has them.
    """

    name: str
    label: Callable[[Atoms, dict, Path, int], RawLabel]
    options: dict[str, dict]
    settings_of: Callable[[dict, dict], dict[str, Any]]
    physics: Callable[[dict, Atoms], dict[str, Any]]
    mistakes: Callable[[dict, dict], list[str]]
    environment: str
    seconds: Callable[[dict, int], float]
    megabytes: Callable[[dict, int], float]
    effort: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()
    of_frame: frozenset[str] = frozenset()
    needs_labels: bool = False
