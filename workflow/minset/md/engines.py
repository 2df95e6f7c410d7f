"""Force engines of LAMMPS runs: what makes the forces, and what it can say about them.

An engine is a function ``attach(lmp, symbols, system)`` that gives a LAMMPS instance its forces and
returns a function ``alarm()`` that says what broke since the run began: an ``Alarm``, or None.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

from minset.contacts import closest_matrix_A
from minset.evaluation import Evaluation, Evaluator, Unusable, require_usable
from minset.md.cell import box_of
from minset.md.session import obey
from minset.model import baseline_of, evaluator_of, learned_evaluator
from minset.model.committee import mean_evaluator
from minset.potential import commands_of, record_of

# Dynamics beyond these count as broken; a study can change them.
LIMITS = {
    "force_eV_A": 30.0,
    "temperature_percent": 30.0,
    "energy_eV_atom": 0.25,
    "expansion": 2.0,  # volume relative to the first window's
    "window_ps": 1.0,
}
# LAMMPS's variable with the disagreement of a committee
SPREAD = "force_spread"
# for forces from outside: no neighbours are needed, but `pair_style none` would leave LAMMPS no cutoff
NO_PAIRS = ("pair_style zero 0.5 nocoeff", "pair_coeff * *")


@dataclass(frozen=True)
class Alarm:
    """The first step at which the dynamics were unphysical, and what was wrong."""

    step: int
    reason: str


Attach = Callable[[object, list[str], dict], Callable[[], Alarm | None]]


def potential_engine(threads: int = 1) -> Attach:
    """The potential of the system: LAMMPS's own, or force calls behind ``fix external``."""

    def attach(lmp, symbols: list[str], system: dict) -> Callable[[], Alarm | None]:
        made = record_of(system).evaluator
        if made is None:
            for command in commands_of(system):
                obey(lmp, command)
            return lambda: None
        evaluate, _ = made(system, np.array([atomic_numbers[s] for s in symbols]), threads)
        return attach_external(lmp, evaluate, lambda result: "")

    return attach


def model_engine(
    folder: Path,
    limits: dict,
    closest_A: dict[str, float],
    threads: int = 1,
    reference: bool = False,
) -> Attach:
    """A trained model behind LAMMPS's ``fix external``: forces, energy and virial each step.

    A baseline that LAMMPS can compute is its own: the commands of that potential, beside the fix.

    Parameters
    ----------
    folder
        Of the model.
    limits
        ``force_eV_A``: a larger force on any atom raises the alarm.
    closest_A
        So does a pair of atoms closer than this, by names like ``K-Cl``; see
        ``minset.contacts.closest_allowed_A``. Pairs that are missing may come as close as half the sum
        of their covalent radii.
    threads
        Of the force calls.
    reference
        Whether the network itself makes the forces, instead of its tables.
    """

    def attach(lmp, symbols: list[str], system: dict) -> Callable[[], Alarm | None]:
        evaluate, commands = _model_calls(folder, symbols, system, threads, reference)
        find = _alarm_check(symbols, limits, closest_A)
        return attach_external(lmp, evaluate, find, commands)

    return attach


def committee_engine(
    folders: Sequence[Path],
    limits: dict,
    closest_A: dict[str, float],
    threads: int = 1,
    reference: bool = False,
) -> Attach:
    """The mean of the members of a committee, as `model_engine`.

    The internal variable ``SPREAD`` of LAMMPS has their disagreement at each step, see
    ``minset.model.committee.force_spread_eV_A``.
    """

    def attach(lmp, symbols: list[str], system: dict) -> Callable[[], Alarm | None]:
        calls = [_model_calls(folder, symbols, system, threads, reference) for folder in folders]
        lmp.command(f"variable {SPREAD} internal 0.0")
        evaluate = mean_evaluator(
            [evaluate for evaluate, _ in calls],
            lambda spread: lmp.set_internal_variable(SPREAD, spread),
        )
        find = _alarm_check(symbols, limits, closest_A)
        return attach_external(lmp, evaluate, find, calls[0][1])

    return attach


def _model_calls(
    folder: Path, symbols: list[str], system: dict, threads: int, reference: bool = False
) -> tuple[Evaluator, Sequence[str]]:
    """Force calls of a model, and the commands of its baseline where LAMMPS computes that."""
    numbers = np.array([atomic_numbers[s] for s in symbols])
    baseline = baseline_of(folder)
    beside = baseline is not None and record_of(baseline).commands is not None
    evaluator = learned_evaluator if beside else evaluator_of
    commands = commands_of(_in_order_of(system, baseline)) if beside else NO_PAIRS
    return evaluator(folder, numbers, threads, reference), commands


def _in_order_of(system: dict, baseline: dict) -> dict:
    """A baseline with the species of a system, whose order LAMMPS's atom types have."""
    return {"species": system["species"], "potential": baseline["potential"]}


def attach_external(
    lmp,
    evaluate: Evaluator,
    find: Callable[[Evaluation], str],
    commands: Sequence[str] = NO_PAIRS,
) -> Callable[[], Alarm | None]:
    """Force calls as LAMMPS's ``fix external``, beside what some commands make it compute.

    ``find`` says what is unphysical in a force call.
    """
    complaint: list[Alarm] = []
    failure: list[Exception] = []
    for command in commands:
        obey(lmp, command)
    lmp.command("fix model all external pf/callback 1 1")
    lmp.command("fix_modify model energy yes virial yes")

    def forces_at(step, order, positions, cell, f):
        try:
            require_usable(positions, cell)
            result = evaluate(positions, cell)
        except Unusable as error:
            complaint.append(Alarm(step, str(error)))
            return
        if found := find(result):
            complaint.append(Alarm(step, found))
            return
        f[order] = result.forces_eV_A
        lmp.fix_external_set_energy_global("model", result.energy_eV)
        w = -result.virial_eV
        lmp.fix_external_set_virial_global(
            "model", [w[0, 0], w[1, 1], w[2, 2], w[0, 1], w[0, 2], w[1, 2]]
        )

    def callback(_, step, n_local, tags, x, f):
        f[:] = 0.0  # after a complaint the run ends at the end of this chunk
        if complaint or failure:
            return
        order = np.argsort(tags)
        try:
            forces_at(int(step), order, x[order], box_of(lmp)[1], f)
        except Exception as error:  # LAMMPS would print it and go on without forces
            failure.append(error)

    def alarm() -> Alarm | None:
        if failure:
            raise failure[0]
        return complaint[0] if complaint else None

    lmp.set_fix_external_callback("model", callback, lmp)
    return alarm


def _alarm_check(
    symbols: list[str], limits: dict, closest_A: dict[str, float]
) -> Callable[[Evaluation], str]:
    # by increasing atomic number, as in Evaluation.shortest_A
    species = sorted(set(symbols), key=atomic_numbers.get)
    closest = closest_matrix_A(species, closest_A)

    def find(result: Evaluation) -> str:
        largest = np.abs(result.forces_eV_A).max()
        if not largest <= limits["force_eV_A"]:  # also true for NaN
            return f"force of {largest:.1f} eV/A, above {limits['force_eV_A']} eV/A"
        if (result.shortest_A < closest).any():
            a, b = np.unravel_index(np.argmin(result.shortest_A - closest), closest.shape)
            return f"{species[a]} and {species[b]} {result.shortest_A[a, b]:.2f} A apart"
        return ""

    return find
