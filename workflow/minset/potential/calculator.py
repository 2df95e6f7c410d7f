"""Any ASE calculator as a potential, such as a universal model, in a process of its own."""

import functools
import json
import os

import numpy as np

from minset.calculators import CalculatorProcess
from minset.contacts import shortest_A
from minset.evaluation import Evaluation, Evaluator, require_apart
from minset.potential.files import SHA256, require_same
from minset.potential.record import Potential

_WORD = {"type": "string", "minLength": 1}
OPTIONS = {
    "calculator": _WORD
    | {
        "pattern": r"^[\w.]+:[\w.]+$",
        "description": "`module:name` of a function or class that returns an ASE calculator",
    },
    "parameters": {
        "type": "object",
        "default": {},
        "description": "Its keyword arguments",
    },
    "python": _WORD
    | {
        "description": "Interpreter that has it, like .venv-chgnet/bin/python, from the repository or "
        "on the PATH; minset's own when absent",
    },
    "files": {
        "type": "array",
        "items": _WORD,
        "default": [],
        "description": "Files that it reads, such as weights: with other content it is another one",
    },
    "sha256": SHA256,
    "seconds_per_atom_call": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 2e-3,
        "description": "Time of a force call on one core, for what jobs ask of a cluster",
    },
}


def evaluator(system: dict, numbers: np.ndarray, threads: int) -> tuple[Evaluator, str]:
    """Force calls of the calculator of a system, and its version.

    Raises
    ------
    minset.interpreters.CalculatorUnusable
        If the calculator cannot be made.
    ValueError
        If a file is another one than that the system was read with, or the calculator has no stress
        or does not converge.
    """
    value = system["potential"]
    require_same(value, value["files"])
    process = _process(json.dumps(value, sort_keys=True), threads, os.getpid())

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        shortest = shortest_A(numbers, positions, cell)
        require_apart(shortest)
        point = process.calculate(numbers, positions, cell)
        if point.converged is False:
            raise ValueError(f"{value['calculator']} did not converge")
        if point.stress_eV_A3 is None:
            raise ValueError(
                f"{value['calculator']} has no stress, which molecular dynamics needs here; take one "
                "that has, or use it as labeler (`labeler: ase`)"
            )
        return Evaluation(
            energy_eV=point.energy_eV,
            atomic_energies_eV=np.full(len(numbers), np.nan),
            forces_eV_A=point.forces_eV_A,
            virial_eV=point.stress_eV_A3 * abs(np.linalg.det(cell)),
            shortest_A=shortest,
        )

    return evaluate, process.version


@functools.lru_cache(maxsize=1)
def _process(value: str, threads: int, owner: int) -> CalculatorProcess:
    """The calculator, made once for all frames of a job: models take seconds to load."""
    given = json.loads(value)
    return CalculatorProcess(given["calculator"], given["parameters"], given.get("python"), threads)


RECORD = Potential(
    options=OPTIONS,
    required=("calculator",),
    evaluator=evaluator,
    files=lambda value: value["files"],
    aside=frozenset({"files", "python", "seconds_per_atom_call"}),
    seconds_per_atom=lambda value: value["seconds_per_atom_call"],
)
