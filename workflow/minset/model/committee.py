"""Committees: force calls of the mean of models that differ in their seeds alone, and their spread."""

from collections.abc import Callable, Sequence

import numpy as np

from minset.evaluation import Evaluation, Evaluator


def mean_evaluator(members: Sequence[Evaluator], tell: Callable[[float], None]) -> Evaluator:
    """Force calls of the mean of some models: a potential too, whose forces are its energy's gradient.

    Parameters
    ----------
    members
        Their force calls.
    tell
        Gets the spread of each call, see `force_spread_eV_A`.
    """

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Evaluation:
        calls = [member(positions, cell) for member in members]
        tell(force_spread_eV_A(calls))
        return Evaluation(
            energy_eV=float(np.mean([call.energy_eV for call in calls])),
            atomic_energies_eV=np.mean([call.atomic_energies_eV for call in calls], axis=0),
            forces_eV_A=np.mean([call.forces_eV_A for call in calls], axis=0, dtype=np.float64),
            virial_eV=np.mean([call.virial_eV for call in calls], axis=0),
            shortest_A=calls[0].shortest_A,
        )

    return evaluate


def force_spread_eV_A(members: Sequence[Evaluation]) -> float:
    """Disagreement of models about the forces of one frame, in eV/A.

    The largest standard deviation of the force on an atom, max_i sqrt(<|F_i - <F_i>|^2>) over the atoms
    i, with means over the models (Zhang et al., Phys. Rev. Materials 3, 023804, 2019, eq. 5).
    """
    return float(np.sqrt(variance([m.forces_eV_A for m in members]).sum(axis=1).max()))


def variance(values: list) -> np.ndarray:
    """Variance over models without Bessel's correction: the members are the whole committee.

    Exactly 0 if all are equal, and the same in any order.
    """
    ordered = np.sort(np.array(values, np.float64), axis=0)
    return (ordered - ordered[0]).var(axis=0)
