"""Training: it learns, keeps the best epoch, and a killed one ends as if it had never been."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import classically_labelled

from minset.dataset import write_dataset
from minset.model import MODELS, evaluator_of
from minset.model.offsets import energy_offsets
from minset.model.repulsion import with_floor
from minset.model.schnet import COMPRESSED, HISTORY, WEIGHTS
from minset.model.schnet.architecture import build_model, hyper_of, load_model
from minset.model.schnet.batches import Batches
from minset.model.schnet.evaluator import schnetpack_evaluator
from minset.model.schnet.train import SEGMENTS, predict, train_network, train_schnet
from minset.model.training import CHECKPOINT, loss_of

TRAINING = {
    "batch_size": 2,
    "learning_rate": 3e-3,
    "max_epochs": 12,
    "energy_weight": 1.0,
    "force_weight": 1.0,
    "stress_weight": 0.0,
}


@pytest.fixture(scope="module")
def frames(small_pool):
    return small_pool[1][::8], small_pool[1][3::16]


def fit(frames, folder, **changes):
    return train_network(
        *frames,
        {"size": "small"},
        TRAINING | changes,
        seed=1,
        folder=folder,
        threads=1,
        provenance={},
    )


def test_it_learns_and_keeps_the_best_epoch(frames, tmp_path):
    summary = fit(frames, tmp_path, max_epochs=30)
    history = pd.read_csv(tmp_path / HISTORY)
    forces = history["validation_force_rmse_eV_A"]
    assert forces.iloc[-1] < 0.6 * forces.iloc[0]
    assert summary["best_epoch"] == history["epoch"][history["validation_loss"].idxmin()]
    description = json.loads((tmp_path / "model.json").read_text())
    assert description["training"]["best_epoch"] == summary["best_epoch"]
    assert not (tmp_path / CHECKPOINT).exists()


def test_the_learning_rate_is_held_and_falls_to_zero_as_half_a_cosine(frames, tmp_path):
    fit(frames, tmp_path, max_epochs=16)
    rates = pd.read_csv(tmp_path / HISTORY)["learning_rate"].to_numpy()
    assert (rates[:13] == 3e-3).all()
    assert rates[12:] == pytest.approx(1.5e-3 * (1 + np.cos(np.pi * np.arange(4) / 4)))


def test_training_ends_converged(frames, tmp_path):
    """The loss of the last epochs no longer jumps, as it did at the constant rate before."""
    fit(frames, tmp_path, max_epochs=40)
    losses = pd.read_csv(tmp_path / HISTORY)["validation_loss"].to_numpy()
    jumps = np.abs(np.diff(np.log(losses)))
    assert jumps[-2:].max() < 0.05 < jumps[20:30].max()


def test_with_patience_the_learning_rate_is_halved_on_a_plateau(frames, tmp_path):
    fit(frames, tmp_path, learning_rate=1e-2, max_epochs=60, patience=6)
    rates = pd.read_csv(tmp_path / HISTORY)["learning_rate"].to_numpy()
    assert rates[0] == 1e-2
    assert rates[-1] < rates[0]
    assert np.log2(rates[0] / rates) == pytest.approx(np.round(np.log2(rates[0] / rates)))


def test_the_floor_ends_below_all_that_was_labelled_and_is_kept_with_the_model(frames, tmp_path):
    settings = {"size": "small", "repulsion": "floor"}
    train_schnet(*frames, settings, TRAINING | {"max_epochs": 3}, 1, tmp_path, 1, {})
    hyper = json.loads((tmp_path / "model.json").read_text())["hyper"]
    assert hyper == with_floor(hyper_of(settings), [*frames[0], *frames[1]])
    frame, cell = frames[1][0], np.array(frames[1][0].cell)
    tables, network = (
        evaluator_of(tmp_path, frame.numbers, reference=reference) for reference in (False, True)
    )
    for scale in (1.0, 0.8):
        results = [e(scale * frame.positions, scale * cell) for e in (tables, network)]
        bound = 1e-4 * max(1.0, np.abs(results[1].forces_eV_A).max() / 10)
        assert np.allclose(*(r.forces_eV_A for r in results), atol=bound)
    assert np.abs(results[0].forces_eV_A).max() > 5, "the floor is felt in the pressed cell"


def test_energies_of_the_training_frames_are_off_by_no_constant(frames, tmp_path):
    summary = fit(frames, tmp_path, energy_weight=0.0)
    assert summary["epochs"] == TRAINING["max_epochs"]
    evaluate = schnetpack_evaluator(*load_model(tmp_path), frames[0][0].numbers)
    left = [
        evaluate(f.positions, np.array(f.cell)).energy_eV - f.get_potential_energy()
        for f in frames[0]
    ]
    assert np.std(left) > 0.1
    assert abs(np.mean(left)) < 1e-2 * np.std(left)


def test_early_stopping_says_so(frames, tmp_path):
    summary = fit(frames, tmp_path, learning_rate=2e-2, max_epochs=80, patience=3)
    assert summary["epochs"] - summary["best_epoch"] == 3
    assert "no better validation loss in 3 epochs" in summary["stopped"]


def test_divergence_names_the_remedy(frames, tmp_path):
    with pytest.raises(ValueError, match=r"diverged in epoch \d+; lower training.learning_rate"):
        fit(frames, tmp_path, learning_rate=0.5)


def test_stress_is_learned_when_asked(small_pool, kcl, tmp_path):
    labelled = classically_labelled(small_pool[1][::10], kcl, tmp_path)

    def stress_rmse(folder):
        from minset.model.schnet.evaluator import schnetpack_evaluator

        model, description = load_model(folder)
        differences = []
        for frame in labelled:
            evaluate = schnetpack_evaluator(model, description, frame.numbers)
            virial = evaluate(frame.positions, np.array(frame.cell)).virial_eV
            differences.append(virial / frame.cell.volume - frame.get_stress(voigt=False))
        return np.sqrt(np.mean(np.square(differences)))

    sets = (labelled, labelled)
    fit(sets, tmp_path / "without")
    fit(sets, tmp_path / "with", stress_weight=1e4)
    assert stress_rmse(tmp_path / "with") < 0.7 * stress_rmse(tmp_path / "without")


def test_frames_without_stress_teach_none(small_pool, kcl, tmp_path):
    """Of a batch of two, one with stress and one without, the loss has the stress of the first."""
    labelled = classically_labelled(small_pool[1][:2], kcl, tmp_path)
    bare = labelled[1].copy()
    known = {name: labelled[1].calc.results[name] for name in ("energy", "forces")}
    bare.calc = SinglePointCalculator(bare, **known)
    hyper, weighted = hyper_of({"size": "small"}), TRAINING | {"stress_weight": 1e4}
    offsets, model = energy_offsets(labelled), build_model(hyper)

    def loss(frames, training):
        batches = Batches(frames, offsets, hyper, SEGMENTS, True, torch.device("cpu"))
        return float(
            loss_of(model, predict, batches.of(np.arange(len(frames))), training)[0].detach()
        )

    of_stress = loss(labelled[:1], weighted) - loss(labelled[:1], TRAINING)
    assert of_stress > 0
    both = loss([labelled[0], bare], weighted) - loss([labelled[0], bare], TRAINING)
    assert both == pytest.approx(of_stress, rel=1e-3)
    assert loss([bare], weighted) == loss([bare], TRAINING)


@pytest.mark.parametrize("changes", [{}, {"patience": 30}], ids=["falling", "plateau"])
def test_a_killed_training_ends_like_an_undisturbed_one(changes, frames, tmp_path):
    """SIGKILL a real process after its checkpoint, go on, compare with a run that had no kill."""
    write_dataset(tmp_path / "train.extxyz", frames[0])
    write_dataset(tmp_path / "validation.extxyz", frames[1])
    script = f"""
