"""The benchmarks' own parts that need no other environment: frames, cases, errors, tables."""

import json
import math
from importlib import import_module
from pathlib import Path

import pytest
from ase.calculators.calculator import Calculator

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def peers(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "tests/benchmarks")
    return lambda name: import_module(f"peers.{name}")


@pytest.fixture
def frames(peers):
    return peers("data").labelled(REPOSITORY)


def test_training_frames_are_nested_and_never_test_frames(peers, frames):
    drawn = [peers("data").training_frames(frames["pool"], size, seed=3) for size in (8, 32)]
    assert drawn[1][:8] == drawn[0]
    keys = {role: {a.info["label"]["key"] for a in made} for role, made in frames.items()}
    assert not keys["pool"] & (keys["test"] | keys["validation"])
    assert [len(frames[role]) for role in ("test", "validation")] == [40, 4]


def test_what_is_not_trained_is_measured_once(peers):
    cases = peers("__main__").cases(["chgnet-zero-shot", "acsf"], [8, 32], [1, 2])
    assert len(cases) == 5
    assert ("chgnet-zero-shot", 0, 0) in cases


def test_errors_are_those_of_the_calculator(peers, frames):
    test = frames["validation"]
    places = [frame.positions[0, 0] for frame in test]

    class Shifted(Calculator):
        implemented_properties = ("energy", "forces")

        def calculate(self, atoms, properties, changes):
            super().calculate(atoms, properties, changes)
            label = test[places.index(atoms.positions[0, 0])]
            energy = label.get_potential_energy() + 0.001 * len(atoms)
            self.results = {"energy": energy, "forces": label.get_forces() + 0.25}

    found = peers("one").errors(Shifted(), test)
    assert math.isclose(found["force_rmse_eV_A"], 0.25)
    assert math.isclose(found["energy_rmse_meV_atom"], 1.0, rel_tol=1e-6)
    assert found["energy_std_meV_atom"] < 1e-6


def test_the_table_says_where_others_are_better(peers, frames, tmp_path):
    (tmp_path / "runs").mkdir()
    about = {"cpu": "x", "cores": 2, "memory_GB": 1, "os": "y", "python": "3", "versions": {}}
    about |= {"measured": "2026-01-01T00:00:00", "memory_MB": 1, "load": 9}
    for name, seed, error, cost in (
        ("schnet-charges", 1, 0.04, 5),
        ("schnet-charges", 2, 0.09, 5),
        ("mace-small", 1, 0.03, 400),
    ):
        row = {"contestant": name, "size": 8, "seed": seed, "force_rmse_eV_A": error}
        row |= {"force_l4_eV_A": error, "energy_rmse_meV_atom": 1, "energy_std_meV_atom": 1}
        row |= {"us_per_atom_step": cost, "training_s": 3} | about
        (tmp_path / f"runs/{name}-n8-s{seed}.json").write_text(json.dumps(row))
    peers("report").write_report(tmp_path, frames)
    text = (tmp_path / "README.md").read_text()
    assert (
        "- 8 frames, force RMSE eV/A: MACE, 32 channels 0.0300, the best of minset's own 0.0600."
        in text
    )
    assert "us per atom and step: MACE" not in text
    assert (tmp_path / "peers.png").stat().st_size > 0


def test_every_contestant_has_its_module_and_its_lock(peers):
    made = peers("contestants")
    folder = REPOSITORY / "tests/benchmarks/peers"
    for contestant in made.CONTESTANTS.values():
        assert (folder / f"{contestant.module}.py").exists()
        made_by_setup = contestant.environment in peers("environments").OF_MINSET
        assert made_by_setup or (folder / f"{contestant.environment}.lock").exists()


def test_fresh_forgets_all_numbers_of_another_machine(peers, tmp_path, monkeypatch):
    bench = import_module("bench")
    here = bench.machine()
    for other, left in ((here, {"training.csv"}), (here | {"cpu": "another"}, set())):
        for name in ("md.csv", "training.csv"):
            (tmp_path / name).write_text("x")
        (tmp_path / "machine.json").write_text(json.dumps(other))
        bench.start_over(tmp_path, ["md"])
        assert {path.name for path in tmp_path.glob("*.csv")} == left
        bench.record_machine(tmp_path / "machine.json")
