"""What `scripts/status.py` says of a real study: before, during and after a run, killed and failed."""

import re
import shutil
import time
from pathlib import Path

import yaml
from running import SHORT, kill, run, snakemake, start

# no label can pass this gate
STRICT = {
    "pool": {"study": "short"},
    "labels": {"labeler": "potential", "frames_per_job": 6, "net_force_gate_eV_A": 1e-30},
}


def status(copy: Path, study: str, *options: str) -> tuple[dict[str, list[str]], str]:
    """Cells of each line of the table up to the jobs to do, and all that was printed."""
    said = run(copy, "python", "scripts/status.py", study, *options, seconds=120)
    assert said.status == 0, said.output
    cells = [line.split() for line in said.output.split("\n\n")[0].splitlines()[1:]]
    return {line[0]: line[1:5] for line in cells}, said.output


def files(copy: Path) -> dict[Path, int]:
    """Time stamps of what a run has written."""
    paths = [p for folder in ("results", ".snakemake") for p in (copy / folder).rglob("*")]
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}


def test_an_unknown_study_is_one_clear_line(copy):
    said = run(copy, "python", "scripts/status.py", "nosuch", seconds=120)
    assert said.status != 0
    (line,) = said.output.splitlines()
    assert "nosuch.yaml does not exist; there are: " in line


def test_a_project_folder_has_studies_and_results_of_its_own(copy, tmp_path):
    """Snakemake and the report of what is done run there, with the Snakefile of the repository."""
    for name in ("studies/short.yaml", "systems/kcl.yaml"):
        own = tmp_path / "config" / name.replace("short", "mine")
        own.parent.mkdir(parents=True)
        shutil.copy(copy / "config" / name, own)
    study, table = ["--config", "study=mine"], "results/kcl/selection/mine/descriptors-frames.npy"
    said = run(tmp_path, "python", copy / "scripts/status.py", "mine", seconds=120)
    assert "jobs done, no Snakemake runs on this machine" in said.output
    command = ["snakemake", "-s", copy / "Snakefile", "-d", tmp_path, "--cores", "1", *study, "--"]
    done = run(tmp_path, *command, table, seconds=300)
    assert done.status == 0, done.output[-3000:]
    assert (tmp_path / table).exists()
    assert not (copy / table).exists()


MODULE = """
configfile: "config.yaml"

module minset:
    snakefile: "{repository}/Snakefile"
    config: config["potential"]

use rule * from minset

rule mine:
    input: "results/kcl/table/demo-classical/errors.csv"
    output: "mine.csv"
    shell: "cp {{input}} {{output}}"
"""


def test_a_workflow_has_this_one_as_a_module(copy, tmp_path):
    """Its own rules go on from our results, and one of our scripts runs."""
    (tmp_path / "Snakefile").write_text(MODULE.format(repository=copy))
    (tmp_path / "config.yaml").write_text("potential: {study: demo-classical}\nown: 1\n")
    command = ["snakemake", "-d", tmp_path, "-s", tmp_path / "Snakefile", "--cores", "1"]
    planned = run(tmp_path, *command, "--dry-run", "mine", seconds=120)
    assert planned.status == 0, planned.output[-3000:]
    assert "train_schnet" in planned.output
    start = "results/kcl/simulation/demo-classical/npt_1200K/start.extxyz"
    done = run(tmp_path, *command, start, seconds=300)
    assert done.status == 0, done.output[-3000:]
    assert (tmp_path / start).exists()


def test_a_study_from_its_first_job_to_its_last_label(copy):
    table, output = status(copy, "short")
    assert table["pool"] == ["0", "0", "0", "2"]
    assert table["frames"][0] == "?"
    jobs = 39 if (copy / ".venv-mdsuite/bin/python").exists() else 37
    assert f"0 of {jobs} jobs done, no Snakemake runs on this machine; left: no rate yet" in output

    running = start(copy, "snakemake", "--cores", "1", "labels", "--config", "study=short")
    try:
        deadline = time.monotonic() + 120
        while not (copy / "results/kcl/log/short/describe/frames.log.attempt.json").exists():
            assert running.poll() is None, running.stdout.read()[-5000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        table, output = status(copy, "short")
    finally:
        kill(running)
    assert table["pool"] == ["2", "0", "0", "0"]
    assert table["select"] == ["0", "1", "0", "2"]
    assert f"2 of {jobs} jobs done, Snakemake runs; left: no rate yet" in output

    before = files(copy)
    table, output = status(copy, "short")
    assert table["select"] == ["0", "0", "0", "3"]
    assert "Of the jobs to do, 1 were interrupted." in output
    assert "snakemake --unlock --config study=short" in output
    assert files(copy) == before

    assert snakemake(copy, "short", "--unlock", seconds=60).status == 0
    done = snakemake(copy, "short", "--cores", "2", "labels", seconds=300)
    assert done.status == 0, done.output[-5000:]
    table, output = status(copy, "short", "labels")
    assert table["label"] == ["2", "0", "0", "0"]
    assert table["frames"] == ["10", "0", "0", "0"]
    assert output.endswith("short: all 7 jobs are done.\n")


def test_failed_frames_and_jobs_are_shown_with_reason_and_log(copy):
    path = copy / "config/studies/strict.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(SHORT) | STRICT))
    folder = "results/kcl/dataset/strict"
    targets = (f"{folder}/test.extxyz", f"{folder}/random-n4-s1/train.extxyz")
    assert snakemake(copy, "strict", "--cores", "2", *targets, seconds=300).status != 0
    table, output = status(copy, "strict")
    assert table["label"] == ["2", "0", "0", "0"]
    assert table["frames"] == ["0", "0", "10", "0"]
    assert table["dataset"] == ["0", "0", "2", "0"]
    for rule, job, frames in (
        ("held_out", "held_out", "2 of 2"),
        ("training_set", "training_set/random-n4-s1", "4 of 4"),
    ):
        assert re.search(
            rf"  {rule}: ValueError: {frames} frames have no label, .*\n"
            rf"    results/kcl/log/strict/{job}.log\n",
            output,
        )
    assert re.search(
        r"  frame: net force above the study's gate of 1.00e-30 eV/A\n"
        r"    results/kcl/label/store/../\w+.json \(the first of 10\)\n",
        output,
    )
