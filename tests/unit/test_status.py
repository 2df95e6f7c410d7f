"""Status: marks and failures are read as they were left, frames counted, and times estimated."""

import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ase import Atoms
from snakemake.iocontainers import InputFiles, OutputFiles, Params, ResourceList
from snakemake.persistence.file import FilePersistence
from studies import CONFIG

from minset.adapter import run
from minset.config import ConfigError
from minset.label import LABELERS
from minset.label.store import Failure, Label, failure_path, label_key, write_failure, write_label
from minset.snakemake_inside import read_marks, require_plain_python
from minset.status import count_frames, failure
from minset.status_report import Frames, Job, Slots, frames_left, left, text
from minset.study import read_study

CORES = Slots(4, True, "4 cores")


def test_marks_name_the_outputs_that_snakemake_marked(tmp_path):
    short, long = "results/kcl/a.csv", f"results/{'long' * 100}.csv"
    snakemake = FilePersistence(path=tmp_path)
    snakemake._mark_incomplete(short, None)
    snakemake._mark_incomplete(long, "4711")
    marks = read_marks(tmp_path / "incomplete")
    assert {name: mark.cluster_id for name, mark in marks.items()} == {short: None, long: "4711"}
    snakemake._unmark_incomplete(long)
    assert set(read_marks(tmp_path / "incomplete")) == {short}


def test_without_a_run_there_are_no_marks(tmp_path):
    assert read_marks(tmp_path / "incomplete") == {}


@pytest.fixture
def job(tmp_path):
    """What Snakemake gives to a script."""
    return SimpleNamespace(
        rule="train",
        input=InputFiles(),
        output=OutputFiles(fromdict={"out": str(tmp_path / "out.csv")}),
        params=Params(),
        resources=ResourceList(),
        wildcards={},
        threads=1,
        log=[str(tmp_path / "log" / "train.log")],
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU is there: its loss is not covered")
def test_a_job_whose_gpu_is_lost_says_so_and_runs_on_the_processor(job):
    done = []
    job.resources = ResourceList(fromdict={"gpu": 1})
    run(lambda out, threads: done.append(out), job)
    assert done
    assert "no GPU here that torch can use" in Path(job.log[0]).read_text()


def test_a_failed_job_leaves_its_error_until_it_succeeds(job):
    def broken(out, threads):
        raise ValueError("no frames")

    assert failure(Path(job.log[0])) == ""
    with pytest.raises(SystemExit):
        run(broken, job)
    assert failure(Path(job.log[0])) == "ValueError: no frames"
    run(lambda out, threads: None, job)
    assert failure(Path(job.log[0])) == ""


def test_a_killed_job_is_a_failed_one(job):
    def killed(out, threads):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(killed, job)
    assert "killed" in failure(Path(job.log[0]))


def test_a_shell_command_failed_if_its_log_is_newer_than_its_benchmark(tmp_path):
    log, benchmark = tmp_path / "mdsuite.log", tmp_path / "mdsuite.tsv"
    log.write_text("starting\nKeyError: 'rdf'\n\n")
    assert failure(log, True, benchmark) == "KeyError: 'rdf'"
    assert failure(log) == ""
    benchmark.write_text("s\n1.0\n")
    assert failure(log, True, benchmark) == ""
    os.utime(benchmark, (1, 1))
    assert failure(log, True, benchmark) == "KeyError: 'rdf'"


def test_frames_are_counted_by_what_the_store_has(tmp_path):
    study = read_study("demo", CONFIG)
    settings, effort = study.label_settings("kcl"), study.label_effort("kcl")
    labels = {"settings": settings, "net_force_gate_eV_A": 0.01, "store": str(tmp_path)}
    params = SimpleNamespace(labeler="cp2k", **labels)
    frames = [Atoms("KCl", [[0, 0, 0], [0, 0, z]], cell=[9, 9, 9], pbc=True) for z in range(2, 8)]
    physics = LABELERS["cp2k"].physics(settings, frames[0])
    keys = [label_key(atoms, "cp2k", physics) for atoms in frames]
    for atoms, key, net in zip(frames[:2], keys[:2], (0.001, 0.1), strict=True):
        record = {"labeler": "cp2k", "settings": physics, "seconds": 3.0, "net_force_eV_A": net}
        write_label(tmp_path, Label(key, atoms, 0.0, np.zeros((2, 3)), np.eye(3), record))
    other = {"max_outer_scf": effort["max_outer_scf"] + 1}
    for key, differs in zip(keys[2:4], ({}, other), strict=True):
        given = settings | effort | differs
        failed = Failure("SCF did not converge", True, 1, None, "cp2k", given)
        write_failure(tmp_path, key, failed)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))

    counted, seen = Frames(), set()
    count_frames(counted, frames[:4], params, effort, {keys[4]}, seen)
    # another set has some of these frames too
    count_frames(counted, frames[2:], params, effort, {keys[4]}, seen)
    # the failure with other limits is tried again, as the frame that nothing is known of
    assert (counted.done, counted.running, counted.to_do) == (1, 1, 2)
    assert counted.seconds == [3.0]
    gate, failed = counted.failures
    assert gate[0] == "net force above the study's gate of 1.00e-02 eV/A"
    assert failed == ("SCF did not converge", str(failure_path(tmp_path, keys[2])))
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def jobs(number: int, state: str = "to do", **more) -> list[Job]:
    return [Job("model", "train", state, **more) for _ in range(number)]


