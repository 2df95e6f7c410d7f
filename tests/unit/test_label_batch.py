"""Batches of labels: each frame once, only checked labels, resumable after any kill."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import minset
from minset.label.batch import label_batch
from minset.label.check import check_label, net_force_eV_A
from minset.label.record import Labeler
from minset.label.store import (
    LabelerUnusable,
    LabelFailed,
    RawLabel,
    failure_path,
    label_path,
    read_failure,
    read_label,
)

GATE = 0.01
SETTINGS = {"k": 2.0, "speed": "fast"}


def frames(count: int) -> list[tuple[str, Atoms]]:
    atoms = [
        Atoms("KCl", [[0, 0, 0], [2, 2, 2 + 0.01 * i]], cell=[6] * 3, pbc=True)
        for i in range(count)
    ]
    return [(f"frame-{i}", a) for i, a in enumerate(atoms)]


def raw(atoms: Atoms, net: float = 0.0) -> RawLabel:
    forces = np.array([[0, 0, 1.0], [0, 0, -1.0 + net]]) * atoms.positions[1, 2]
    return RawLabel(-1.0, forces, np.eye(3) * 0.1, {"scf_steps": 7, "version": "toy 1"})


def physics(settings: dict, atoms: Atoms) -> dict:
    """All but the speed, and of `kinds` those of the frame."""
    kept = {k: v for k, v in settings.items() if k != "speed"}
    if "kinds" in kept:
        elements = set(atoms.get_chemical_symbols())
        kept["kinds"] = {k: v for k, v in kept["kinds"].items() if k in elements}
    return kept


def toy(label) -> Labeler:
    return Labeler(
        name="toy",
        label=label,
        options={},
        settings_of=lambda system, given: given,
        physics=physics,
        mistakes=lambda system, given: [],
        environment="minset",
        seconds=lambda settings, ions: 1.0,
        megabytes=lambda settings, ions: 1.0,
    )


def run(tmp_path: Path, label, count: int = 3, gate: float = GATE, settings=SETTINGS, log=None):
    lines: list[str] = [] if log is None else log
    store, scratch = tmp_path / "store", tmp_path / "scratch"
    return label_batch(frames(count), toy(label), settings, store, scratch, gate, lines.append)


class Counting:
    """A labeler that counts its starts and fails as it is told."""

    def __init__(self, fail=None, net=0.0):
        self.starts, self.fail, self.net = 0, fail, net

    def __call__(self, atoms, settings, workdir, threads):
        self.starts += 1
        (workdir / "toy.out").write_text("what the program said")
        if self.fail is not None:
            raise LabelFailed("SCF not converged", self.fail, workdir / "toy.out")
        return raw(atoms, self.net)


def test_a_batch_without_frames_is_done_at_once(tmp_path):
    assert run(tmp_path, Counting(), count=0) == []


def test_each_frame_is_labelled_once(tmp_path):
    label, log = Counting(), []
    first = run(tmp_path, label, count=3, log=log)
    again = run(tmp_path, label, count=5, settings=SETTINGS | {"speed": "slow"})
    assert label.starts == 5
    assert [row["reused"] for row in first + again] == [False] * 3 + [True] * 3 + [False] * 2
    assert [row["frame"] for row in again] == [f"frame-{i}" for i in range(5)]
    assert {row["status"] for row in first + again} == {"labelled"}
    assert again[0]["scf_steps"] == 7
    assert again[0]["seconds"] == first[0]["seconds"]
    assert not list((tmp_path / "scratch").iterdir())
    assert "[1/3] frame-0 labelled in 0.0 s (7 SCF steps, net force 0.0e+00 eV/A)" in log[0]
    assert "elapsed 0:00:00, about 0:00:00 to go" in log[0]
    run(tmp_path, label, count=5, settings=SETTINGS | {"k": 3.0})
    assert label.starts == 10


def test_two_selections_of_the_same_frame_share_its_label(tmp_path):
    label = Counting()
    twice = [("a", frames(1)[0][1]), ("b", frames(1)[0][1])]
    rows = label_batch(twice, toy(label), SETTINGS, tmp_path, tmp_path / "s", GATE, str)
    assert label.starts == 1
    assert [row["reused"] for row in rows] == [False, True]


def test_a_label_does_not_depend_on_elements_that_its_frame_does_not_have(tmp_path):
    label, kinds = Counting(), {"K": 1, "Cl": 2}
    run(tmp_path, label, count=1, settings=SETTINGS | {"kinds": kinds})
    more = run(tmp_path, label, count=1, settings=SETTINGS | {"kinds": kinds | {"Na": 3}})
    assert (label.starts, more[0]["reused"]) == (1, True)
    assert read_label(tmp_path / "store", more[0]["key"]).provenance["settings"] == {
        "k": 2.0,
        "kinds": kinds,
    }
    run(tmp_path, label, count=1, settings=SETTINGS | {"kinds": {"K": 1, "Cl": 3}})
    assert label.starts == 2


def test_frames_of_other_compositions_sizes_and_cells_share_a_batch(tmp_path):
    def label(atoms, settings, workdir, threads):
        return RawLabel(-1.0 * len(atoms), np.zeros((len(atoms), 3)), np.eye(3))

    cell = [[5, 0, 0], [1, 5, 0], [-1, 2, 5]]
    mixed = [
        ("salt", frames(1)[0][1]),
        ("metal", Atoms("Al3", np.eye(3) * 2.0, cell=cell, pbc=True)),
        ("ion", Atoms("K", [[0, 0, 0]], cell=cell, pbc=True)),
    ]
    rows = label_batch(mixed, toy(label), SETTINGS, tmp_path, tmp_path / "s", GATE, str)
    for (_, atoms), row in zip(mixed, rows, strict=True):
        stored = read_label(tmp_path, row["key"])
        assert stored.atoms == atoms
        assert (stored.energy_eV, stored.forces_eV_A.shape) == (-len(atoms), (len(atoms), 3))


def test_truncated_label_is_computed_again(tmp_path):
    label = Counting()
    key = run(tmp_path, label, count=1)[0]["key"]
    path = label_path(tmp_path / "store", key)
    path.write_text(path.read_text()[:-30])
    with pytest.warns(UserWarning, match="damaged"):
        rows = run(tmp_path, label, count=1)
    assert (label.starts, rows[0]["status"], rows[0]["reused"]) == (2, "labelled", False)


def test_permanent_failure_is_remembered_until_its_record_is_deleted(tmp_path):
    label, log = Counting(fail=True), []
    row = run(tmp_path, label, count=1, log=log)[0]
    record = failure_path(tmp_path / "store", row["key"])
    assert (row["status"], row["reused"]) == ("failed", False)
    assert "SCF not converged" in row["reason"]
    assert f"delete {record}" in row["reason"]
    assert "SCF not converged" in log[0]
    again = run(tmp_path, label, count=1)[0]
    assert (label.starts, again["reused"], again["reason"]) == (1, True, row["reason"])
    kept = read_failure(tmp_path / "store", row["key"]).output
    assert (tmp_path / "store" / kept).read_text() == "what the program said"
    record.unlink()
    good = Counting()
    assert run(tmp_path, good, count=1)[0]["status"] == "labelled"
    assert not record.with_suffix("").exists()


def test_permanent_failure_is_tried_again_with_other_settings_of_effort(tmp_path):
    label = Counting(fail=True)
    run(tmp_path, label, count=1)
    run(tmp_path, label, count=1, settings=SETTINGS | {"speed": "careful"})
    assert label.starts == 2


def test_permanent_failure_stands_whatever_else_the_system_has(tmp_path):
    label = Counting(fail=True)
    run(tmp_path, label, count=1, settings=SETTINGS | {"kinds": {"K": 1, "Cl": 2}})
    more = run(tmp_path, label, count=1, settings=SETTINGS | {"kinds": {"K": 1, "Cl": 2, "Na": 3}})
    assert (label.starts, more[0]["reused"]) == (1, True)


def test_failure_that_may_pass_is_tried_again_in_the_next_run(tmp_path):
    label = Counting(fail=False)
    for attempts in (1, 2):
        row = run(tmp_path, label, count=1)[0]
        failure = read_failure(tmp_path / "store", row["key"])
        assert (row["status"], label.starts, failure.attempts) == ("failed", attempts, attempts)
        assert "next run tries again" in row["reason"]
    label.fail = None
    assert run(tmp_path, label, count=1)[0]["status"] == "labelled"
    assert read_failure(tmp_path / "store", row["key"]) is None


def test_failed_frame_does_not_stop_the_batch(tmp_path):
    def second_fails(atoms, settings, workdir, threads):
        if atoms.positions[1, 2] == frames(2)[1][1].positions[1, 2]:
            raise LabelFailed("killed by signal 9", permanent=False)
        return raw(atoms)

    rows = run(tmp_path, second_fails)
    assert [row["status"] for row in rows] == ["labelled", "failed", "labelled"]


def unusable(error: Exception):
    """A labeler that works for the first frame only, then never."""

    def label(atoms, settings, workdir, threads):
        (workdir / "toy.out").write_text("in words that nobody knows")
        if atoms.positions[1, 2] == 2.0:
            return raw(atoms)
        with (workdir.parent / "starts").open("a") as starts:
            starts.write("x")
        raise error

    return label


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    "error", [LabelerUnusable("toy 9 is not known"), FileNotFoundError("there is no toy here")]
)
def test_a_labeler_that_cannot_work_stops_the_batch_and_blames_no_frame(tmp_path, processes, error):
    store, scratch = tmp_path / "store", tmp_path / "scratch"
    arguments = (SETTINGS, store, scratch, GATE, str, 1, processes)
    label_batch(frames(1), toy(unusable(error)), *arguments)
    with pytest.raises(type(error), match=str(error)):
        label_batch(frames(20), toy(unusable(error)), *arguments)
    # those that had begun beside the first
    assert 1 <= len((scratch / "starts").read_text()) <= processes
    assert not list(store.glob("failures/*"))
    assert len(list(store.glob("??/*.json"))) == 1
    assert list(scratch.glob("*/toy.out"))
    # with a labeler that works, what was not labelled is, and what was is not again
    good = Counting()
    rows = label_batch(frames(20), toy(good), *arguments)
    assert {row["status"] for row in rows} == {"labelled"}
    assert [row["reused"] for row in rows] == [True] + [False] * 19


def test_net_force_above_the_gate_is_no_label(tmp_path):
    label = Counting(net=0.02)
    row = run(tmp_path, label, count=1)[0]
    assert row["status"] == "failed"
    assert row["net_force_eV_A"] == pytest.approx(0.04)
    assert "net force on the cell 4.00e-02 eV/A is above the gate of 1.00e-02" in row["reason"]
    assert run(tmp_path, label, count=1)[0]["reused"]
    # a wider gate lets it pass, and a narrower one holds for stored labels too
    assert run(tmp_path, label, count=1, gate=0.05)[0]["status"] == "labelled"
    stored = run(tmp_path, label, count=1)[0]
    assert (stored["status"], stored["reused"], label.starts) == ("failed", True, 2)


def test_net_force_is_the_norm_of_the_vector_sum():
    assert net_force_eV_A(np.array([[3, 0, 1], [0, 4, -1]])) == 5.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"energy_eV": np.nan}, "energy.*not finite"),
        ({"forces_eV_A": np.full((2, 3), np.inf)}, "forces.*not finite"),
        ({"forces_eV_A": np.zeros((1, 3))}, "forces of shape"),
        ({"stress_eV_A3": np.zeros(6)}, "stress of shape"),
        ({"stress_eV_A3": np.triu(np.ones((3, 3)))}, "not symmetric"),
    ],
)
def test_label_that_is_not_whole_fails_for_good(change, message):
    good = raw(frames(1)[0][1])
    check_label(good, 2, GATE)
    with pytest.raises(LabelFailed, match=message) as failed:
        check_label(RawLabel(**{**vars(good), **change}), 2, GATE)
    assert failed.value.permanent


# a batch in a process of its own: each start of a calculation leaves a file, then takes a while
WORKER = """
import sys, time, uuid
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_label_batch import GATE, SETTINGS, frames, raw, toy
from minset.label.batch import label_batch

