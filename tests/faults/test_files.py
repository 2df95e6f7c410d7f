"""Files that are damaged, gone, or from another time: named with the remedy, and no label lost."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from faults import runs

pytestmark = pytest.mark.timeout(1800)
# a clock that is DAYS off once the file JUMP exists
CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long off(void) {
    const char *file = getenv("JUMP"), *days = getenv("DAYS");
    return file && days && access(file, F_OK) == 0 ? 86400 * atol(days) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += off();
    return status;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    now->tv_sec = t.tv_sec, now->tv_usec = t.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *now) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (now) *now = t.tv_sec;
    return t.tv_sec;
}
"""


def remove(folder: Path, *names: str) -> None:
    for name in names:
        for path in folder.glob(name):
            path.unlink()


def refused(folder: Path, message: str, *targets: str) -> None:
    """A run that ends with a message and no stack trace on the terminal."""
    failed = runs.run(folder, "classical", *targets)
    assert failed.status != 0
    assert message in failed.output
    assert "Traceback" not in failed.output


def assert_as_undisturbed(folder: Path, whole: Path) -> None:
    runs.finish(folder, "classical", runs.TABLE, runs.VERDICT)
    runs.assert_same_labels(folder, whole, "potential")
    runs.assert_same_model(folder, whole)
    runs.assert_same_files(folder, whole, f"{runs.SIMULATION}/trajectory.lammpstrj")
    runs.assert_nothing_half_done(folder)


@runs.needs_cp2k
def test_label(nearly_labelled, labelled):
    """One byte of a stored label is changed: it is set aside, said, and computed again."""
    folder = nearly_labelled
    path = runs.label_file(folder, runs.keys(labelled, "dft", runs.SETS[1])[2])
    runs.flip(path, 0.4)
    runs.finish(folder, "dft", "labels")
    assert "is damaged" in runs.logs(folder)
    assert path.with_name(f"{path.name}.corrupt-1").exists()
    assert len(runs.starts(folder)) == 3
    runs.assert_same_labels(folder, labelled)


def only_one_label_is_computed_again(folder: Path, labelled: Path, path: Path):
    """A dataset is refused for want of a label, until that one has been computed again."""
    (folder / "starts").unlink()
    failed = runs.run(folder, "dft", runs.DATASET)
    assert failed.status != 0
    table = runs.LABELS.format("dft", runs.SETS[1])
    message = f"({path.stem}) is no longer in {runs.STORE}; run `snakemake --forcerun {table}`"
    assert message in failed.output
    runs.finish(folder, "dft", runs.DATASET, "--forcerun", table)
    assert runs.starts(folder) == [path.stem]
    runs.assert_same_labels(folder, labelled)


@pytest.mark.faults
@runs.needs_cp2k
def test_label_after_its_job(labelled, tmp_path):
    """One byte of a stored label is changed after its job was done: only it is computed again."""
    folder = runs.copied(labelled, tmp_path / "copy")
    path = runs.label_file(folder, runs.keys(folder, "dft", runs.SETS[1])[0])
    runs.flip(path, 0.4)
    only_one_label_is_computed_again(folder, labelled, path)


@pytest.mark.faults
@runs.needs_cp2k
def test_label_that_was_removed(labelled, tmp_path):
    """A stored label is deleted after its job was done."""
    folder = runs.copied(labelled, tmp_path / "copy")
    path = runs.label_file(folder, runs.keys(folder, "dft", runs.SETS[1])[0])
    path.unlink()
    only_one_label_is_computed_again(folder, labelled, path)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "engine", "message"),
    [
        ("model.pt", "schnetpack", "remove the folder and train it again"),
        ("compressed.npz", "compressed", "remove its folder and train it again"),
    ],
)
def test_model(done, whole, name, engine, message):
    """One byte of a model is changed after it was made: what reads it is refused until it is removed
    and made again."""
    runs.flip(done / runs.MODEL / name)
    remove(done, runs.TABLE, "results/kcl/observable/classical/errors/*/*")
    runs.forget_simulation(done)
    simulation = runs.CLASSICAL["simulations"]["nvt"]
    runs.change(done, "classical", simulations={"nvt": simulation | {"engine": engine}})
    refused(done, message, runs.VERDICT)
    runs.change(done, "classical", simulations={"nvt": simulation})
    shutil.rmtree(done / runs.MODEL)
    assert_as_undisturbed(done, whole)


@pytest.mark.faults
def test_pool(fresh, whole):
    """One byte in the compressed positions of the pool is changed before the selections."""
    for path in (fresh / runs.SPLIT).parent.iterdir():
        if path.suffix != ".npy":
            path.unlink()
    runs.flip(fresh / runs.POOL, 0.7)
    refused(fresh, "remove it and run the pool again", runs.TABLE, runs.VERDICT)
    assert not runs.stored(fresh, "potential")
    (fresh / runs.POOL).unlink()
    assert_as_undisturbed(fresh, whole)


@pytest.mark.faults
def test_set(fresh, whole):
    """One byte in the compressed positions of a set is changed before its labels."""
    path = (fresh / runs.SELECTION.format("classical")).with_suffix(".h5")
    runs.flip(path, 0.7)
    refused(fresh, "remove it and run again", runs.TABLE, runs.VERDICT)
    assert len(runs.stored(fresh, "potential")) == 3  # those of the other set
    path.unlink()
    assert_as_undisturbed(fresh, whole)


