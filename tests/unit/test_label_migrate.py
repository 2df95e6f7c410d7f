"""Label stores of version 0.1: every label is found under today's key, none is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import minset
from minset.label import LABELERS, migrate, potential
from minset.label.batch import label_batch
from minset.label.store import (
    Failure,
    Label,
    failure_path,
    label_key,
    label_path,
    read_failure,
    read_label,
    write_failure,
    write_label,
)

# as in config/systems/kcl.yaml of version 0.1
PAIRS = {
    "K-K": {"A_eV": 0.263704, "rho_A": 0.337, "sigma_A": 2.926},
    "K-Cl": {"A_eV": 0.210963, "rho_A": 0.337, "sigma_A": 3.048},
    "Cl-Cl": {"A_eV": 0.158222, "rho_A": 0.337, "sigma_A": 3.170},
}
for pair, C, D in (
    ("K-K", 15.166867, 14.979622),
    ("K-Cl", 29.959244, 45.563016),
    ("Cl-Cl", 77.706788, 156.037727),
):
    PAIRS[pair] |= {"C_eV_A6": C, "D_eV_A8": D}
OLD = {
    "potential": "bmhtf",
    "system": {
        "species": {
            "K": {"charge": 1.0, "mass_u": 39.0983, "count": 1},
            "Cl": {"charge": -1.0, "mass_u": 35.453, "count": 1},
        },
        "potential": {
            "form": "born-mayer-huggins-tosi-fumi",
            "source": "Fumi and Tosi 1964",
            "pairs": PAIRS,
        },
    },
}
PUBLISHED = OLD | {"potential": "bmhtf-published-sign"}
CHARGES = {"K": 1.0, "Cl": -1.0}
# written by version 0.1 with the settings above
REAL = Path(__file__).with_name("label-0.1.json")


def settings(published_sign: bool = False) -> dict:
    value = {"potential": "tosi_fumi", "pairs": PAIRS, "published_sign": published_sign}
    return {"potential": value, "charges": CHARGES}


def key_now(atoms: Atoms, published_sign: bool = False) -> str:
    return label_key(atoms, "potential", potential.physics(settings(published_sign), atoms))


def frame(index: int) -> Atoms:
    positions = np.random.default_rng(index).uniform(0, 8, (4, 3))
    return Atoms("K2Cl2", positions, cell=[8.0, 8.5, 9.0], pbc=True)


def old_label(index: int, given: dict = OLD, labeler: str = "lammps") -> Label:
    rng, atoms = np.random.default_rng(100 + index), frame(index)
    return Label(
        key=label_key(atoms, labeler, given),
        atoms=atoms,
        energy_eV=float(rng.normal()),
        forces_eV_A=rng.normal(size=(4, 3)),
        stress_eV_A3=np.eye(3) * rng.normal(),
        provenance={"labeler": labeler, "settings": given, "seconds": 0.1, "net_force_eV_A": 0.0},
    )


def same_numbers(label: Label, expected: Label) -> None:
    assert label.energy_eV == expected.energy_eV
    np.testing.assert_array_equal(label.forces_eV_A, expected.forces_eV_A)
    np.testing.assert_array_equal(label.stress_eV_A3, expected.stress_eV_A3)
    assert label.atoms == expected.atoms


def content(store: Path) -> dict[str, bytes]:
    """All files but locks."""
    files = [path for path in store.rglob("*") if path.is_file() and path.parent.name != "locks"]
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def test_a_label_that_version_0_1_made_is_found_again_and_agrees_with_the_labeler(tmp_path):
    store, lines = tmp_path / "store", []
    key = json.loads(REAL.read_text())["label"]["key"]
    label_path(store, key).parent.mkdir(parents=True)
    shutil.copy(REAL, label_path(store, key))
    before = read_label(store, key)
    arguments = [("0", before.atoms)], LABELERS["potential"], settings()
    (row,) = label_batch(*arguments, store, tmp_path / "work", 0.01, lines.append)
    assert row["reused"]
    assert row["key"] == key_now(before.atoms)
    same_numbers(read_label(store, row["key"]), before)
    assert not label_path(store, key).exists()
    assert "1 label(s) that version 0.1 made of the classical potential" in lines[0]
    # computed anew, it is the same
    (fresh,) = label_batch(*arguments, tmp_path / "fresh", tmp_path / "work", 0.01, lines.append)
    assert (fresh["key"], fresh["reused"]) == (row["key"], False)
    anew = read_label(tmp_path / "fresh", fresh["key"])
    assert anew.energy_eV == pytest.approx(before.energy_eV, rel=1e-12)
    np.testing.assert_allclose(anew.forces_eV_A, before.forces_eV_A, atol=1e-10)
    np.testing.assert_allclose(anew.stress_eV_A3, before.stress_eV_A3, atol=1e-12)


def test_labels_of_both_signs_move_and_all_else_stays_as_it_is(tmp_path):
    moving = [(old_label(0), False), (old_label(1), False), (old_label(0, PUBLISHED), True)]
    staying = [
        old_label(2, {"cutoff_Ry": 300}, "cp2k"),
        old_label(3, {"unheard": "of"}),
        old_label(4, OLD | {"potential": "another"}),
    ]
    for label in [label for label, _ in moving] + staying:
        write_label(tmp_path, label)
    write_failure(tmp_path, "ab", Failure("net force", True, 1, None, "lammps", OLD, 0.3))
    write_failure(tmp_path, "cd", Failure("SCF not converged", True, 1, None, "cp2k", {}))
    label_path(tmp_path, "ef").parent.mkdir()
    label_path(tmp_path, "ef").with_name("ef.json.corrupt-1").write_text("{")
    before = content(tmp_path)
    migrate.migrate(tmp_path, str)
    after = content(tmp_path)
    for label, sign in moving:
        moved = read_label(tmp_path, key_now(label.atoms, sign))
        same_numbers(moved, label)
        physics = potential.physics(settings(sign), label.atoms)
        changed = {"labeler": "potential", "settings": physics}
        assert moved.provenance == label.provenance | changed
        assert not label_path(tmp_path, label.key).exists()
    kept = {path for path, text in before.items() if after.get(path) == text}
    assert len(kept) == len(before) - len(moving)
    assert len(after) == len(before) + 1  # format.json


def test_a_store_is_gone_through_once(tmp_path, monkeypatch):
    write_label(tmp_path, old_label(0))
    migrate.migrate(tmp_path, str)
    monkeypatch.setattr(migrate, "_moved", lambda *_: pytest.fail("looked at again"))
    write_label(tmp_path, old_label(1, {"cutoff_Ry": 300}, "cp2k"))
    migrate.migrate(tmp_path, str)


def test_labels_that_differed_in_the_citation_alone_become_one(tmp_path):
    cited = json.loads(json.dumps(OLD))
    cited["system"]["potential"]["source"] = "Tosi and Fumi 1964"
    labels = [old_label(0), old_label(0, cited)]
    assert labels[0].key != labels[1].key
    for label in labels:
        write_label(tmp_path, label)
    migrate.migrate(tmp_path, str)
    assert [path.stem for path in tmp_path.glob("??/*.json")] == [key_now(frame(0))]
    same_numbers(read_label(tmp_path, key_now(frame(0))), labels[0])


@pytest.mark.parametrize("damage", ["cut", "bit"])
def test_a_damaged_label_is_set_aside_and_the_others_move(tmp_path, damage):
    labels = [old_label(index) for index in range(3)]
    for label in labels:
        write_label(tmp_path, label)
    path = label_path(tmp_path, labels[1].key)
    text = path.read_text()
    text = text[:-50] if damage == "cut" else text.replace("seconds", "secunds")
    path.write_text(text)
    with pytest.warns(UserWarning, match="damaged.*corrupt-1"):
        migrate.migrate(tmp_path, str)
    assert path.with_name(f"{path.name}.corrupt-1").read_text() == text
    for index in (0, 2):
        same_numbers(read_label(tmp_path, key_now(frame(index))), labels[index])
    assert read_label(tmp_path, key_now(frame(1))) is None


def test_a_kill_between_the_new_file_and_the_old_one_loses_nothing(tmp_path):
    label = old_label(0)
    write_label(tmp_path, label)
    migrate.migrate(tmp_path, str)
    after = content(tmp_path)
    # as it is then: both files, and no mark
    write_label(tmp_path, label)
    (tmp_path / "format.json").unlink()
    migrate.migrate(tmp_path, str)
    assert content(tmp_path) == after


MANY = 300
WORKER = """
import sys
sys.path.insert(0, {tests!r})
from minset.label.migrate import migrate

