"""Processes end in the middle of their work; the next run finishes and changes no result."""

import os
import signal

import numpy as np
import pandas as pd
import pytest

from faults import runs
from minset.md.trajectory import read_trajectory

pytestmark = pytest.mark.timeout(1800)
SELECTION = "results/kcl/selection/classical/rnd-n32-s1.csv"
RAMP = "results/kcl/pool/classical/runs/ramp"

# ends the process by SIGKILL when a file takes its name, once; the file is whole but has another name
AT_RENAME = """
import fnmatch, os, signal
replace = os.replace
def killed(source, target, **options):
    if os.path.exists("kill-at"):
        with open("kill-at") as file:
            pattern = file.read()
        if fnmatch.fnmatch(os.path.abspath(target), "*/" + pattern):
            os.unlink("kill-at")
            os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, target, **options)
os.replace = killed
"""


@runs.needs_cp2k
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGKILL, id="SIGKILL"),
        pytest.param(signal.SIGTERM, id="SIGTERM, as in preemption", marks=pytest.mark.faults),
    ],
)
def test_label_job_is_killed_in_the_scf(nearly_labelled, labelled, number):
    """A signal to the label job while a real CP2K is in its SCF: CP2K ends with it."""
    folder = nearly_labelled
    arguments = (folder, "label.py", runs.in_scf(folder, 2), "dft", "labels")
    output = runs.kill_job(*arguments, number=number)
    assert "Error in rule label:" in output
    runs.wait_for(lambda: not runs.processes(folder, "cp2k"))
    assert len(runs.stored(folder)) == runs.FRAMES - 1
    runs.assert_labels_finish(folder, labelled, 3)


@pytest.mark.faults
@runs.needs_cp2k
def test_everything_is_killed_in_the_scf(nearly_labelled, labelled):
    """SIGKILL of Snakemake, the label job and all below it, as when a machine fails."""
    folder = nearly_labelled
    killed = runs.start_run(folder, "dft", "labels")
    try:
        runs.wait_for(runs.in_scf(folder, 2), killed)
    finally:
        runs.kill(killed)
    runs.wait_for(lambda: not runs.processes(folder, ""))
    runs.unlock(folder, "dft")
    runs.assert_labels_finish(folder, labelled, 3)


@pytest.mark.faults
@runs.needs_cp2k
def test_snakemake_alone_is_killed_and_its_job_lives_on(nearly_labelled, labelled):
    """SIGKILL of Snakemake's process only; the next run meets the job that it left."""
    folder = nearly_labelled
    killed = runs.start_run(folder, "dft", "labels")
    try:
        runs.wait_for(runs.in_scf(folder, 1), killed)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert runs.processes(folder, "label.py")
        runs.unlock(folder, "dft")
        runs.finish(folder, "dft", "labels")
        runs.wait_for(lambda: not runs.processes(folder, "label.py"))
    finally:
        runs.kill(killed)
    assert len(runs.starts(folder)) == 2  # both frames once, whoever computed them
    runs.assert_same_labels(folder, labelled)
    runs.assert_nothing_half_done(folder)


@pytest.mark.faults
def test_training(done, whole):
    """SIGKILL of the training after a checkpoint."""
    checkpoint = done / runs.MODEL / "work/checkpoint.pt"
    runs.forget_model(done)
    runs.kill_job(done, "train.py", checkpoint.exists, "classical", runs.TABLE)
    runs.finish(done, "classical", runs.TABLE, runs.VERDICT)
    assert "continuing after epoch" in runs.logs(done)
    runs.assert_same_model(done, whole)
    runs.assert_same_files(done, whole, f"{runs.SIMULATION}/trajectory.lammpstrj")
    runs.assert_nothing_half_done(done)