@pytest.mark.parametrize(
    ("rest", "slots", "seconds"),
    [
        (jobs(8), CORES, 20),
        # one job does not become faster by more cores
        (jobs(1), CORES, 10),
        (jobs(8, threads=2), CORES, 40),
        (jobs(8, threads=2), Slots(4, False, ""), 20),
        (jobs(1, "running", elapsed_s=4), CORES, 6),
        (jobs(1, "running", elapsed_s=40), CORES, 0),
        (jobs(3, "failed") + jobs(1, "queued"), CORES, 10),
        ([], CORES, 0),
    ],
)
def test_the_time_left_is_the_work_over_what_runs_at_once(rest, slots, seconds):
    assert left(rest, {"train": 10.0}, slots) == (pytest.approx(seconds), set())


def test_a_rule_without_a_rate_is_named_and_not_guessed():
    rest = [*jobs(4), Job("model", "compress", "to do")]
    assert left(rest, {"train": 10.0}, Slots(1, True, "")) == (40.0, {"compress"})


def test_the_time_of_labels_is_that_of_their_frames():
    batches = [Job("label", "label", "to do", threads=4) for _ in range(2)]
    frames = Frames(done=1, to_do=30, running=2, seconds=[100.0], side_by_side=2)
    # two batches of four cores on eight, each with two frames side by side
    assert frames_left(batches, frames, Slots(8, True, "")) == (800.0, set())
    assert frames_left(batches, frames, Slots(4, True, "")) == (1600.0, set())
    assert frames_left(batches, Frames(to_do=30), CORES) == (0.0, {"label"})
    assert frames_left([], Frames(done=3, seconds=[1.0]), CORES) == (0.0, set())
    frames.more = True
    assert frames_left(batches, frames, Slots(8, True, "")) == (800.0, {"label"})


def test_the_report_has_a_line_per_stage_and_each_reason_once():
    listed = [
        *jobs(3, "done", seconds=90.0),
        *jobs(2, "failed", reason="ValueError: no\nframes", log="results/train.log"),
        *jobs(5, stopped=True),
        Job("figures", "figure", "queued"),
    ]
    lines = text("kcl", ["pool", "model", "figures"], listed, Frames(), CORES, "").splitlines()
    assert [" ".join(line.split()) for line in lines[:3]] == [
        "stage done running failed to do seconds each left",
        "model 3 0 2 5 90 2.6 min",
        "figures 0 0 (+1 queued) 0 0 no rate yet",
    ]
    assert len({len(line) for line in lines[:3]}) == 1
    assert lines.count("  train: ValueError: no frames") == 1
    assert "    results/train.log (the first of 2)" in lines
    assert "Of the jobs to do, 5 were interrupted." in lines
    assert any(line.startswith("kcl: 3 of 11 jobs done") for line in lines)
    assert "No rate yet, not counted: figure." in lines


def test_the_report_of_a_whole_study_ends_with_that():
    lines = text("kcl", ["model"], jobs(2, "done", seconds=1.0), Frames(), CORES, "").splitlines()
    assert lines[-1] == "kcl: all 2 jobs are done."
    assert "failed:" not in lines


@pytest.mark.parametrize("folder", ["/a b", "/a$b", "/a(1)", "/a#b", "/a'b", "/a;b"])
def test_a_python_that_snakemake_cannot_start_is_refused_in_one_line(folder):
    require_plain_python("/home/a_b/minset-0.2/.venv/bin/python3.11")
    with pytest.raises(ConfigError, match="Snakemake cannot start scripts with") as caught:
        require_plain_python(f"{folder}/.venv/bin/python")
    assert "\n" not in str(caught.value)