migrate(sys.argv[1], print)
"""


def start(store: Path) -> subprocess.Popen:
    code = WORKER.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "PYTHONPATH": str(Path(minset.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(store)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def fill(store: Path) -> None:
    for index in range(MANY):
        write_label(store, old_label(index))


def all_moved(store: Path) -> None:
    assert len(list(store.glob("??/*.json"))) == MANY
    for index in range(MANY):
        same_numbers(read_label(store, key_now(frame(index))), old_label(index))
    assert not list(store.rglob("*.corrupt-*"))


def test_two_at_once_move_each_label_once(tmp_path):
    fill(tmp_path)
    workers = [start(tmp_path) for _ in range(2)]
    told = "".join(worker.communicate(timeout=120)[0] for worker in workers)
    assert [worker.returncode for worker in workers] == [0, 0]
    assert told.count(f"{MANY} label(s)") == 1
    all_moved(tmp_path)


def test_a_killed_one_loses_nothing_and_the_next_goes_on(tmp_path):
    fill(tmp_path)
    worker, old = start(tmp_path), label_path(tmp_path, old_label(0).key)
    files = sorted(tmp_path.glob("??/*.json"))
    deadline = time.monotonic() + 60
    while files[20].exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    assert not (tmp_path / "format.json").exists()
    assert files[-1].exists()
    for index in range(MANY):
        keys = (old_label(index).key, key_now(frame(index)))
        assert any(label_path(tmp_path, key).exists() for key in keys)
    migrate.migrate(tmp_path, str)
    all_moved(tmp_path)
    assert not old.exists()


def test_frames_that_failed_by_the_wording_of_cp2k_2025_are_tried_again(tmp_path):
    reason = "no total energy in CP2K's output; minset reads that of CP2K 8.1 to 2024.3"
    output = "failures/ab/run-1/attempt-1.out"
    unread = Failure(reason, True, 1, output, "cp2k", {"cutoff_Ry": 300.0})
    other = Failure("SCF not converged", True, 1, None, "cp2k", {})
    write_failure(tmp_path, "ab", unread)
    write_failure(tmp_path, "cd", other)
    lines = []
    migrate.migrate(tmp_path, lines.append)
    freed = read_failure(tmp_path, "ab")
    assert (freed.reason, freed.permanent, freed.output) == (reason, False, output)
    assert read_failure(tmp_path, "cd") == other
    assert failure_path(tmp_path, "cd").exists()
    assert lines == ["1 frame(s) whose CP2K output version 0.1 could not read may be tried again"]


def test_a_store_of_a_later_version_is_not_touched(tmp_path):
    write_label(tmp_path, old_label(0))
    (tmp_path / "format.json").write_text('{"labels": 3}')
    before = content(tmp_path)
    with pytest.raises(ValueError, match=r"a later version of minset.*use that version"):
        migrate.migrate(tmp_path, str)
    assert content(tmp_path) == before
