"""Every entry of LABELERS: one label for real, and what belongs to its key."""

import copy
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from samples import numerical_force

from conformance.examples import example
from conformance.force_calls import off_its_sites
from minset.config import load_study
from minset.label import LABELERS
from minset.label.batch import label_batch
from minset.label.store import Label, label_key, read_label
from minset.study import without_comments

pytestmark = pytest.mark.parametrize("name", LABELERS)
CONFIG = Path(__file__).parents[2] / "config"


def system_of(name: str) -> dict:
    """Content of a system file with all defaults: KCl, with what the example has instead."""
    systems = load_study("demo-classical", CONFIG)[1]
    return systems["kcl"] | example("LABELERS", name).section


def settings_of(name: str) -> dict:
    """Complete settings, as jobs get them."""
    files = example("LABELERS", name).files
    if files and not Path(files).is_dir():
        pytest.skip(f"there is no folder {files} here")
    record, given = LABELERS[name], example("LABELERS", name).given
    assert record.mistakes(system_of(name), given) == []
    return without_comments(record.settings_of(system_of(name), given))


def frame_of(name: str) -> Atoms:
    return off_its_sites(example("LABELERS", name).frame)


def with_labels(frame: Atoms) -> Atoms:
    """A frame that comes with energy, forces and stress, of Lennard-Jones atoms."""
    image = frame.copy()
    image.calc = LennardJones(sigma=2.8, epsilon=0.1, rc=5.0, smooth=True)
    known = {"energy": image.get_potential_energy(), "forces": image.get_forces()}
    image.calc = SinglePointCalculator(image, stress=image.get_stress(), **known)
    return image


@pytest.fixture
def labelled(name, tmp_path):
    """A function that labels a frame as a job does, and gives its row in the table and its label."""
    program = example("LABELERS", name).program
    if program and shutil.which(program) is None:
        pytest.skip(f"there is no {program} here")

    def label(frame: Atoms) -> tuple[dict, Label]:
        if LABELERS[name].needs_labels:
            frame = with_labels(frame)
        folders, gate_eV_A = (tmp_path / "store", tmp_path / "work"), 0.05
        arguments = (LABELERS[name], settings_of(name), *folders, gate_eV_A)
        (row,) = label_batch([("frame", frame)], *arguments)
        return row, read_label(tmp_path / "store", row["key"])

    return label


def test_a_label_has_an_energy_its_derivative_and_a_symmetric_stress(name, labelled):
    frame = frame_of(name)
    before, (row, label) = frame.copy(), labelled(frame)
    assert (row["status"], row["reused"]) == ("labelled", False)
    assert np.array_equal(frame.positions, before.positions)
    assert np.array_equal(label.atoms.positions, frame.positions)
    assert np.isfinite(label.energy_eV)
    assert label.forces_eV_A.shape == (len(frame), 3)
    assert np.allclose(label.stress_eV_A3, label.stress_eV_A3.T, atol=1e-5)
    assert label.provenance["version"]

    def energy_eV(positions):
        moved = frame.copy()
        moved.positions = positions
        return labelled(moved)[1].energy_eV

    axis = int(np.abs(label.forces_eV_A[0]).argmax())
    expected = numerical_force(energy_eV, frame.positions, 0, axis, step=0.01)
    accuracy_eV_A = example("LABELERS", name).accuracy_eV_A
    assert abs(expected) > 10 * accuracy_eV_A, "too small to say anything"
    assert label.forces_eV_A[0, axis] == pytest.approx(expected, abs=2 * accuracy_eV_A)
    assert labelled(frame)[0]["reused"]


def test_the_key_of_a_label_does_not_depend_on_how_it_is_reached(name):
    record, settings, frame = LABELERS[name], settings_of(name), frame_of(name)
    assert record.effort <= set(settings)
    physics = record.physics(settings, frame)
    assert not record.effort & set(physics)
    for key in record.effort:
        assert record.physics(settings | {key: "another"}, frame) == physics


def turned_round(content):
    """The same data with keys in the opposite order."""
    if isinstance(content, dict):
        return {key: turned_round(content[key]) for key in reversed(content)}
    return [turned_round(v) for v in content] if isinstance(content, list) else content


def test_the_key_of_a_label_does_not_depend_on_the_order_of_keys(name):
    record, frame, given = LABELERS[name], frame_of(name), example("LABELERS", name).given
    settings_of(name)
    systems = system_of(name), turned_round(system_of(name))
    settings = [record.settings_of(system, given) for system in systems]
    first, second = (
        label_key(frame, name, record.physics(without_comments(s), frame)) for s in settings
    )
    assert first == second


def test_physics_is_plain_data_about_the_elements_of_the_frame(name):
    record, settings, frame = LABELERS[name], settings_of(name), frame_of(name)
    before = copy.deepcopy(settings)
    kinds = sorted(set(frame.symbols))
    assert len(kinds) > 1
    for kind in kinds:
        physics = record.physics(settings, frame[[s == kind for s in frame.symbols]])
        text = json.dumps(physics, allow_nan=False)
        for other in set(kinds) - {kind}:
            assert not re.search(rf"\b{other}\b", text), f"{other} in the key of {kind}"
        assert "/" not in text
    assert settings == before


def test_another_value_that_decides_the_label_is_another_key(name):
    """What is neither effort nor about other elements counts."""
    record, settings, frame = LABELERS[name], settings_of(name), frame_of(name)
    physics = record.physics(settings, frame)
    assert set(physics) == set(settings) - record.effort | record.of_frame
    assert label_key(frame, name, physics) != label_key(frame, "another", physics)
    moved = frame.copy()
    moved.positions[0, 0] += 1e-9
    assert label_key(frame, name, physics) != label_key(moved, name, physics)


def test_what_a_labeler_needs_of_a_system_is_said_before_a_run(name):
    record, given = LABELERS[name], example("LABELERS", name).given
    if not example("LABELERS", name).of_system:
        pytest.skip("it needs nothing of a system")
    bare = {"name": "KCl", "species": system_of(name)["species"]}
    found = record.mistakes(bare, given)
    assert found
    for line in found:
        assert line.startswith("labels.")
        assert "KCl" in line
        assert "\n" not in line


def test_its_cost_grows_with_the_atoms(name):
    record, settings = LABELERS[name], settings_of(name)
    for cost in (record.seconds, record.megabytes):
        assert 0 < cost(settings, 32) < cost(settings, 320)
