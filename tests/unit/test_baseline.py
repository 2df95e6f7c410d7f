"""A potential below a model: what it leaves is learned, and both together make forces everywhere."""

import json

import numpy as np
import pytest
from ase.build import bulk
from samples import classically_labelled
from train import main as train_main

from minset.dataset import write_dataset
from minset.md.engines import LIMITS, model_engine
from minset.md.run import Protocol, read_thermo, run_md
from minset.model import MODELS, evaluator_of, learned_evaluator
from minset.model.baseline import without_baseline
from minset.observe.errors import error_row, predictions
from minset.potential.forces import evaluator, single_point
from minset.registry import defaults_of
from minset.units import BAR_EV_A3

MADELUNG = 1.747564594633  # of rock salt, per ion pair at nearest distance
COULOMB_EV_A = 14.3996454


@pytest.fixture(scope="module")
def charges(kcl):
    return {"species": kcl["species"], "potential": {"potential": "coulomb", "eps_inf": 1.0}}


@pytest.fixture(scope="module")
def frames(small_pool, kcl, tmp_path_factory):
    return classically_labelled(small_pool[1][::3], kcl, tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def trained(frames, charges, tmp_path_factory):
    """Folders of models trained on the same frames, with the charges below and without."""
    folder = tmp_path_factory.mktemp("trained")
    files = [folder / "train.extxyz", folder / "validation.extxyz"]
    for path, chosen in zip(files, (frames[:-4:2], frames[-4:]), strict=True):
        write_dataset(path, chosen)
    record = MODELS["schnet"]
    settings = {"model": "schnet", "size": "small"} | defaults_of(record.options)
    training = defaults_of(record.training)
    training |= {"batch_size": 2, "learning_rate": 3e-3, "max_epochs": 100}
    folders = {}
    for name, below in {"with": {"baseline": charges}, "without": {}}.items():
        folders[name] = folder / name
        outputs = {file: folder / name / file for file in record.files}
        train_main(*files, settings | below, training, 1, **outputs)
    return folders


@pytest.mark.parametrize("eps_inf", [1.0, 2.19])
def test_charges_have_madelungs_energy_and_pressure(charges, eps_inf):
    crystal = bulk("KCl", "rocksalt", a=6.4, cubic=True) * (2, 2, 2)
    system = charges | {"potential": {"potential": "coulomb", "eps_inf": eps_inf}}
    point = single_point(system, crystal)
    expected_eV = -MADELUNG * COULOMB_EV_A / 3.2 / eps_inf * len(crystal) / 2
    assert point.energy_eV == pytest.approx(expected_eV, rel=1e-4)
    # U ~ 1/L, so the trace of dU/dstrain is U itself with the other sign
    virial_eV = np.trace(point.stress_eV_A3) * crystal.cell.volume
    assert virial_eV == pytest.approx(-expected_eV, rel=1e-3)


def test_what_is_left_and_the_baseline_are_the_labels(frames, charges):
    rest = without_baseline(frames[:2], charges)
    for frame, left in zip(frames, rest, strict=False):
        point = single_point(charges, frame)
        assert left.get_potential_energy() + point.energy_eV == pytest.approx(
            frame.get_potential_energy()
        )
        assert np.allclose(left.get_forces() + point.forces_eV_A, frame.get_forces())
        stress = left.get_stress(voigt=False) + point.stress_eV_A3
        assert np.allclose(stress, frame.get_stress(voigt=False), atol=1e-12)


def test_labels_without_stress_stay_without(frames, charges):
    frame = frames[0].copy()
    frame.calc = frames[0].calc.__class__(
        frame, energy=frames[0].get_potential_energy(), forces=frames[0].get_forces()
    )
    assert "stress" not in without_baseline([frame], charges)[0].calc.results


def test_it_takes_most_of_the_error_of_classical_labels(trained, frames):
    rmse = {
        name: error_row(*predictions(folder, frames[-4:]))["force_rmse_eV_A"]
        for name, folder in trained.items()
    }
    assert rmse["with"] < 0.5 * rmse["without"]


def test_the_description_holds_it_in_full(trained, charges):
    description = json.loads((trained["with"] / "model.json").read_text())
    assert description["baseline"] == charges
    assert "baseline" not in json.loads((trained["without"] / "model.json").read_text())


def test_force_calls_are_the_sum_and_its_derivative(trained, frames, charges):
    frame, h = frames[0], 1e-3
    cell = np.array(frame.cell)
    whole = evaluator_of(trained["with"], frame.numbers)
    calls = [
        make(frame.positions, cell)
        for make in (
            whole,
            learned_evaluator(trained["with"], frame.numbers),
            evaluator(charges, frame.numbers),
        )
    ]
    assert calls[0].energy_eV == pytest.approx(calls[1].energy_eV + calls[2].energy_eV)
    assert calls[0].energy_eV == pytest.approx(calls[0].atomic_energies_eV.sum(), abs=1e-3)
    moved = [frame.positions.copy() for _ in range(2)]
    for sign, positions in zip((1, -1), moved, strict=True):
        positions[5, 1] += sign * h
    slope = np.diff([whole(positions, cell).energy_eV for positions in moved])[0] / (2 * h)
    assert calls[0].forces_eV_A[5, 1] == pytest.approx(slope, abs=3e-3)


def test_md_has_the_same_energy_forces_and_pressure(trained, melt32, kcl, tmp_path):
    protocol = Protocol("nve", (1200.0, 1200.0), 0.001, 1.0, 0.001, 0.001, seed=1)
    attach = model_engine(trained["with"], LIMITS, {})
    assert run_md(melt32, kcl, attach, protocol, tmp_path)["stable"]
    row = read_thermo(tmp_path).iloc[0]
    call = evaluator_of(trained["with"], melt32.numbers)(melt32.positions, np.array(melt32.cell))
    assert row["potential_energy_eV"] == pytest.approx(call.energy_eV, abs=2e-3)
    kinetic_eV = row["total_energy_eV"] - row["potential_energy_eV"]
    pressure_eV_A3 = (2 * kinetic_eV - np.trace(call.virial_eV)) / (3 * row["volume_A3"])
    assert row["pressure_bar"] == pytest.approx(pressure_eV_A3 / BAR_EV_A3, abs=30)


def test_md_conserves_energy(trained, melt32, kcl, tmp_path):
    protocol = Protocol("nve", (1200.0, 1200.0), 2.0, 1.0, 0.1, 0.01, seed=1)
    assert run_md(melt32, kcl, model_engine(trained["with"], LIMITS, {}), protocol, tmp_path)[
        "stable"
    ]
    thermo = read_thermo(tmp_path)
    slope = np.polyfit(thermo["time_ps"], thermo["total_energy_eV"], 1)[0]
    assert abs(slope) / len(melt32) < 1e-4  # eV/atom/ps


def test_md_takes_species_in_any_order(trained, melt32, kcl, tmp_path):
    other = kcl | {"species": dict(reversed(kcl["species"].items()))}
    protocol = Protocol("nve", (1200.0, 1200.0), 0.001, 1.0, 0.001, 0.001, seed=1)
    energies = []
    for name, system in {"one": kcl, "other": other}.items():
        run_md(melt32, system, model_engine(trained["with"], LIMITS, {}), protocol, tmp_path / name)
        energies.append(read_thermo(tmp_path / name).iloc[0]["potential_energy_eV"])
    assert energies[0] == pytest.approx(energies[1], abs=1e-3)
