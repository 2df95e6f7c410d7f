"""Every entry of MODELS: trained on a few frames, it is on disk, called, and held against itself."""

import functools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from samples import classically_labelled

from conformance.examples import example
from conformance.force_calls import CHECKS, off_its_sites
from conformance.own_tools import FORCES
from minset.calculator import ModelCalculator
from minset.model import MODELS, evaluator_of, kind_of
from minset.model.record import DESCRIPTION
from minset.observe.errors import predictions
from minset.registry import defaults_of

# each as it runs and, where that is something else, its reference
CALLS = {
    f"{name}{' reference' * reference}": (name, reference)
    for name, record in MODELS.items()
    for reference in {False, record.reference is not record.evaluator}
}
of_every_kind = pytest.mark.parametrize("name", MODELS)
of_every_call = pytest.mark.parametrize(("name", "reference"), CALLS.values(), ids=CALLS)


@pytest.fixture(scope="module")
def frames(small_pool, kcl, tmp_path_factory):
    """Frames of molten KCl with energy, forces and stress."""
    return classically_labelled(small_pool[1][::5], kcl, tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def train(frames):
    """A function that trains a model in a folder and gives its summary."""

    def call(name: str, folder: Path, seed: int = 1) -> dict:
        record, (settings, training, _) = MODELS[name], example("MODELS", name)
        settings = defaults_of(record.options) | settings
        training = defaults_of(record.training) | training
        given = frames[:6], frames[6:], settings, training
        return record.train(*given, seed, folder, threads=1, provenance={"made_for": "a test"})

    return call


@pytest.fixture(scope="module")
def trained(train, tmp_path_factory):
    """A function that gives the folder of a trained model of a kind."""

    @functools.cache
    def call(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        train(name, folder)
        return folder

    return call


@of_every_kind
def test_a_trained_model_is_the_files_of_its_record(name, trained):
    folder, record = trained(name), MODELS[name]
    assert DESCRIPTION in record.files
    assert all((folder / file).stat().st_size for file in record.files)
    description = json.loads((folder / DESCRIPTION).read_text())
    assert description["kind"] == name == kind_of(folder)
    assert ("history.csv" in record.files) == record.history
    for file in record.files:
        if file.endswith(".csv"):
            table = pd.read_csv(folder / file)
            assert len(table)
            assert np.isfinite(table.select_dtypes("number").to_numpy()).any()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@of_every_call
def test_its_force_calls(name, check, reference, trained, frames):
    folder, accuracy = trained(name), example("MODELS", name)[2]
    check(
        lambda numbers: evaluator_of(folder, numbers, reference=reference),
        off_its_sites(frames[0]),
        accuracy,
    )


@of_every_kind
def test_its_own_tool_makes_the_same_forces(name, trained, frames, tmp_path):
    usage = MODELS[name].export(trained(name), None, tmp_path / "own")
    assert all(f"own/{path.name}" in usage for path in (tmp_path / "own").iterdir())
    for frame in (frames[0], off_its_sites(frames[1])):
        expected = evaluator_of(trained(name), frame.numbers, reference=True)
        forces = expected(frame.positions, frame.cell[:]).forces_eV_A
        assert np.abs(FORCES[name](tmp_path / "own", frame) - forces).max() < 1e-5


@of_every_kind
def test_ases_calculator_gives_what_force_calls_give(name, trained, frames):
    frame = off_its_sites(frames[0])
    frame.calc = ModelCalculator(trained(name))
    result = evaluator_of(trained(name), frame.numbers)(frame.positions, frame.cell[:])
    assert np.allclose(frame.get_forces(), result.forces_eV_A, atol=1e-6)
    assert frame.get_potential_energy() == pytest.approx(result.energy_eV, abs=1e-5)
    assert np.allclose(frame.get_potential_energies(), result.atomic_energies_eV, atol=1e-5)
    stress = result.virial_eV / frame.cell.volume
    assert np.allclose(frame.get_stress(voigt=False), stress, atol=1e-7)


@of_every_kind
def test_what_it_approximates_for_speed_is_small(name, trained, frames):
    """Beside the errors of any model, hundredths of an eV/A."""
    folder = trained(name)
    for frame in (frames[0], off_its_sites(frames[1])):
        fast, exact = (
            evaluator_of(folder, frame.numbers, reference=reference)(frame.positions, frame.cell[:])
            for reference in (False, True)
        )
        assert np.allclose(fast.forces_eV_A, exact.forces_eV_A, atol=5e-4)
        assert fast.energy_eV == pytest.approx(exact.energy_eV, abs=2e-5 * len(frame))
        assert np.allclose(fast.virial_eV, exact.virial_eV, atol=1e-5 * frame.cell.volume)


@of_every_kind
def test_its_energies_are_those_of_labels(name, trained, frames):
    """With what species have by themselves, about -4 eV/atom here, and to a few tenths of it."""
    _, energies = predictions(trained(name), frames[:6])
    error = (energies["model_eV_atom"] - energies["label_eV_atom"]).to_numpy()
    assert np.abs(error).max() < 0.2 < 1 < energies["label_eV_atom"].abs().min()


@of_every_call
def test_an_element_that_it_does_not_know_is_named(name, reference, trained):
    for numbers, unknown in (([11, 17, 17], "Na"), ([19, 18, 35], "Ar, Br")):
        told = re.escape(f"the model knows no {unknown}, only Cl, K")
        with pytest.raises(ValueError, match=told):
            evaluator_of(trained(name), np.array(numbers), reference=reference)


@of_every_kind
def test_the_same_seed_gives_the_same_model_whatever_is_left_in_its_folder(
    name, train, trained, frames, tmp_path
):
    def called(folder):
        result = evaluator_of(folder, frames[0].numbers)(frames[0].positions, frames[0].cell[:])
        return result.energy_eV, result.forces_eV_A

    energy, forces = called(trained(name))
    for last in (MODELS[name].files[-1], None):
        summary = train(name, tmp_path)
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary
        again = called(tmp_path)
        assert again[0] == pytest.approx(energy, abs=1e-9)
        assert np.allclose(again[1], forces, atol=1e-9)
        if last:  # as after a kill
            (tmp_path / last).unlink()


@of_every_kind
def test_its_cost_grows_with_the_training_set(name):
    record, (settings, training, _) = MODELS[name], example("MODELS", name)
    given = defaults_of(record.training) | training, defaults_of(record.options) | settings
    for cost in (record.seconds, record.megabytes):
        assert 0 < cost(*given, 800) < cost(*given, 8000)
    assert 0 < record.seconds_per_atom_call <= record.reference_seconds_per_atom_call