import sys
sys.path[:0] = {[p for p in sys.path if p]!r}
import minset.model.schnet.train as t
import minset.model.training
from minset.dataset import read_dataset
minset.model.training.CHECKPOINT_SECONDS = 0.0
t.train_network(read_dataset("train.extxyz"), read_dataset("validation.extxyz"), {{"size": "small"}},
                {TRAINING | {"max_epochs": 30} | changes!r}, seed=1, folder=sys.argv[1],
                threads=1, provenance={{}})
"""

    def start(folder):
        return subprocess.Popen(
            [sys.executable, "-c", script, folder],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )

    killed = start("killed")
    checkpoint = tmp_path / "killed" / CHECKPOINT
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert checkpoint.exists()
    assert not (tmp_path / "killed" / "model.pt").exists()
    resumed = start("killed")
    output = resumed.communicate(timeout=300)[0]
    assert "continuing after epoch" in output
    assert start("whole").wait(timeout=300) == 0
    columns = ["epoch", "train_loss", "validation_loss", "learning_rate"]
    tables = [pd.read_csv(tmp_path / f / HISTORY)[columns] for f in ("killed", "whole")]
    pd.testing.assert_frame_equal(*tables)
    weights = [
        torch.load(tmp_path / f / "model.pt", weights_only=True) for f in ("killed", "whole")
    ]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


def test_a_damaged_checkpoint_is_left_out(frames, tmp_path, capsys):
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    fit(frames, tmp_path, max_epochs=2)
    assert "training starts again" in capsys.readouterr().out
    assert Path(tmp_path / "model.pt").exists()


def test_training_ends_with_the_compressed_model(frames, tmp_path):
    arguments = (*frames, {"size": "small"}, TRAINING | {"max_epochs": 3}, 1, tmp_path, 1, {})
    # an obstacle where the compressed model belongs: the compression fails, the training does not
    (tmp_path / COMPRESSED).mkdir(parents=True)
    with pytest.raises(OSError, match=COMPRESSED):
        train_schnet(*arguments)
    trained = [(tmp_path / name).stat().st_mtime_ns for name in (WEIGHTS, "model.json", HISTORY)]
    (tmp_path / COMPRESSED).rmdir()
    summary = train_schnet(*arguments)
    assert (summary["epochs"], summary["stopped"]) == (3, "3 epochs done")
    again = [(tmp_path / name).stat().st_mtime_ns for name in (WEIGHTS, "model.json", HISTORY)]
    assert again == trained, "the network was trained a second time"
    assert {path.name for path in tmp_path.iterdir()} == set(MODELS["schnet"].files)
    frame, cell = frames[1][0], np.array(frames[1][0].cell)
    tables, network = (
        evaluator_of(tmp_path, frame.numbers, reference=reference)(frame.positions, cell)
        for reference in (False, True)
    )
    assert np.allclose(tables.forces_eV_A, network.forces_eV_A, atol=1e-4)


def labelled(symbols: str, energy: float) -> Atoms:
    atoms = Atoms(symbols, positions=3.0 * np.arange(len(Atoms(symbols)))[:, None] * np.ones(3))
    atoms.set_cell([30.0] * 3)
    atoms.pbc = True
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((len(atoms), 3)))
    return atoms


def test_offsets_of_several_compositions_are_those_of_the_species():
    energy = {"Na": -1.25, "K": -2.0, "Cl": -3.5}
    frames = [
        labelled(symbols, sum(energy[s] for s in Atoms(symbols).symbols))
        for symbols in ("Na2Cl2", "K3Cl3", "NaK2Cl3", "Cl2", "NaCl")
    ]
    offsets = energy_offsets(frames)
    assert offsets == pytest.approx({11: -1.25, 19: -2.0, 17: -3.5})


def test_a_species_that_no_training_frame_has_is_named(tmp_path):
    train = [labelled("NaCl", -4.0), labelled("Na2Cl2", -8.0)]
    validation = [labelled("NaCl", -4.0), labelled("KBrNaCl", -9.0)]
    with pytest.raises(ValueError, match=r"validation frame 1 .* has K, Br, .* have only Na, Cl"):
        fit((train, validation), tmp_path)


def test_offsets_reproduce_the_mean_energy(small_pool):
    frames = small_pool[1]
    offsets = energy_offsets(frames)
    sums = [sum(offsets[z] for z in f.numbers) for f in frames]
    assert np.mean(sums) == pytest.approx(np.mean([f.get_potential_energy() for f in frames]))
