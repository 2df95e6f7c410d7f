"""Trained models of any kind: which they are, the elements they know, and the geometries they take."""

import json
import shutil
import tracemalloc

import numpy as np
import pytest
import torch

from minset.evaluation import Unusable
from minset.model import MODELS, evaluator_of, kind_of, member_seed
from minset.model.neighbours import near_cell, undirected_pairs
from minset.model.record import DESCRIPTION
from minset.model.schnet.architecture import SIZES
from minset.model.schnet.compressed import load_compressed
from minset.model.schnet.device import device_evaluator
from minset.registry import defaults_of


def on_device(folder, numbers):
    """The code for graphics processors, on the processor."""
    compressed = load_compressed(folder / "compressed.npz")
    return device_evaluator(compressed, numbers, torch.device("cpu"))


EVALUATORS = {
    "tables": evaluator_of,
    "device": on_device,
    "network": lambda folder, numbers: evaluator_of(folder, numbers, reference=True),
}


@pytest.fixture(params=EVALUATORS)
def make(request):
    return EVALUATORS[request.param]


def test_the_kind_of_a_model_stands_in_its_description(model_folder, tmp_path):
    assert kind_of(model_folder) == "schnet"
    shutil.copytree(model_folder, tmp_path / "model")
    path = tmp_path / "model" / DESCRIPTION
    description = json.loads(path.read_text())
    old = {k: v for k, v in description.items() if k != "kind"}
    path.write_text(json.dumps(old))
    assert kind_of(path.parent) == "schnet", "a model of version 0.1"
    for content, message in (
        (
            json.dumps(description | {"kind": "nequip"}),
            "of kind 'nequip', .* knows schnet, gap, acsf",
        ),
        (json.dumps(description | {"kind": ["gap"]}), "of kind .'gap'."),
        (path.read_text()[:50], "cannot be read .*remove the folder and train it again"),
        ("[1, 2]", "cannot be read .*remove the folder and train it again"),
        (None, "holds no trained model"),
    ):
        path.unlink() if content is None else path.write_text(content)
        with pytest.raises(ValueError, match=message) as refused:
            evaluator_of(path.parent, np.array([19, 17]))
        assert "\n" not in str(refused.value)
    for name in ("model.pt", "compressed.npz"):
        (path.parent / name).unlink()
    path.write_text(json.dumps(old))
    with pytest.raises(ValueError, match="does not say the kind of the model"):
        kind_of(path.parent)


def test_options_have_their_units_and_defaults():
    schnet, gap = MODELS["schnet"], MODELS["gap"]
    assert schnet.options["size"]["enum"] == list(SIZES)
    assert defaults_of(schnet.options) == {"cutoff_A": 6.0, "repulsion": "floor"}
    assert defaults_of(schnet.training)["max_epochs"] == 2000
    assert "patience" not in defaults_of(schnet.training), "the rate falls to zero by default"
    assert defaults_of(gap.options)["atom_sigma_A"] == 0.825
    assert "virial_sigma_eV_atom" not in defaults_of(gap.training)


def test_members_of_a_committee_have_seeds_of_their_own():
    """Member 1 keeps the repetition's: models of version 0.1 stay as they are."""
    assert [member_seed(seed, 1) for seed in (1, 2, 77)] == [1, 2, 77]
    others = [member_seed(seed, member) for seed in range(1, 40) for member in range(2, 12)]
    assert len(set(others)) == len(others)
    assert not set(others) & set(range(1, 40))
    assert all(1 <= seed <= 2**31 - 1 for seed in others)
    assert member_seed(1, 2) == 611241514  # fixed for ever: finished models hang on it


@pytest.mark.parametrize(
    ("numbers", "unknown"),
    [([11, 17, 17], "Na"), ([19, 18, 35], "Ar, Br"), ([20, 17, 0], "element 0, Ca")],
)
def test_elements_that_a_model_does_not_know_are_named(make, model_folder, numbers, unknown):
    with pytest.raises(ValueError, match=f"the model knows no {unknown}, only Cl, K"):
        make(model_folder, np.array(numbers))