@pytest.mark.faults
def test_simulation(done, whole):
    """SIGKILL of MD with a model after a restart file: whole files, dynamics go on."""
    runs.forget_simulation(done)
    restarts = done / runs.SIMULATION / "work/production"
    runs.kill_job(
        done, "simulate.py", lambda: list(restarts.glob("restart.*")), "classical", runs.VERDICT
    )
    runs.finish(done, "classical", runs.VERDICT)
    assert "continuing at 5.00 ps" in runs.logs(done)
    ours, theirs = (
        read_trajectory(f / runs.SIMULATION / "trajectory.lammpstrj") for f in (done, whole)
    )
    np.testing.assert_array_equal(ours.steps, theirs.steps)
    # bit for bit to the restart; after it rounding makes the runs differ, as in all MD
    np.testing.assert_array_equal(ours.unwrapped_A[:100], theirs.unwrapped_A[:100])
    assert np.abs(np.diff(ours.unwrapped_A, axis=0)).max() < 2.0
    runs.assert_nothing_half_done(done)


@pytest.mark.faults
def test_selection(fresh):
    """SIGKILL of a selection by rnd after a checkpoint."""
    runs.add_rnd(fresh)
    checkpoint = fresh / SELECTION.replace(".csv", "/work/rnd.pt")
    runs.kill_job(fresh, "select_frames", checkpoint.exists, "classical", SELECTION)
    assert not (fresh / SELECTION).exists()
    runs.finish(fresh, "classical", SELECTION)
    (log,) = fresh.glob(f"{runs.LOG}/classical/select/rnd-n32-s1.log")
    assert "continuing after" in log.read_text()
    resumed = (fresh / SELECTION).read_bytes()
    (fresh / SELECTION).unlink()
    runs.finish(fresh, "classical", SELECTION)
    assert (fresh / SELECTION).read_bytes() == resumed
    runs.assert_nothing_half_done(fresh)


@pytest.mark.faults
def test_pool(empty, tmp_path):
    """SIGKILL of the MD of the pool after a restart file."""
    folder = runs.copied(empty, tmp_path / "copy")
    runs.change(folder, "classical", pool={"duration_ps": 100})
    restarts = folder / RAMP / "run"
    runs.kill_job(
        folder, "pool_run", lambda: list(restarts.glob("restart.*")), "classical", runs.POOL
    )
    assert not (folder / runs.POOL).exists()
    runs.finish(folder, "classical", runs.POOL)
    (log,) = folder.glob(f"{runs.LOG}/classical/pool/ramp.log")
    assert "continuing at" in log.read_text()
    table = pd.read_csv(folder / "results/kcl/pool/classical/pool.csv")
    np.testing.assert_allclose(table["time_ps"], 2.5 * np.arange(1, 41))
    assert not (folder / RAMP).exists()


@pytest.mark.faults
def test_between_writing_and_renaming(selected, whole, tmp_path, monkeypatch):
    """SIGKILL of each kind of job when its result is written under another name, one after the
    other; each run that follows goes on to the next."""
    folder = runs.copied(selected, tmp_path / "copy")
    patch = tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(AT_RENAME)
    monkeypatch.setenv("PYTHONPATH", str(patch))
    stages = [
        "label/store/??/*.json",
        "label/classical/*/part-0.csv",
        "dataset/classical/*.extxyz",
        "model/classical/*/work/history.csv",
        "model/classical/*/work/model.pt",
        "model/classical/*/work/compressed.npz",
        "model/classical/*-small/compressed.npz",
        "simulation/classical/nvt/*/thermo.csv",
    ]
    for pattern in stages:
        (folder / "kill-at").write_text(pattern)
        killed = runs.run(folder, "classical", runs.TABLE, runs.VERDICT, cores=1)
        assert killed.status != 0, pattern
        assert not (folder / "kill-at").exists(), pattern
    runs.finish(folder, "classical", runs.TABLE, runs.VERDICT)
    assert (
        runs.logs(folder).count("stopped: ") == 1
    )  # a network that is trained is not trained again
    runs.assert_same_labels(folder, whole, "potential")
    runs.assert_same_model(folder, whole)
    runs.assert_same_files(folder, whole, f"{runs.SIMULATION}/trajectory.lammpstrj")
