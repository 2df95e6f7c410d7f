"""The repulsion under a model: a floor that no labelled frame feels, smooth at its end, steep below."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.data import covalent_radii

from minset.model.neighbours import undirected_pairs
from minset.model.repulsion import (
    FLOOR_BEGIN,
    FLOOR_SHARE,
    pair_energy,
    repulsion_of,
    repulsion_on,
    require_sane,
    with_floor,
)

SETTINGS = {"repulsion": "floor", "cutoff_A": 6.0}
END_A = 2.5  # of K-Cl
FLOOR = repulsion_of(SETTINGS | {"floor_A": {"Cl-Cl": 3.0, "K-Cl": END_A, "K-K": 3.2}})
# the whole universal repulsion: ends so far away that the switch is one
WHOLE = repulsion_of({"repulsion": "floor", "cutoff_A": 1e6, "floor_A": {}})


def energy(distance, repulsion=FLOOR, pair=(19, 17)) -> torch.Tensor:
    z_i, z_j = (torch.full_like(distance, z, dtype=torch.long) for z in pair)
    return pair_energy(repulsion, z_i, z_j, distance)


def derivatives(distance: float, orders: int) -> list[float]:
    """Energy of K-Cl and its derivatives."""
    d = torch.tensor([distance], dtype=torch.float64, requires_grad=True)
    values = [energy(d)]
    for _ in range(orders):
        values += torch.autograd.grad(values[-1], d, create_graph=True)
    return [float(v.detach()) for v in values]


def test_the_first_three_derivatives_are_continuous_where_the_floor_begins_and_ends():
    for border in (FLOOR_BEGIN * END_A, END_A):
        near, scale = 1e-6, [1, 10, 100, 1e3]
        below, above = (derivatives(border + side * near, 3) for side in (-1, 1))
        assert np.all(np.abs(np.subtract(below, above)) < 1e-3 * np.array(scale)), border
    assert derivatives(END_A, 3) == derivatives(END_A + 1, 3) == [0, 0, 0, 0]


def test_below_its_end_the_floor_is_steep_and_further_below_the_universal_repulsion():
    d = torch.linspace(0.05, END_A - 1e-3, 2000, dtype=torch.float64, requires_grad=True)
    values = energy(d)
    (slopes,) = torch.autograd.grad(values.sum(), d)
    assert (slopes < 0).all()
    inner = d < FLOOR_BEGIN * END_A
    assert torch.equal(values[inner], energy(d, WHOLE)[inner])
    at_90, slope_at_90 = derivatives(0.9 * END_A, 1)
    whole = float(energy(torch.tensor([0.9 * END_A], dtype=torch.float64), WHOLE))
    assert at_90 == pytest.approx(whole / 2)
    assert at_90 > 0.5  # eV: at 1200 K a pair has 0.1
    assert slope_at_90 < -5


def test_forces_and_virial_are_derivatives_of_the_energy(melt32):
    """In a cell pressed together, where the floor is felt."""
    positions, cell = melt32.positions * 0.85, np.array(melt32.cell) * 0.85

    def evaluate(x, box):
        return repulsion_on(FLOOR, melt32.numbers, *undirected_pairs(x, box, 6.0))

    energies, forces, virial = evaluate(positions, cell)
    assert energies.sum() > 1
    assert np.allclose(forces.sum(axis=0), 0, atol=1e-10)
    for atom in np.argsort(np.abs(forces).max(axis=1))[-3:]:
        for axis in range(3):
            moved = np.zeros_like(positions)
            moved[atom, axis] = 1e-5
            up, down = (evaluate(positions + s * moved, cell)[0].sum() for s in (1, -1))
            assert forces[atom, axis] == pytest.approx((down - up) / 2e-5, abs=1e-5)
    for a, b in ((0, 0), (1, 2)):
        strain = np.zeros((3, 3))
        strain[a, b] = 1e-6
        up, down = (
            evaluate(positions @ (np.eye(3) + s * strain), cell @ (np.eye(3) + s * strain))
            for s in (1, -1)
        )
        assert virial[a, b] == pytest.approx((up[0].sum() - down[0].sum()) / 2e-6, rel=1e-5)


def test_no_labelled_frame_feels_the_floor(small_pool):
    frames = small_pool[1]
    settings = with_floor(SETTINGS, frames)
    floor = repulsion_of(settings)
    assert set(settings["floor_A"]) == {"Cl-Cl", "K-Cl", "K-K"}
    shortest = np.inf
    for frame in frames:
        i, j, vectors = undirected_pairs(frame.positions, np.array(frame.cell), 6.0)
        assert not any(part.any() for part in repulsion_on(floor, frame.numbers, i, j, vectors))
        unlike = frame.numbers[i] != frame.numbers[j]
        shortest = min(shortest, np.linalg.norm(vectors[unlike], axis=1).min())
    assert settings["floor_A"]["K-Cl"] == pytest.approx(FLOOR_SHARE * shortest)
    assert with_floor(SETTINGS | {"repulsion": "zbl"}, frames) == SETTINGS | {"repulsion": "zbl"}


def test_elements_that_are_never_near_each_other_have_a_floor_at_covalent_contact():
    frame = Atoms("NaClF", positions=[[0, 0, 0], [2.5, 0, 0], [0, 10, 0]], cell=[20] * 3, pbc=True)
    floor = with_floor(SETTINGS, [frame])["floor_A"]
    assert floor["Cl-Na"] == pytest.approx(FLOOR_SHARE * 2.5)
    assert floor["Na-F"] == pytest.approx(covalent_radii[9] + covalent_radii[11])
    assert floor["Na-Na"] == pytest.approx(2 * covalent_radii[11])
    assert len(floor) == 6
    narrow = with_floor(SETTINGS | {"cutoff_A": 2.0}, [frame])["floor_A"]
    assert max(narrow.values()) == 2.0, "nothing reaches beyond the cutoff"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"repulsion": "zbi"}, "repulsion 'zbi' is not known"),
        ({}, "floor_A does not have the pairs of its elements"),
        ({"floor_A": {"Cl-Cl": 3.0, "K-Cl": 2.5}}, "does not have the pairs"),
        ({"floor_A": {"Cl-Cl": 3.0, "K-Cl": 2.5, "K-K": 6.1}}, "floor_A is out of range"),
        ({"floor_A": {"Cl-Cl": 3.0, "K-Cl": float("nan"), "K-K": 3.0}}, "out of range"),
    ],
)
def test_a_saved_repulsion_that_cannot_be_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        require_sane(SETTINGS | changes, [17, 19])
    require_sane(SETTINGS | {"floor_A": {"Cl-Cl": 3.0, "K-Cl": 2.5, "K-K": 6.0}}, [19, 17])
