"""What every force call must be, whatever makes it: for potentials and for trained models.

A check is ``check(make, frame, accuracy)``: ``make(numbers)`` gives an ``Evaluator``, and ``frame`` is
periodic, off its sites and in a cell without right angles.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from minset.evaluation import Evaluator

Make = Callable[[np.ndarray], Evaluator]
ROTATION = Rotation.from_euler("xyz", [31, -57, 112], degrees=True).as_matrix()
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
PIECES = 8  # of a path: a pair that crosses the end of a cutoff, a kink, spoils one of them
NODES = np.concatenate([(_NODES + 2 * k + 1) / PIECES - 1 for k in range(PIECES)])
WEIGHTS = np.tile(_WEIGHTS / PIECES, PIECES)
STEP_A = 0.04  # long beside the noise of an energy, short beside what forces change over
CHANGE_A = 0.2  # of positions; a force changes by tenths of an eV/A over it


class Accuracy(NamedTuple):
    """Of force calls: what a mesh, a plain cutoff or single precision leaves of noise."""

    forces_eV_A: float
    stress_eV_A3: float


def off_its_sites(crystal: Atoms, seed: int = 2) -> Atoms:
    """A crystal or a melt in a sheared and turned cell, its atoms displaced."""
    frame = crystal.copy()
    frame.calc = None
    shear = np.array([[1.03, 0.06, -0.04], [0.0, 0.98, 0.05], [0.0, 0.0, 1.02]])
    frame.set_cell(frame.cell[:] @ shear @ ROTATION, scale_atoms=True)
    frame.positions += np.random.default_rng(seed).normal(0, 0.1, frame.positions.shape)
    return frame


def of(make: Make, frame: Atoms):
    return make(frame.numbers)(frame.positions, frame.cell[:])


def _along(evaluate: Evaluator, frame: Atoms, moved: np.ndarray, strain: np.ndarray):
    """Force calls at ``t``: atoms displaced by ``t moved``, then everything deformed by ``t strain``."""

    def at(t: float):
        deformed = np.eye(3) + t * strain
        return evaluate((frame.positions + t * moved) @ deformed, frame.cell[:] @ deformed)

    return at


def forces_are_the_derivative_of_the_energy(make: Make, frame: Atoms, accuracy: Accuracy):
    """The energy between two ends of a path is the work done along it, for several paths.

    Integrals tell more of noisy energies than differences over a short step do.
    """
    rng, evaluate = np.random.default_rng(3), make(frame.numbers)
    one, other, all_ = (np.zeros((len(frame), 3)) for _ in range(3))
    one[0, 0], other[-1, 2] = STEP_A, STEP_A
    # in all a shorter path: many pairs cross ends of cutoffs, where forces have kinks
    all_[:] = STEP_A / 8 * rng.normal(size=all_.shape)
    for moved in (one, other, all_):
        at = _along(evaluate, frame, moved, np.zeros((3, 3)))
        work = sum(
            w * np.vdot(at(t).forces_eV_A, moved) for t, w in zip(NODES, WEIGHTS, strict=True)
        )
        # an error of each component adds up at random
        allowed = 2 * accuracy.forces_eV_A * np.linalg.norm(moved)
        assert at(-1).energy_eV - at(1).energy_eV == pytest.approx(work, abs=allowed)


def virial_is_the_strain_derivative_of_the_energy(make: Make, frame: Atoms, accuracy: Accuracy):
    """dE = sum_ab W_ab d(strain)_ab, along deformations of the cell with its atoms."""
    evaluate = make(frame.numbers)
    assert np.allclose(of(make, frame).virial_eV, of(make, frame).virial_eV.T, atol=1e-6)
    still = np.zeros_like(frame.positions)
    for k, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]):
        strain = np.zeros((3, 3))
        strain[a, b] = 2e-3 * (-1) ** k
        at, work = _along(evaluate, frame, still, strain), 0.0
        for t, w in zip(NODES, WEIGHTS, strict=True):
            # of the cell as it is at t, not as it was
            step = np.linalg.inv(np.eye(3) + t * strain) @ strain
            work += w * np.vdot(at(t).virial_eV, step)
        allowed = 2 * abs(strain[a, b]) * accuracy.stress_eV_A3 * frame.cell.volume
        assert at(1).energy_eV - at(-1).energy_eV == pytest.approx(work, abs=allowed), (a, b)


def energies_of_atoms_add_up(make: Make, frame: Atoms, accuracy: Accuracy):
    result, n = of(make, frame), len(frame)
    assert result.atomic_energies_eV.shape == (n,)
    assert result.forces_eV_A.shape == (n, 3)
    assert result.virial_eV.shape == (3, 3)
    if np.isnan(result.atomic_energies_eV).all():
        return  # it has none
    assert result.atomic_energies_eV.sum() == pytest.approx(result.energy_eV, abs=1e-5 * n)


def shortest_distances_are_those_of_the_nearest_images(
    make: Make, frame: Atoms, accuracy: Accuracy
):
    result, kinds = of(make, frame), np.unique(frame.numbers)
    distances = frame.get_all_distances(mic=True) + 99 * np.eye(len(frame))
    for a, first in enumerate(kinds):
        for b, second in enumerate(kinds):
            expected = distances[np.ix_(frame.numbers == first, frame.numbers == second)].min()
            assert result.shortest_A[a, b] == pytest.approx(expected, abs=1e-5)


def nothing_pulls_the_cell_away(make: Make, frame: Atoms, accuracy: Accuracy):
    forces = of(make, frame).forces_eV_A
    assert np.abs(forces).max() > 0.1, "forces so small that the checks say nothing"
    assert np.abs(forces.sum(axis=0)).max() < 1e-4


def _same(result, expected, frame: Atoms, accuracy: Accuracy, turn=None, order=slice(None)):
    n, turn = len(frame), np.eye(3) if turn is None else turn
    most = n * accuracy.forces_eV_A * STEP_A
    assert result.energy_eV == pytest.approx(expected.energy_eV, abs=most)
    forces, atomic = expected.forces_eV_A[order] @ turn, expected.atomic_energies_eV[order]
    assert np.allclose(result.forces_eV_A, forces, atol=2 * accuracy.forces_eV_A)
    assert np.allclose(
        result.atomic_energies_eV, atomic, atol=2 * accuracy.forces_eV_A, equal_nan=True
    )
    virial = turn.T @ expected.virial_eV @ turn
    assert np.allclose(result.virial_eV, virial, atol=frame.cell.volume * accuracy.stress_eV_A3)


def a_translation_changes_nothing(make: Make, frame: Atoms, accuracy: Accuracy):
    """Nor do atoms that are an image elsewhere."""
    expected, moved = of(make, frame), frame.copy()
    moved.positions += [1.3, -20.7, 0.4]
    moved.positions[0] += [2, -3, 1] @ frame.cell
    _same(of(make, moved), expected, frame, accuracy)
    moved.wrap()
    _same(of(make, moved), expected, frame, accuracy)


def a_rotation_turns_the_forces(make: Make, frame: Atoms, accuracy: Accuracy):
    expected, turned = of(make, frame), frame.copy()
    turned.positions = turned.positions @ ROTATION
    turned.set_cell(turned.cell[:] @ ROTATION)
    _same(of(make, turned), expected, frame, accuracy, turn=ROTATION)


def the_order_of_the_atoms_means_nothing(make: Make, frame: Atoms, accuracy: Accuracy):
    """Within a species and between them."""
    order = np.random.default_rng(4).permutation(len(frame))
    _same(of(make, frame[order]), of(make, frame), frame, accuracy, order=order)


def other_vectors_of_the_same_lattice_change_nothing(make: Make, frame: Atoms, accuracy: Accuracy):
    skewed = frame.copy()
    skewed.set_cell(np.array([[1.0, 0, 0], [1, 1, 0], [0, -1, 1]]) @ frame.cell)
    _same(of(make, skewed), of(make, frame), frame, accuracy)


def a_cell_repeated_has_its_energy_as_often(make: Make, frame: Atoms, accuracy: Accuracy):
    """Whatever the cutoff: an atom sees images of itself."""
    expected, n = of(make, frame), len(frame)
    doubled = of(make, frame * (2, 1, 1))
    most = 2 * n * accuracy.forces_eV_A * STEP_A
    assert doubled.energy_eV == pytest.approx(2 * expected.energy_eV, abs=most)
    assert np.allclose(doubled.forces_eV_A[:n], expected.forces_eV_A, atol=2 * accuracy.forces_eV_A)
    most = 2 * frame.cell.volume * accuracy.stress_eV_A3
    assert np.allclose(doubled.virial_eV, 2 * expected.virial_eV, atol=most)


def calls_before_change_nothing(make: Make, frame: Atoms, accuracy: Accuracy):
    """A neighbour list that was made for another geometry is no trouble."""
    evaluate, other = make(frame.numbers), off_its_sites(frame, seed=5)
    other.positions += CHANGE_A * np.random.default_rng(6).normal(size=other.positions.shape)
    first = evaluate(frame.positions, frame.cell[:])
    changed = evaluate(other.positions, other.cell[:])
    assert not np.allclose(changed.forces_eV_A, first.forces_eV_A, atol=0.05)
    _same(evaluate(frame.positions, frame.cell[:]), first, frame, accuracy)


CHECKS = {
    check.__name__: check
    for check in (
        forces_are_the_derivative_of_the_energy,
        virial_is_the_strain_derivative_of_the_energy,
        energies_of_atoms_add_up,
        shortest_distances_are_those_of_the_nearest_images,
        nothing_pulls_the_cell_away,
        a_translation_changes_nothing,
        a_rotation_turns_the_forces,
        the_order_of_the_atoms_means_nothing,
        other_vectors_of_the_same_lattice_change_nothing,
        a_cell_repeated_has_its_energy_as_often,
        calls_before_change_nothing,
    )
}
