"""What an entry of ``minset.pool.GENERATORS`` holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # planning a pool imports nothing that takes long
    from ase import Atoms


class NoFrames(ValueError):
    """A run of a pool that gives no frames; the message says why."""


class Sampled(NamedTuple):
    """Frames of a run, and what was left out of it and why, empty where nothing was.

    Each frame has what its source knows on its calculator: energy (eV), forces (eV/A), stress
    (eV/A^3), ``energies`` of atoms (eV); and in ``info`` ``time_ps``, ``temperature_K``,
    ``pressure_bar``.
    """

    frames: list[Atoms]
    note: str = ""


def _no_files(run: dict) -> list[str]:
    return []


def seconds_of_reading(run: dict, atoms: float) -> float:
    """Of one core, to read frames with so many atoms altogether."""
    return atoms * 1e-4


def crystal_mistakes(pool: dict, system: dict) -> list[str]:
    """A system or a number of atoms that makes no crystal with which runs could begin."""
    if pool.get("start", "liquid") == "liquid":
        return []
    from minset.md.start import crystal_start_needs

    return [f"start: {reason}" for reason in [crystal_start_needs(system, pool["ions"])] if reason]


@dataclass(frozen=True)
class Generator:
    """A way to fill a pool.

    Attributes
    ----------
    options, required
        JSON schema ``properties`` of the study's ``pool``, and the keys that it must have. One with
        the option ``potential`` runs molecular dynamics with a potential of the system.
    plan
        ``plan(settings)``: the runs, plain data, from the study's ``pool``. A run may lack
        ``frames``, their number, where only sampling tells it.
    sample
        ``sample(system, run, work)``: `Sampled` of one run, or `NoFrames`; ``work`` is its folder,
        where a killed run goes on.
    advice
        What to do where too many runs have no frames.
    files
        ``files(run)``: paths of the files that a run reads.
    has_labels
        Whether its frames may carry labels, for the labeler ``given``.
    mistakes
        ``mistakes(settings, system)``: what is wrong with the study's ``pool`` in view of a system, each
        beginning with a key of it.
    seconds
        ``seconds(run, atoms)``: of one core, for a run whose frames have so many atoms altogether; not
        asked of molecular dynamics with a potential of the system.
    of_crystal
        ``of_crystal(run)``: whether sampling a run looks at the system's crystal.
    """

    options: dict
    required: tuple[str, ...]
    plan: Callable[[dict], list[dict]]
    sample: Callable[..., Sampled]
    advice: str
    files: Callable[[dict], list[str]] = _no_files
    has_labels: bool = False
    mistakes: Callable[[dict, dict], list[str]] = crystal_mistakes
    of_crystal: Callable[[dict], bool] = lambda run: run.get("start") == "crystal"
    seconds: Callable[[dict, float], float] = seconds_of_reading
