"""Damaged files: a reader gives finite numbers that fit together, or ValueError with the file's name."""

import itertools
import json
import math
import os
import re
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from fuzzing import NUMBERS, damaged, fuzz, show

from minset.dataset import read_dataset, write_dataset
from minset.files import read_torch
from minset.label.store import (
    Failure,
    Label,
    canonical_json,
    failure_path,
    label_key,
    label_path,
    read_failure,
    read_label,
    write_failure,
    write_label,
)
from minset.md.run import THERMO, THERMO_COLUMNS, read_thermo
from minset.md.trajectory import read_trajectory
from minset.model.schnet.architecture import load_model
from minset.model.schnet.compressed import load_compressed
from minset.pool.access import DIGEST, SEAL
from minset.pool.store import read_frames, read_geometries, read_property, write_pool

SETTINGS = {"cutoff_Ry": 400, "kinds": {"K": {"basis_set": "SZV"}}}


def frames(count: int) -> list[Atoms]:
    rng = np.random.default_rng(3)
    made = []
    for number in range(count):
        atoms = Atoms("K2Cl2", rng.uniform(0, 6, (4, 3)), cell=[6.0, 6.5, 7.0], pbc=True)
        atoms.info |= {"frame": number, "time_ps": 0.1 * number, "run": 0}
        results = {"energy": -rng.random(), "forces": rng.normal(size=(4, 3))}
        results |= {"energies": rng.normal(size=4), "stress": 1e-3 * rng.normal(size=6)}
        atoms.calc = SinglePointCalculator(atoms, **results)
        made.append(atoms)
    return made


def fuzz_file(capsys, target, inputs: int, path: Path, tokens: list[bytes], read, sealed=0) -> None:
    """Damage a good file in place; ``read`` says with asserts what is right about what it gives.

    The last ``sealed`` bytes stay: HDF5 may end the process over a damaged file without its seal.
    """
    good, made = path.read_bytes(), []
    good, seal = good[: len(good) - sealed], good[len(good) - sealed :]
    read()
    named = re.compile(f"{re.escape(path.name)}|{re.escape(path.parent.name)}")

    def attempt(rng):
        path.write_bytes(damaged(rng, good, tokens) + seal)
        failed = None
        try:
            read()
        except ValueError as error:
            failed = error
        made.append(failed is None)
        assert made[-1] or named.search(str(failed))

    fuzz(capsys, target, inputs, attempt)
    assert 0 < np.mean(made) < 1


def test_trajectory(tmp_path, capsys):
    path = tmp_path / "run.lammpstrj"
    rng, text = np.random.default_rng(1), []
    for step in range(0, 60, 20):
        text += ["ITEM: TIMESTEP", str(step), "ITEM: NUMBER OF ATOMS", "4"]
        text += ["ITEM: BOX BOUNDS pp pp pp", *["-1.0 11.5e0"] * 3]
        text += ["ITEM: ATOMS id element q x y z xu yu zu fx"]
        for ion, (element, charge) in enumerate([("K", 1), ("K", 1), ("Cl", -1), ("Cl", -1)]):
            numbers = " ".join(f"{x:.15g}" for x in rng.uniform(0, 10, 7))
            text += [f"{ion + 1} {element} {charge} {numbers}"]
    path.write_text("\n".join(text) + "\n")

    def read():
        run = read_trajectory(path)
        steps, ions = len(run.steps), len(run.species)
        assert run.positions_A.shape == run.unwrapped_A.shape == (steps, ions, 3)
        assert run.charges.shape == (ions,)
        for values in (run.positions_A, run.unwrapped_A, run.charges, run.cell_lengths_A):
            assert np.isfinite(values).all()
        assert (run.cell_lengths_A > 0).all()
        assert len(set(np.diff(run.steps))) <= 1
        assert steps <= path.read_bytes().count(b"ITEM: TIMESTEP")

    tokens = [*NUMBERS, b"ITEM: ATOMS", b"ITEM: TIMESTEP\n", b"xy xz yz", b"id element q x"]
    fuzz_file(capsys, "LAMMPS dump", 1500, path, tokens, read)


