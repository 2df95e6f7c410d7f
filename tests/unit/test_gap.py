"""GAP: derivatives of the energy, what it learns, MD, files, and fits that fail."""

import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from samples import classically_labelled, numerical_force

from minset.evaluation import Unusable
from minset.md.engines import LIMITS, model_engine
from minset.md.run import Protocol, read_thermo, run_md
from minset.model import MODELS, evaluator_of
from minset.model.gap import XML
from minset.model.gap.evaluator import load_gap
from minset.model.gap.fit import train_gap
from minset.model.neighbours import undirected_pairs
from minset.model.offsets import energy_offsets
from minset.model.record import DESCRIPTION
from minset.model.repulsion import repulsion_of, repulsion_on

SETTINGS = {
    "model": "gap",
    "cutoff_A": 5.0,
    "cutoff_transition_width_A": 1.0,
    "n_max": 4,
    "l_max": 3,
    "atom_sigma_A": 0.825,
    "zeta": 4,
    "delta_eV": 1.0,
    "repulsion": "zbl",
}
TRAINING = {
    "sparse_points": 50,
    "energy_sigma_eV_atom": 0.001,
    "force_sigma_eV_A": 0.02,
    "virial_sigma_eV_atom": 0.001,
}


@pytest.fixture(scope="module")
def frames(small_pool, kcl, tmp_path_factory):
    """Ten frames of 32 ions with energy, forces and stress of the classical potential."""
    return classically_labelled(small_pool[1][::4], kcl, tmp_path_factory.mktemp("labels"))


def fit(frames, folder, training=TRAINING, **changes):
    folder.mkdir(exist_ok=True)
    return train_gap(
        frames[:8], frames[8:], SETTINGS | changes, training, 1, folder, threads=1, provenance={}
    )


