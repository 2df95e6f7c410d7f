"""Symmetry functions and their networks: known values, torchani's own, training, kills, dynamics."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from samples import classically_labelled

from minset.dataset import write_dataset
from minset.evaluation import Unusable
from minset.model import MODELS, evaluator_of
from minset.model.acsf import HISTORY, OPTIONS, WEIGHTS
from minset.model.acsf.architecture import build_functions, build_model, hyper_of, load_model
from minset.model.acsf.batches import Batches
from minset.model.acsf.evaluator import compiled_evaluator, torchani_evaluator
from minset.model.acsf.predict import Standardized
from minset.model.acsf.train import train_acsf
from minset.model.offsets import energy_offsets
from minset.model.training import CHECKPOINT
from minset.registry import defaults_of

SMALL = {"hidden": [12, 8], "repulsion": "none"}
TRAINING = {
    "batch_size": 2,
    "learning_rate": 3e-3,
    "max_epochs": 12,
    "energy_weight": 1.0,
    "force_weight": 1.0,
    "stress_weight": 0.0,
}
of_both = pytest.mark.parametrize("functions", ["ani", "behler"])


def hyper(numbers, **changes) -> dict:
    return hyper_of(defaults_of(OPTIONS) | SMALL | changes, numbers)


def untrained(numbers, **changes):
    """A model with random weights and its description."""
    torch.manual_seed(1)
    given = hyper(numbers, **changes)
    model = build_model(given).double().eval().requires_grad_(False)
    return model, {"hyper": given, "energy_offsets_eV": {str(z): -float(z) for z in numbers}}


def rattled(atoms: Atoms, by_A: float = 0.15) -> Atoms:
    atoms.positions += np.random.default_rng(1).normal(0, by_A, atoms.positions.shape)
    return atoms


def functions_of(atoms: Atoms, given: dict) -> tuple[np.ndarray, dict]:
    """Symmetry functions as training has them, and the tensors of the frame."""
    atoms = atoms.copy()
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((len(atoms), 3)))
    torch.manual_seed(1)
    model = build_model(given)
    offsets = dict.fromkeys(map(int, atoms.numbers), 0.0)
    part = Batches([atoms], model, offsets, given, False).parts[0]
    return part["functions"].numpy(), part


def in_a_box(symbols: str, positions) -> Atoms:
    return Atoms(symbols, positions, cell=[30.0] * 3, pbc=True)


@pytest.fixture(scope="module")
def metal(al, tmp_path_factory):
    """Sixteen frames of displaced and strained FCC aluminium, labelled by EAM."""
    rng, frames = np.random.default_rng(2), []
    for _ in range(16):
        frame = bulk("Al", "fcc", a=4.05, cubic=True) * (2, 2, 2)
        frame.set_cell(frame.cell[:] @ (np.eye(3) + rng.normal(0, 0.02, (3, 3))), scale_atoms=True)
        frame.positions += rng.normal(0, rng.uniform(0.05, 0.2), frame.positions.shape)
        frames.append(frame)
    return classically_labelled(frames, al, tmp_path_factory.mktemp("labels"))


def test_two_atoms_have_anis_radial_functions_and_none_of_triples():
    d, given = 2.6, hyper([13])
    found, _ = functions_of(in_a_box("Al2", [[0, 0, 0], [d, 0, 0]]), given)
    spacing = (6.0 - 1.5) / 16
    shifts = 1.5 + spacing * np.arange(16)
    fading = math.exp(1 - 1 / (1 - (d / 6) ** 2))
    expected = 0.25 * np.exp(-(((d - shifts) / spacing) ** 2)) * fading
    assert found[0, :16] == pytest.approx(expected, abs=1e-6)
    assert found[1] == pytest.approx(found[0])
    assert not found[:, 16:].any()


def test_three_atoms_have_anis_functions_of_a_triple():
    """A right angle at the first atom; the other two are beyond the cutoff of triples from each other."""
    a, b, given = 3.3, 4.0, hyper([13])
    found, _ = functions_of(in_a_box("Al3", [[0, 0, 0], [a, 0, 0], [0, b, 0]]), given)
    spacing = (4.5 - 1.5) / 6
    of_mean = np.exp(-((((a + b) / 2 - 1.5 - spacing * np.arange(6)) / spacing) ** 2))
    directions = math.pi / 8 + math.pi / 4 * np.arange(4)
    of_angle = 2 * ((1 + np.cos(math.pi / 2 - directions)) / 2) ** 14.1
    fading = math.exp(2 - 1 / (1 - (a / 4.5) ** 2) - 1 / (1 - (b / 4.5) ** 2))
    assert math.hypot(a, b) > 4.5
    assert found[0, 16:] == pytest.approx(np.outer(of_mean, of_angle).ravel() * fading, abs=1e-6)
    assert not found[1:, 16:].any()


def test_three_atoms_have_behlers_functions():
    a, b, given = 2.9, 2.7, hyper([13], functions="behler")
    found, _ = functions_of(in_a_box("Al3", [[0, 0, 0], [a, 0, 0], [0, b, 0]]), given)

    def fading(r, cutoff):
        return 0.5 * (math.cos(math.pi * r / cutoff) + 1)

    eta = 0.5 / np.linspace(1.5, 6.0, 16) ** 2
    g2 = sum(np.exp(-eta * r**2) * fading(r, 6.0) for r in (a, b))
    assert found[0, :16] == pytest.approx(g2, abs=1e-6)
    zeta, eta = 2.0 ** np.arange(4), 0.5 / np.linspace(1.5, 4.5, 6) ** 2
    of_distances = np.exp(-eta * (a**2 + b**2)) * fading(a, 4.5) * fading(b, 4.5)
    of_angle = np.tile(2 ** (1 - zeta), 2)  # the cosine is zero: both signs are equal
    assert found[0, 16:] == pytest.approx(np.outer(of_distances, of_angle).ravel(), abs=1e-6)


@of_both
@pytest.mark.parametrize("inner", [3.0, 4.5])
def test_functions_are_those_of_torchani(functions, inner):
    """Its own neighbour search and sums, for two species in a cell with images of every atom."""
    atoms = rattled(bulk("NaCl", "rocksalt", a=5.6, cubic=True))
    given = hyper([11, 17], functions=functions, angular_cutoff_A=inner)
    found, _ = functions_of(atoms, given)
    computer = build_functions(given).double()
    species = torch.tensor([[given["elements"].index(s) for s in atoms.symbols]])
    expected = computer(
        species,
        torch.from_numpy(atoms.positions)[None],
        torch.from_numpy(atoms.cell[:]),
        torch.tensor([True] * 3),
    )
    assert np.allclose(found, expected[0].numpy(), rtol=1e-6, atol=1e-6)


CELLS = {
    "one atom and its images": lambda: bulk("Ni", "fcc", a=3.5),
    "triclinic and small": lambda: rattled(bulk("NaCl", "rocksalt", a=5.6)),
    "two species": lambda: rattled(bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (2, 1, 1)),
    "metal": lambda: rattled(bulk("Ni", "fcc", a=3.5, cubic=True) * (2, 2, 2)),
    "slab": lambda: rattled(
        Atoms("Ni4", bulk("Ni", "fcc", a=3.5, cubic=True).positions, cell=[3.5, 3.5, 40], pbc=True)
    ),
}


@of_both
@pytest.mark.parametrize("repulsion", ["none", "zbl"])
@pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)
def test_compiled_force_calls_are_those_of_torchani(functions, repulsion, make):
    atoms = make()
    numbers = sorted(set(map(int, atoms.numbers)))
    given = untrained(numbers, functions=functions, repulsion=repulsion)
    compiled, exact = (
        make_evaluator(*given, atoms.numbers)(atoms.positions, atoms.cell[:])
        for make_evaluator in (compiled_evaluator, torchani_evaluator)
    )
    scale = max(1.0, np.abs(exact.forces_eV_A).max())
    assert np.allclose(compiled.forces_eV_A, exact.forces_eV_A, atol=1e-6 * scale)
    assert np.allclose(compiled.atomic_energies_eV, exact.atomic_energies_eV, atol=1e-7)
    assert np.allclose(compiled.virial_eV, exact.virial_eV, atol=1e-6 * scale * len(atoms))
    assert np.allclose(compiled.shortest_A, exact.shortest_A)


@of_both
def test_threads_change_nothing(functions):
    atoms = CELLS["metal"]()
    given = untrained([28], functions=functions)
    one, three = (
        compiled_evaluator(*given, atoms.numbers, threads)(atoms.positions, atoms.cell[:])
        for threads in (1, 3)
    )
    assert np.allclose(one.forces_eV_A, three.forces_eV_A, atol=1e-12)
    assert one.energy_eV == pytest.approx(three.energy_eV, abs=1e-10)


def test_atoms_that_move_between_calls_are_followed():
    """Lists with a skin are kept, and as many neighbours as come fit into what was set aside."""
    atoms, given = CELLS["metal"](), untrained([28])
    evaluate = compiled_evaluator(*given, atoms.numbers)
    rng, cell = np.random.default_rng(4), atoms.cell[:]
    for shrink in np.linspace(1.0, 0.85, 12):
        x = (atoms.positions + rng.normal(0, 0.1, atoms.positions.shape)) * shrink
        fresh = compiled_evaluator(*given, atoms.numbers)(x, cell * shrink)
        assert np.allclose(evaluate(x, cell * shrink).forces_eV_A, fresh.forces_eV_A, atol=1e-10)


def test_atoms_at_the_same_place_are_no_force_call():
    atoms = CELLS["metal"]()
    atoms.positions[1] = atoms.positions[0]
    for make in (compiled_evaluator, torchani_evaluator):
        with pytest.raises(Unusable, match="two atoms are at the same place"):
            make(*untrained([28]), atoms.numbers)(atoms.positions, atoms.cell[:])


@of_both
def test_batches_predict_what_the_network_is(functions, metal):
    """Energies, forces and virials of joined frames, and those of the model with the folded inputs."""
    given = hyper([13], functions=functions)
    torch.manual_seed(3)
    model, offsets = build_model(given), {13: -3.4}
    batches = Batches(metal[:3], model, offsets, given, True)
    predict = Standardized(*batches.spread(1))
    found = predict(model, batches.of(np.array([0, 2])))
    predict.fold(model)
    description = {"hyper": given, "energy_offsets_eV": {"13": -3.4}}
    evaluate = torchani_evaluator(
        model.double().requires_grad_(False), description, metal[0].numbers
    )
    for k, frame in enumerate((metal[0], metal[2])):
        exact = evaluate(frame.positions, frame.cell[:])
        forces = found["forces"][32 * k : 32 * (k + 1)].detach().numpy()
        scale = np.abs(exact.forces_eV_A).max()
        assert np.allclose(forces, exact.forces_eV_A, atol=2e-4 * scale)
        assert float(found["energy"][k]) == pytest.approx(exact.energy_eV + 32 * 3.4, abs=1e-3)
        virial = found["virial"][k].detach().numpy()
        bound = 2e-4 * np.abs(exact.virial_eV).max()
        assert np.allclose(0.5 * (virial + virial.T), exact.virial_eV, atol=bound)


def fit(frames, folder, training=TRAINING, **changes):
    settings = defaults_of(OPTIONS) | SMALL | {"hidden": [32]} | changes
    return train_acsf(frames[:12], frames[12:], settings, training, 1, folder, 1, {})


@of_both
def test_it_learns_a_metal(functions, metal, tmp_path):
    """With its stress, which only the derivatives by the cell can teach."""
    training = TRAINING | {"max_epochs": 60, "stress_weight": 1e3}
    summary = fit(metal, tmp_path, training, functions=functions)
    history = pd.read_csv(tmp_path / HISTORY)
    rmse = history["validation_force_rmse_eV_A"]
    assert rmse.iloc[-1] < 0.4 * rmse.iloc[0]
    assert summary["best_epoch"] == history["epoch"][history["validation_loss"].idxmin()]
    assert {path.name for path in tmp_path.iterdir()} == set(MODELS["acsf"].files)
    pressure, rest = [], []
    for frame in metal[12:]:
        result = evaluator_of(tmp_path, frame.numbers)(frame.positions, frame.cell[:])
        label = frame.get_stress(voigt=False)
        rest.append(result.virial_eV / frame.cell.volume - label)
        pressure.append(label)
    assert np.sqrt(np.mean(np.square(rest))) < 0.3 * np.sqrt(np.mean(np.square(pressure)))


def test_the_history_has_the_errors_of_the_model_that_is_kept(metal, tmp_path):
    summary = fit(metal, tmp_path)
    row = pd.read_csv(tmp_path / HISTORY).set_index("epoch").loc[summary["best_epoch"]]
    evaluate = evaluator_of(tmp_path, metal[0].numbers)
    left = [evaluate(f.positions, f.cell[:]).forces_eV_A - f.get_forces() for f in metal[12:]]
    rmse = np.sqrt(np.mean(np.square(left)))
    assert rmse == pytest.approx(row["validation_force_rmse_eV_A"], rel=1e-4)


def test_a_killed_training_ends_like_an_undisturbed_one(metal, tmp_path):
    """SIGKILL a real process after its checkpoint, go on, compare with a run that had no kill."""
    write_dataset(tmp_path / "train.extxyz", metal[:12])
    write_dataset(tmp_path / "validation.extxyz", metal[12:])
    settings = defaults_of(OPTIONS) | SMALL
    script = f"""