def test_dataset(tmp_path, capsys):
    path = tmp_path / "train.extxyz"
    write_dataset(path, frames(3))

    def read():
        for atoms in (read := read_dataset(path)):
            assert isinstance(atoms.get_potential_energy(), float | np.floating | np.integer | int)
            assert atoms.get_forces().shape == (len(atoms), 3)
            for values in (atoms.get_potential_energy(), atoms.get_forces(), atoms.positions):
                assert np.isfinite(values).all()
            assert 0 < atoms.get_volume() < np.inf
            assert (atoms.numbers > 0).all()
        # each frame has a Lattice, and none is lost
        assert len(read) == sum(b.strip().isdigit() for b in path.read_bytes().split(b"\n"))

    tokens = [
        *NUMBERS,
        b"Properties=",
        b":R:3",
        b'"',
        b"_JSON ",
        b"energy=",
        b"pbc=",
        b"VEC1 1 2 3\n",
    ]
    fuzz_file(capsys, "extended XYZ", 800, path, tokens, read)


def test_thermo(tmp_path, capsys):
    path = tmp_path / THERMO
    rows = np.random.default_rng(1).normal(size=(5, len(THERMO_COLUMNS)))
    rows[:, 0] = range(5)
    lines = [",".join(f"{x:.12g}" for x in row) for row in rows]
    path.write_text("\n".join([",".join(THERMO_COLUMNS), *lines]) + "\n")

    def read():
        table = read_thermo(tmp_path)
        assert list(table)[: len(THERMO_COLUMNS)] == list(THERMO_COLUMNS)
        assert set(table.to_numpy().dtype.kind) <= set("fi")
        assert table["time_ps"].is_unique

    fuzz_file(capsys, "thermo.csv", 500, path, [*NUMBERS, b",", b'"', b",,,,", b"time_ps"], read)


def test_pool(tmp_path, capsys):
    path = tmp_path / "pool.h5"
    write_pool(path, frames(3))

    good, clock = read_frames(path), itertools.count()

    def read():
        os.utime(path, ns=(0, next(clock)))  # as if they were not written within one tick of it
        for atoms, same in zip(read_frames(path), good, strict=True):
            assert atoms == same
            np.testing.assert_array_equal(atoms.get_forces(), same.get_forces())
        assert len(read_property(path, "energy_eV")) == len(good)
        assert sum(len(cells) for _, _, _, cells in read_geometries(path, 2)) == len(good)

    fuzz_file(capsys, "pool (HDF5)", 500, path, NUMBERS, read, sealed=len(SEAL) + DIGEST)


def arrays_of(compressed) -> list[np.ndarray]:
    readout = [*compressed.readout, *compressed.readout_bias]
    rest = [compressed.numbers, compressed.offsets_eV, compressed.embedding, compressed.repulsion]
    return [*rest, *compressed.layers, *readout, np.array(compressed.cutoff_A)]


def test_compressed_model(tmp_path, model_folder, capsys):
    path = Path(shutil.copy(model_folder / "compressed.npz", tmp_path))
    good = [a.tobytes() for a in arrays_of(load_compressed(path))]

    def read():
        assert [a.tobytes() for a in arrays_of(load_compressed(path))] == good

    fuzz_file(capsys, "compressed model", 500, path, NUMBERS, read)


@pytest.mark.parametrize(("name", "inputs"), [("model.pt", 500), ("model.json", 500)])
def test_model(tmp_path, model_folder, capsys, name, inputs):
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    good = [w.tolist() for w in load_model(folder)[0].state_dict().values()]

    def read():
        model, description = load_model(folder)
        assert [w.tolist() for w in model.state_dict().values()] == good
        assert all(np.isfinite(e) for e in description["energy_offsets_eV"].values())

    fuzz_file(capsys, name, inputs, folder / name, [*NUMBERS, b"{", b"null", b'"hyper"'], read)


def test_torch_file(tmp_path, model_folder, capsys):
    """What `read_torch` gives from a damaged file is what was written."""
    path = Path(shutil.copy(model_folder / "model.pt", tmp_path))
    good = {name: w.tolist() for name, w in read_torch(path).items()}

    def read():
        assert {name: w.tolist() for name, w in read_torch(path).items()} == good

    fuzz_file(capsys, "checkpoint (torch)", 500, path, NUMBERS, read)