root, seconds, processes = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[4])

def label(atoms, settings, workdir, threads):
    name = f"{{atoms.positions[1, 2]:.2f}}-{{uuid.uuid4()}}"
    (root / "starts" / name).touch()
    # the first calculations wait for each other
    while len(list((root / "starts").iterdir())) < processes:
        time.sleep(0.01)
    time.sleep(seconds)
    return raw(atoms)

rows = label_batch(frames(6), toy(label), SETTINGS, root / "store", root / "scratch" / sys.argv[3],
                   GATE, lambda line: print(line, flush=True), processes=processes)
assert all(row["status"] == "labelled" for row in rows)
"""


# the first calculation finds that the labeler cannot work while the second one runs a program
STOPPED = """
import subprocess, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_label_batch import GATE, SETTINGS, frames, toy
from minset.label.batch import label_batch
from minset.label.cp2k_run import run_cp2k
from minset.label.store import LabelerUnusable

root = Path(sys.argv[1])

def label(atoms, settings, workdir, threads):
    if atoms.positions[1, 2] == 2.0:
        while not (root / "runs").exists():
            time.sleep(0.01)
        raise LabelerUnusable("toy 9 is not known")
    script = f"touch {{root}}/runs; sleep 5; touch {{root}}/survived"
    run_cp2k(["sh", "-c", script], workdir / "toy.out", {{}}, time.monotonic() + 60, 60)