@pytest.mark.parametrize("shear", [np.eye(3), [[1, 0.5, 0], [0, 1, -0.25], [0.25, 0.125, 1]]])
def test_unwrapped_positions_give_the_same_numbers_in_little_memory(
    make, model_folder, melt32, shear
):
    # multiples of 2^-20 A, so that whole cells away they are exact
    cell = np.round(np.array(melt32.cell) @ shear * 2**10) / 2**10
    fractional = melt32.get_scaled_positions()
    wrapped = np.round(fractional @ cell * 2**20) / 2**20
    expected = make(model_folder, melt32.numbers)(wrapped, cell)
    followed = make(model_folder, melt32.numbers)  # its list was made of other images
    followed(wrapped, cell)
    for cells in (1, 2, 50, 3000, 100_000):
        far = wrapped.copy()
        far[5] += cells * cell[0]
        far[9] -= cells * (cell[1] - 2 * cell[2])
        fresh = make(model_folder, melt32.numbers)
        tracemalloc.start()
        result = fresh(far, cell)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 20e6
        assert result.energy_eV == pytest.approx(expected.energy_eV, abs=1e-9)
        assert np.allclose(result.forces_eV_A, expected.forces_eV_A, atol=1e-9)
        # an older list is summed in another order, in float32
        for other in (result, followed(far, cell)):
            assert other.energy_eV == pytest.approx(expected.energy_eV, abs=2e-6)
            assert np.allclose(other.forces_eV_A, expected.forces_eV_A, atol=1e-5)
            assert np.allclose(other.virial_eV, expected.virial_eV, atol=1e-4)
            assert np.allclose(other.shortest_A, expected.shortest_A, atol=1e-9)


def test_only_positions_far_outside_the_cell_are_touched(melt32):
    cell = np.array(melt32.cell)
    near = melt32.get_positions(wrap=True) + 0.9 * cell[0]
    assert near_cell(near, cell) is near
    near[3] += 70 * cell[1] - 3 * cell[2]
    images = near_cell(near, cell)
    others = np.arange(32) != 3
    assert np.array_equal(images[others], near[others])
    fractional = images @ np.linalg.inv(cell)
    assert ((fractional >= -1) & (fractional < 2)).all()
    moved = (images[3] - near[3]) @ np.linalg.inv(cell)
    assert np.allclose(moved, np.round(moved))


GOOD = np.array([[0.1, 0.2, 0.3], [3, 3, 3.2], [0.2, 3.1, 5]])
FLAT = np.array([[7.0, 0, 0], [0, 7, 0], [7, 7, 1e-3]])


def moved(x):
    positions = GOOD.copy()
    positions[1, 0] = x
    return positions


@pytest.mark.parametrize(
    ("positions", "cell", "message"),
    [
        (moved(np.nan), 7 * np.eye(3), "not finite"),
        (moved(np.inf), 7 * np.eye(3), "not finite"),
        (moved(1e12), 7 * np.eye(3), r"a coordinate of 1e\+12 A, beyond 1e\+08 A"),
        (moved(-1e300), 7 * np.eye(3), r"a coordinate of 1e\+300 A"),
        (GOOD[[0, 0, 2]], 7 * np.eye(3), "two atoms are at the same place"),
        (GOOD, 7 * np.diag([np.nan, 1, 1]), "not finite"),
        (GOOD, 7 * np.diag([np.inf, 1, 1]), "not finite"),
        (GOOD, 1e-6 * np.eye(3), r"3 atoms in a cell of 1e-18 A\^3"),
        (GOOD, np.zeros((3, 3)), r"3 atoms in a cell of 0 A\^3"),
        (GOOD, np.diag([1e200, 1e200, 1e200]), r"a cell of 1e\+200 A, beyond 1e\+06 A"),
        (GOOD, np.diag([0.01, 1e3, 1e3]), "a cell with faces 0.01 A apart"),
        (GOOD, 50 * FLAT, "a cell with faces 0.05 A apart"),
        (GOOD[:0], 7 * np.eye(3), "there are no atoms"),
    ],
)
def test_absurd_geometries_are_refused_in_one_line(make, model_folder, positions, cell, message):
    evaluate = make(model_folder, np.array([19, 17, 17]))
    for call in (evaluate, lambda x, c: undirected_pairs(x, c, 5.0)):
        with pytest.raises(Unusable, match=message) as refused:
            call(positions, cell)
        assert "\n" not in str(refused.value)
    assert np.isfinite(evaluate(GOOD, 7 * np.eye(3)).forces_eV_A).all(), "it goes on with others"