@pytest.fixture
def stored(tmp_path) -> Label:
    """A label in a store, and the failure of another frame."""
    (atoms,) = frames(1)
    label = Label(
        key=label_key(atoms, "toy", SETTINGS),
        atoms=atoms,
        energy_eV=-1 / 3,
        forces_eV_A=atoms.get_forces(),
        stress_eV_A3=np.eye(3) / 7,
        provenance={"labeler": "toy", "settings": SETTINGS, "net_force_eV_A": 1e-17},
    )
    write_label(tmp_path, label)
    failure = Failure("SCF not converged", True, 2, "failures/ab/a.out", "toy", SETTINGS, 0.2)
    write_failure(tmp_path, "ab", failure)
    return label


JSON_TOKENS = [
    *NUMBERS,
    b"NaN",
    b"Infinity",
    b"null",
    b"true",
    b"[",
    b"{",
    b'"',
    b"[" * 5000,
    b"[]",
]


def fuzz_store(capsys, target: str, inputs: int, path: Path, read) -> None:
    good, made = path.read_bytes(), []

    def attempt(rng):
        path.write_bytes(damaged(rng, good, JSON_TOKENS))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made.append(read())
        aside = path.with_name(f"{path.name}.corrupt-1")
        assert aside.exists() == (not made[-1])
        assert any(path.name in str(w.message) for w in caught) == (not made[-1])
        aside.unlink(missing_ok=True)

    fuzz(capsys, target, inputs, attempt)
    assert 0 < np.mean(made) < 1


def test_label(tmp_path, stored, capsys):
    def read() -> bool:
        label = read_label(tmp_path, stored.key)
        if label is None:
            return False
        assert label.atoms == stored.atoms
        assert label.energy_eV == stored.energy_eV
        assert label.provenance == stored.provenance
        np.testing.assert_array_equal(label.forces_eV_A, stored.forces_eV_A)
        np.testing.assert_array_equal(label.stress_eV_A3, stored.stress_eV_A3)
        return True

    fuzz_store(capsys, "stored label", 3000, label_path(tmp_path, stored.key), read)


def test_failure(tmp_path, stored, capsys):
    def read() -> bool:
        failure = read_failure(tmp_path, "ab")
        if failure is None:
            return False
        assert failure.attempts + 1 > failure.attempts
        assert f"{failure.reason} {failure.output}"
        assert canonical_json(failure.settings)
        assert failure.net_force_eV_A is None or math.isfinite(failure.net_force_eV_A)
        return True

    fuzz_store(capsys, "stored failure", 3000, failure_path(tmp_path, "ab"), read)


HOSTILE = [None, True, -1, 0.5, 1e400, "x", "", [], {}, [[]], ["x"] * 3, 10**400, -(10**19), "nan"]


def test_a_label_with_a_right_checksum_and_wrong_content(tmp_path, stored, capsys):
    """Another program may write to a shared store: the checksum alone is not enough."""
    from minset.label.store import _content_hash

    path = label_path(tmp_path, stored.key)
    good, began, tried = json.loads(path.read_text()), time.monotonic(), 0
    keys = [k for k in good["label"] if k != "key"]
    for names in itertools.chain(itertools.combinations(keys, 1), itertools.combinations(keys, 2)):
        for values in itertools.product(HOSTILE, repeat=len(names)):
            label = good["label"] | dict(zip(names, values, strict=True))
            try:
                checksum = _content_hash(label)
            except ValueError:  # infinite
                continue
            path.write_text(json.dumps(good | {"sha256": checksum, "label": label}))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read = read_label(tmp_path, stored.key)
            path.with_name(f"{path.name}.corrupt-1").unlink(missing_ok=True)
            tried += 1
            if read:
                assert np.isfinite(read.energy_eV)
                assert read.forces_eV_A.shape == (len(read.atoms), 3)
                stress = read.stress_eV_A3  # None where a label has none
                assert stress is None or stress.shape == (3, 3)
    show(capsys, "label of another program", tried, time.monotonic() - began)