@pytest.fixture(scope="module")
def fitted(frames, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gap")
    return folder, fit(frames, folder)


@pytest.fixture(scope="module")
def evaluate(fitted, frames):
    return evaluator_of(fitted[0], frames[0].numbers)


def squeezed(frame):
    """A frame in which the repulsion counts: two ions at 1.5 A."""
    close = frame.copy()
    close.positions[1] = close.positions[0] + [1.2, 0.9, 0.0]
    return close


@pytest.mark.parametrize("change", [lambda frame: frame, squeezed], ids=["liquid", "squeezed"])
def test_forces_and_virial_are_derivatives_of_the_energy(evaluate, frames, change):
    frame = change(frames[0])
    cell = np.array(frame.cell)
    result = evaluate(frame.positions, cell)
    for atom, axis in ((0, 0), (1, 1), (20, 2)):
        expected = numerical_force(
            lambda x: evaluate(x, cell).energy_eV, frame.positions, atom, axis, step=1e-4
        )
        assert result.forces_eV_A[atom, axis] == pytest.approx(expected, rel=1e-6, abs=1e-5)
    h = 1e-5
    for a, b in ((0, 0), (2, 2), (1, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h
            energies.append(evaluate(frame.positions @ strain, cell @ strain).energy_eV)
        expected = (energies[0] - energies[1]) / (2 * h)
        assert result.virial_eV[a, b] == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_atomic_energies_add_up_and_shortest_distances_are_ases(evaluate, frames):
    frame = frames[3]
    result = evaluate(frame.positions, np.array(frame.cell))
    assert result.atomic_energies_eV.sum() == pytest.approx(result.energy_eV, abs=1e-9)
    distances = frame.get_all_distances(mic=True) + 99 * np.eye(len(frame))
    numbers = np.unique(frame.numbers)
    for a, first in enumerate(numbers):
        for b, second in enumerate(numbers):
            expected = distances[np.ix_(frame.numbers == first, frame.numbers == second)].min()
            assert result.shortest_A[a, b] == pytest.approx(expected, abs=1e-9)


def test_it_learns_energies_forces_and_stresses(fitted, evaluate, frames):
    pairs = {"energy": [], "forces": [], "stress": []}
    for frame in frames[:8]:
        result, n = evaluate(frame.positions, np.array(frame.cell)), len(frame)
        stress = result.virial_eV / frame.cell.volume
        pairs["energy"].append((result.energy_eV / n, frame.get_potential_energy() / n))
        pairs["forces"].append((result.forces_eV_A, frame.get_forces()))
        pairs["stress"].append((stress, frame.get_stress(voigt=False)))
    for name, most in (("energy", 0.1), ("forces", 0.4), ("stress", 0.1)):
        model, label = np.moveaxis(np.array(pairs[name]), 1, 0)
        assert np.sqrt(np.mean((model - label) ** 2)) < most * label.std(), name
    # on frames that it has not seen
    forces = np.array([frame.get_forces() for frame in frames])
    assert fitted[1]["force_rmse_eV_A"] < 0.5 * forces.std()


def test_without_its_sigma_the_stress_is_not_fitted(frames, tmp_path):
    without = [frame.copy() for frame in frames]
    for copy, frame in zip(without, frames, strict=True):
        copy.calc = SinglePointCalculator(
            copy, energy=frame.get_potential_energy(), forces=frame.get_forces()
        )
    training = {k: v for k, v in TRAINING.items() if k != "virial_sigma_eV_atom"}
    assert fit(without, tmp_path, training)["force_rmse_eV_A"] < 0.2


@pytest.mark.parametrize(("kind", "tolerance"), [("zbl", 0.2), ("floor", 1e-6)])
def test_the_repulsion_is_taken_off_the_labels_and_put_back(kind, tolerance, frames, tmp_path):
    """With and without, the fit describes the liquid; only with, close ions repel each other.

    A floor takes nothing off the labels: the fits are the same.
    """
    fit(frames, tmp_path, repulsion="none")
    bare = evaluator_of(tmp_path, frames[0].numbers)
    description = load_gap(tmp_path)[1]
    assert description["energy_offsets_eV"].keys() == {"17", "19"}
    assert sum(energy_offsets(frames[:8]).values()) == pytest.approx(
        sum(description["energy_offsets_eV"].values())
    )
    fit(frames, tmp_path / "with", repulsion=kind)
    with_repulsion = evaluator_of(tmp_path / "with", frames[0].numbers)
    close = squeezed(frames[0])
    cell = np.array(close.cell)
    pairs = undirected_pairs(close.positions, cell, SETTINGS["cutoff_A"])
    repulsion = repulsion_of(load_gap(tmp_path / "with")[1]["settings"])
    force = repulsion_on(repulsion, close.numbers, *pairs)[1][0]
    assert np.abs(force).max() > 5
    difference = [e(close.positions, cell).forces_eV_A[0] for e in (with_repulsion, bare)]
    assert np.allclose(difference[0] - difference[1], force, atol=tolerance * np.abs(force).max())


def test_the_same_seed_gives_the_same_model_and_reading_changes_nothing(
    fitted, evaluate, frames, tmp_path
):
    fit(frames, tmp_path)
    again = evaluator_of(tmp_path, frames[0].numbers)
    cell = np.array(frames[9].cell)
    first, second = (e(frames[9].positions, cell) for e in (evaluate, again))
    assert first.energy_eV == pytest.approx(second.energy_eV, abs=1e-9)
    assert np.allclose(first.forces_eV_A, second.forces_eV_A, atol=1e-9)


def test_dynamics_conserve_the_energy(fitted, kcl, melt32, tmp_path):
    protocol = Protocol("nve", (1200.0, 1200.0), 0.15, 1.0, 0.05, 0.01, seed=4)
    verdict = run_md(melt32, kcl, model_engine(fitted[0], LIMITS, {}), protocol, tmp_path)
    assert verdict["stable"], verdict["reason"]
    thermo = read_thermo(tmp_path)
    assert thermo["total_energy_eV"].std() < 0.02 * thermo["potential_energy_eV"].std()


def test_a_failed_fit_says_why_and_leaves_no_model(frames, tmp_path):
    with pytest.raises(
        ValueError, match=r"gap_fit ended with exit code 1: .*too small force_sigma"
    ):
        fit(frames, tmp_path, TRAINING | {"force_sigma_eV_A": 0.0})
    assert not (tmp_path / XML).exists()
    assert not (tmp_path / DESCRIPTION).exists()


def test_a_damaged_model_says_what_to_do(fitted, frames, tmp_path):
    for name in MODELS["gap"].files:
        (tmp_path / name).write_bytes((fitted[0] / name).read_bytes())
    (tmp_path / XML).write_bytes((fitted[0] / XML).read_bytes()[:5000])
    with pytest.raises(ValueError, match="train it again"):
        evaluator_of(tmp_path, frames[0].numbers)


def test_unwrapped_positions_give_the_same_numbers(evaluate, frames):
    cell, wrapped = np.array(frames[1].cell), frames[1].positions
    expected = evaluate(wrapped, cell)
    for cells in (1, 10, 3000, 100_000):
        far = wrapped.copy()
        far[5] += cells * cell[0]
        far[9] -= cells * (cell[1] + cell[2])
        result = evaluate(far, cell)
        assert result.energy_eV == pytest.approx(expected.energy_eV, abs=1e-6)
        assert np.allclose(result.forces_eV_A, expected.forces_eV_A, atol=1e-6)


def test_elements_it_does_not_know_are_named(fitted):
    with pytest.raises(ValueError, match="the model knows no Na, Br, only Cl, K"):
        evaluator_of(fitted[0], np.array([11, 17, 35]))


def test_absurd_geometries_are_refused_before_quip_sees_them(evaluate, frames):
    """QUIP would end the process."""
    cell, positions = np.array(frames[0].cell), frames[0].positions.copy()
    positions[3, 1] = np.nan
    with pytest.raises(Unusable, match="not finite"):
        evaluate(positions, cell)
    with pytest.raises(Unusable, match="32 atoms in a cell of"):
        evaluate(frames[0].positions, 1e-6 * cell)