try:
    label_batch(frames(6), toy(label), SETTINGS, root / "store", root / "scratch", GATE, str,
                processes=2)
except LabelerUnusable as error:
    print(error)
"""


def test_a_labeler_that_cannot_work_takes_calculations_beside_it_along(tmp_path):
    code = STOPPED.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "PYTHONPATH": str(Path(minset.__file__).parents[1])}
    began = time.monotonic()
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.returncode) == ("toy 9 is not known\n", 0)
    time.sleep(max(0.0, 7.0 - (time.monotonic() - began)))
    assert (tmp_path / "runs").exists()
    assert not (tmp_path / "survived").exists()
    assert not list((tmp_path / "store").glob("failures/*"))


def start(root: Path, seconds: float, name: str, processes: int = 1) -> subprocess.Popen:
    (root / "starts").mkdir(exist_ok=True)
    code = WORKER.format(tests=str(Path(__file__).parent))
    environment = {**os.environ, "PYTHONPATH": str(Path(minset.__file__).parents[1])}
    command = [sys.executable, "-c", code, str(root), str(seconds), name, str(processes)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def starts(root: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in (root / "starts").iterdir())


def test_two_batches_at_once_compute_each_frame_once(tmp_path):
    workers = [start(tmp_path, 0.3, name) for name in "ab"]
    outputs = [worker.communicate(timeout=60)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert starts(tmp_path) == [f"{2 + 0.01 * i:.2f}" for i in range(6)]
    computed = [output.count(" labelled in ") for output in outputs]
    assert sum(computed) == 6
    assert min(computed) >= 1


def test_killed_batch_resumes_and_computes_no_finished_frame_again(tmp_path):
    worker = start(tmp_path, 0.4, "a")
    deadline = time.monotonic() + 60
    while len(starts(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert starts(tmp_path) == ["2.00", "2.01", "2.02"]
    assert start(tmp_path, 0.0, "a").wait(60) == 0
    # frame 2 was in progress, so it alone starts twice
    assert starts(tmp_path) == ["2.00", "2.01", "2.02", "2.02", "2.03", "2.04", "2.05"]
    assert not list((tmp_path / "scratch" / "a").iterdir())


def test_calculations_side_by_side(tmp_path):
    worker = start(tmp_path, 0.0, "a", processes=3)
    output = worker.communicate(timeout=120)[0]
    assert worker.returncode == 0
    assert starts(tmp_path) == [f"{2 + 0.01 * i:.2f}" for i in range(6)]
    assert output.count(" labelled in ") == 6
    again = start(tmp_path, 0.0, "b", processes=2).communicate(timeout=120)[0]
    assert again.count("(from the store)") == 6


def test_killed_batch_takes_its_calculations_along_and_resumes(tmp_path):
    worker = start(tmp_path, 1.0, "a", processes=2)
    deadline = time.monotonic() + 60
    while len(starts(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    begun = starts(tmp_path)
    time.sleep(1.5)
    assert starts(tmp_path) == begun
    stored = {p.name for p in (tmp_path / "store").glob("??/*.json")}
    assert start(tmp_path, 0.0, "a", processes=2).wait(120) == 0
    assert len(starts(tmp_path)) == 6 + len(begun) - len(stored)


@pytest.fixture
def nobody():
    """A folder of a user for whom permissions count; root is that user for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    folder = Path(tempfile.mkdtemp())
    yield folder
    if root:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_a_store_without_permission_is_told_as_such(nobody):
    store, scratch = nobody / "store", nobody / "scratch"
    arguments = (frames(1), toy(Counting()), SETTINGS, store, scratch, GATE, str)
    label_batch(*arguments)
    (path,) = store.glob("??/*.json")
    for closed in (path, path.parent, store / "locks", store / "format.json", store, nobody):
        mode = closed.stat().st_mode
        closed.chmod(0)
        with pytest.raises(PermissionError, match=rf"no permission for {closed}.*chmod") as caught:
            label_batch(*arguments)
        closed.chmod(mode)
        assert "\n" not in str(caught.value)
    assert label_batch(*arguments)[0]["reused"]
    assert len(list(store.rglob("*.json*"))) == 2


def test_a_file_where_the_store_should_be_is_told_as_such(tmp_path):
    (tmp_path / "store").touch()
    with pytest.raises(OSError, match="store cannot be used: there is a file where a folder"):
        run(tmp_path, Counting(), count=1)


def test_a_file_system_without_locks_is_told_as_such(tmp_path, monkeypatch):
    def none(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("minset.label.access.fcntl.flock", none)
    with pytest.raises(OSError, match=r"has no file locks \(flock\)"):
        run(tmp_path, Counting(), count=1)