@pytest.mark.faults
def test_dataset(done, whole):
    """A training set is cut in its middle."""
    path = done / "results/kcl/dataset/classical/random-n3-s1/train.extxyz"
    content, stamp = path.read_bytes(), path.stat()
    path.write_bytes(content[: len(content) // 2])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    runs.forget_model(done)
    refused(done, "train.extxyz", runs.TABLE, runs.VERDICT)
    path.unlink()
    assert_as_undisturbed(done, whole)


def damaged_work(folder: Path, word: str, pattern: str, target: str) -> None:
    """Kill a job at its checkpoint, damage that, and go on."""
    runs.kill_job(folder, f"{word}.py", lambda: list(folder.glob(pattern)), "classical", target)
    for path in folder.glob(pattern):
        runs.flip(path)


@pytest.mark.faults
def test_training_checkpoint(done, whole):
    """SIGKILL of the training, then one byte of its checkpoint is changed: it starts again."""
    runs.forget_model(done)
    damaged_work(done, "train", f"{runs.MODEL}/work/checkpoint.pt", runs.TABLE)
    assert_as_undisturbed(done, whole)
    assert "training starts again" in runs.logs(done)


@pytest.mark.faults
def test_selection_checkpoint(fresh):
    """SIGKILL of a selection by rnd, then one byte of its checkpoint is changed."""
    selection = "results/kcl/selection/classical/rnd-n32-s1.csv"
    runs.add_rnd(fresh)
    checkpoint = selection.replace(".csv", "/work/rnd.pt")
    damaged_work(fresh, "select_frames", checkpoint, selection)
    runs.finish(fresh, "classical", selection)
    assert "the selection starts again" in runs.logs(fresh)
    again = (fresh / selection).read_bytes()
    (fresh / selection).unlink()
    runs.finish(fresh, "classical", selection)
    assert (fresh / selection).read_bytes() == again


@pytest.mark.faults
def test_restart_file(done, whole):
    """SIGKILL of MD with a model, then its restart file is cut: the phase starts again."""
    runs.forget_simulation(done)
    pattern = f"{runs.SIMULATION}/work/production/restart.*"
    runs.kill_job(done, "simulate.py", lambda: list(done.glob(pattern)), "classical", runs.VERDICT)
    for path in done.glob(pattern):
        path.write_bytes(path.read_bytes()[:200])
    assert_as_undisturbed(done, whole)
    assert "cannot be read" in runs.logs(done)


@pytest.mark.faults
def test_input_is_gone(fresh, whole):
    """The split and the pool are deleted between two stages: made again, with the same result."""
    runs.finish(fresh, "classical", "labels")
    remove(fresh, runs.POOL, runs.SPLIT)
    assert_as_undisturbed(fresh, whole)


@pytest.mark.faults
@runs.needs_cp2k
@pytest.mark.parametrize("years", [-20, 20])
def test_files_from_another_time(labelled, tmp_path, years):
    """Time stamps of inputs and labels are years off: at worst jobs run again, no label does."""
    folder = runs.copied(labelled, tmp_path / "copy")
    (folder / "starts").unlink()
    table = folder / runs.SELECTION.format("dft")
    inputs = [folder / runs.POOL, table, table.with_suffix(".h5")]
    for path in (*inputs, *folder.glob(f"{runs.STORE}/??/*.json")):
        os.utime(path, (time.time() + years * 3.15e7,) * 2)
    if years > 0:
        refused = runs.run(folder, "dft", runs.DATASET)
        assert refused.status != 0
        assert "This could indicate a clock skew problem" in refused.output
        for path in inputs:
            path.touch()
    runs.finish(folder, "dft", runs.DATASET)
    assert runs.starts(folder) == []
    runs.assert_same_labels(folder, labelled)


@pytest.mark.faults
@runs.needs_cp2k
@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.parametrize("days", [-400, 400])
def test_clock_jumps(nearly_labelled, labelled, tmp_path, monkeypatch, days):
    """The clock of all processes jumps by a year while CP2K runs, and back after the run."""
    folder, shim, jump = nearly_labelled, tmp_path / "clock.so", tmp_path / "jump"
    (tmp_path / "clock.c").write_text(CLOCK)
    compiler = ["gcc", "-shared", "-fPIC", "-o", shim, tmp_path / "clock.c", "-ldl"]
    subprocess.run(compiler, check=True)
    for name, value in (("LD_PRELOAD", shim), ("JUMP", jump), ("DAYS", days)):
        monkeypatch.setenv(name, str(value))
    began = runs.start_run(folder, "dft", "labels")
    try:
        runs.wait_for(runs.in_scf(folder, 1), began)
        jump.touch()
        output = began.communicate(timeout=600)[0]
    finally:
        runs.kill(began)
    assert began.returncode == 0
    assert f"{time.gmtime(time.time() + days * 86400).tm_year}]" in output
    jump.unlink()
    runs.finish(folder, "dft", runs.DATASET)
    assert len(runs.starts(folder)) == 2
    runs.assert_same_labels(folder, labelled)
