"""A potential below a model: the model learns what it leaves, and both together make the forces.

What a model cannot see, such as the electrostatics beyond its cutoff, is no longer asked of it. The
baseline is a system with one of its potentials (``species``, ``potential``), in full in the model's
description: a trained model needs no other file.
"""

import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.evaluation import Evaluation, Evaluator
from minset.files import write_json
from minset.model.record import DESCRIPTION

BASELINE = "baseline"  # its key in settings and in descriptions


def without_baseline(frames: list[Atoms], baseline: dict, threads: int = 1) -> list[Atoms]:
    """Frames whose labels (eV, eV/A, eV/A^3) are those given less those of the baseline.

    Raises
    ------
    ValueError
        If the baseline can make no forces of a frame.
    """
    from minset.potential.forces import single_point

    rest = []
    for frame in frames:
        point = single_point(baseline, frame, threads)
        labels = {
            "energy": frame.get_potential_energy() - point.energy_eV,
            "forces": frame.get_forces() - point.forces_eV_A,
        }
        if "stress" in frame.calc.results:
            labels["stress"] = frame.get_stress(voigt=False) - point.stress_eV_A3
        rest.append(frame.copy())
        rest[-1].calc = SinglePointCalculator(rest[-1], **labels)
    return rest


def with_baseline(
    learned: Evaluator, baseline: dict, numbers: np.ndarray, threads: int = 1, fine: bool = False
) -> Evaluator:
    """Force calls of a model and its baseline together, ``fine`` as of ``minset.model.evaluator_of``."""
    from minset.potential import record_of
    from minset.potential.forces import evaluator, lasting_evaluator

    if fine:
        below = lasting_evaluator(record_of(baseline).finely(baseline), numbers, threads)
    else:
        below = evaluator(baseline, numbers, threads)

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        a, b = learned(positions, cell), below(positions, cell)
        return Evaluation(
            energy_eV=a.energy_eV + b.energy_eV,
            atomic_energies_eV=a.atomic_energies_eV + b.atomic_energies_eV,
            forces_eV_A=a.forces_eV_A + b.forces_eV_A,
            virial_eV=a.virial_eV + b.virial_eV,
            shortest_A=a.shortest_A,
        )

    return evaluate


def describe_baseline(folder: Path, baseline: dict) -> None:
    """Write the baseline into the description of a trained model."""
    path = Path(folder) / DESCRIPTION
    write_json(path, json.loads(path.read_text()) | {BASELINE: baseline})
