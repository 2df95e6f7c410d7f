"""What an entry of ``minset.potential.POTENTIALS`` holds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minset.evaluation import Evaluator
from minset.system import covalent_contact_A


def _nothing(value: dict, *_) -> list[str]:
    return []


def _of_lammps(value: dict) -> float:
    """Rounded up from results/benchmarks."""
    return 3e-5


def _of_covalent_radii(system: dict, a: str, b: str) -> float:
    return covalent_contact_A(a, b)


def _as_given(value: dict, system: dict) -> dict:
    return value


@dataclass(frozen=True)
class Potential:
    """A kind of potential: what its value in a system file holds, and how its forces are made.

    Either LAMMPS makes them, from commands, or a function does.

    Attributes
    ----------
    options, required
        JSON schema ``properties`` of the value beside ``potential`` and ``source``, and the keys that
        it must have.
    commands
        ``commands(system)``: LAMMPS commands (pair and k-space styles, coefficients) for a system.
    evaluator
        ``evaluator(system, numbers, threads)``: force calls and the version of what makes them.
    contact_A
        ``contact_A(system, a, b)``: distance in A at which two species touch.
    files
        ``files(value)``: paths of the files that the potential reads.
    mistakes
        ``mistakes(value, species)``: what a schema cannot see, one line each, beginning with the key.
    completed
        ``completed(value, system)``: the value with what the rest of the system file decides; raises
        ValueError, beginning with the key, where that cannot be.
    finely
        ``finely(system)``: the system with a potential that costs more and is as exact as it can be.
    needs_charges
        Whether it needs charges of the species.
    whole
        Whether MD can run with it alone; another one serves as a baseline of models only.
    aside
        Options that change no force: where files and programs are, which are told by their hashes.
    seconds_per_atom
        ``seconds_per_atom(value)`` of a force call on one core.
    """

    options: dict
    commands: Callable[[dict], list[str]] | None = None
    evaluator: Callable[[dict, np.ndarray, int], tuple[Evaluator, str]] | None = None
    required: tuple[str, ...] = ()
    contact_A: Callable[[dict, str, str], float] = _of_covalent_radii
    files: Callable[[dict], list[str]] = _nothing
    mistakes: Callable[[dict, list[str]], list[str]] = _nothing
    completed: Callable[[dict, dict], dict] = _as_given
    finely: Callable[[dict], dict] = lambda system: system
    needs_charges: bool = False
    whole: bool = True
    aside: frozenset[str] = frozenset({"file"})
    seconds_per_atom: Callable[[dict], float] = _of_lammps