import sys
sys.path[:0] = {[p for p in sys.path if p]!r}
import minset.model.training
from minset.dataset import read_dataset
from minset.model.acsf.train import train_acsf
minset.model.training.CHECKPOINT_SECONDS = 0.0
train_acsf(read_dataset("train.extxyz"), read_dataset("validation.extxyz"), {settings!r},
           {TRAINING | {"max_epochs": 60}!r}, seed=1, folder=sys.argv[1], threads=1, provenance={{}})
"""

    def start(folder):
        return subprocess.Popen(
            [sys.executable, "-c", script, folder], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )

    killed, checkpoint = start("killed"), tmp_path / "killed" / CHECKPOINT
    deadline = time.monotonic() + 300
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert checkpoint.exists()
    assert not (tmp_path / "killed" / WEIGHTS).exists()
    assert "continuing after epoch" in start("killed").communicate(timeout=600)[0]
    assert start("whole").wait(timeout=600) == 0
    columns = ["epoch", "train_loss", "validation_loss", "learning_rate"]
    pd.testing.assert_frame_equal(
        *(pd.read_csv(tmp_path / f / HISTORY)[columns] for f in ("killed", "whole"))
    )
    weights = [torch.load(tmp_path / f / WEIGHTS, weights_only=True) for f in ("killed", "whole")]
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


def test_offsets_are_taken_off_and_refitted(metal, tmp_path):
    fit(metal, tmp_path, TRAINING | {"energy_weight": 0.0})
    evaluate = evaluator_of(tmp_path, metal[0].numbers)
    left = [
        evaluate(f.positions, f.cell[:]).energy_eV - f.get_potential_energy() for f in metal[:12]
    ]
    assert abs(np.mean(left)) < 1e-3
    description = json.loads((tmp_path / "model.json").read_text())
    assert description["energy_offsets_eV"]["13"] != energy_offsets(metal[:12])[13]


@pytest.mark.parametrize(
    "changes", [{"angular_cutoff_A": 6.0}, {"start_A": 5.0}, {"cutoff_A": 4.0}]
)
def test_cutoffs_that_do_not_fit_are_named(changes):
    with pytest.raises(ValueError, match=r"start_A \(.*\) must be below angular_cutoff_A"):
        hyper([13], **changes)


def test_a_model_of_other_elements_or_widths_is_no_model(metal, tmp_path):
    fit(metal, tmp_path, TRAINING | {"max_epochs": 1})
    path = tmp_path / "model.json"
    description = json.loads(path.read_text())
    for change in ({"elements": ["Ni"]}, {"hidden": [31]}, {"radial": 15}, {"cutoff_A": -1.0}):
        path.write_text(json.dumps(description | {"hyper": description["hyper"] | change}))
        with pytest.raises(ValueError, match=r"cannot be read .* train it again"):
            load_model(tmp_path)


@of_both
def test_energy_is_conserved(functions, metal, tmp_path):
    """Velocity Verlet at 600 K, 0.5 ps."""
    fit(metal, tmp_path, TRAINING | {"max_epochs": 20}, functions=functions)
    frame = bulk("Al", "fcc", a=4.05, cubic=True) * (2, 2, 2)
    evaluate, cell = evaluator_of(tmp_path, frame.numbers), frame.cell[:]
    mass, step = frame.get_masses()[:, None], 1.0 * units.fs
    rng, x = np.random.default_rng(5), frame.positions.copy()
    v = rng.normal(size=x.shape) * np.sqrt(600 * units.kB / mass)
    result, total = evaluate(x, cell), []
    for _ in range(500):
        v += 0.5 * step * result.forces_eV_A / mass
        x += step * v
        result = evaluate(x, cell)
        v += 0.5 * step * result.forces_eV_A / mass
        total.append(result.energy_eV + 0.5 * np.sum(mass * v**2))
    assert np.abs(np.diff([np.mean(total[:100]), np.mean(total[-100:])])) < 2e-3
    assert np.std(total) < 5e-3
