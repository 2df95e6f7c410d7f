"""The workflow as its users meet it: real runs of Snakemake in a copy of the repository."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import yaml

from minset.figures import FIGURES
from minset.files import file_hash
from minset.md.trajectory import read_trajectory

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MDSUITE = Path(
    os.environ.get("MINSET_MDSUITE_PYTHON", REPOSITORY / ".venv-mdsuite" / "bin" / "python")
)
STUDIES = sorted(path.stem for path in (REPOSITORY / "config/studies").glob("*.yaml"))
WHOLE = "demo-classical"
TABLES = {
    "Selection": ["selection"],
    "Labels": ["labels"],
    "Model": ["errors"],
    "Selectors": ["learning_curve", "stable_fraction", "against_random"],
    "Simulation": [
        "stability",
        "rdf_peaks",
        "rdf_difference",
        "diffusion",
        "conductivity",
        "density",
    ],
}
# all but the learning curve, which needs more than one size
FIGURES_OF_WHOLE = sorted(set(FIGURES) - {"learning_curve"})

# as short as labels, training and a simulation that outlives its first checkpoint can be
SHORT = """
description: for tests
systems: [kcl]
pool: {ions: 32, temperature_K: [1700, 1100], pressure_bar: 5000, equilibration_ps: 2,
  duration_ps: 10, frames: 40, seed: 1}
test: {frames: 4, seed: 2}
validation: {frames: 2, seed: 3}
descriptors: {size: small}
selectors: {random: {}}
sizes: [4]
seeds: [1]
labels: {labeler: lammps}
models:
  small: {size: small, training: {batch_size: 2, learning_rate: 2.0e-3, max_epochs: 40}}
simulations:
  nvt: {ensemble: nvt, ions: 16, temperature_K: 1200, duration_ps: 7, equilibration_ps: 0.1,
    melt_ps: 1, limits: {temperature_percent: 1000, energy_eV_atom: 1000}}
rdf: {range_A: 4.4}
transport: {start_ps: 0.5}
"""
RUN = "random-n4-s1-small"
SIMULATION = f"results/kcl/simulation/short/nvt/{RUN}"


def files_of(repository: Path) -> list[Path]:
    """What a clone would have, with changes that are not committed yet; relative paths."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        listed = subprocess.run(command, cwd=repository, check=True, capture_output=True).stdout
        return [Path(name) for name in listed.decode().split("\0") if name]
    files = (p for p in repository.rglob("*") if p.is_symlink() or not p.is_dir())
    every = (p.relative_to(repository) for p in files)
    aside = ("results", "__pycache__", ".venv", ".snakemake", ".git")
    return [path for path in every if not any(p.startswith(aside) for p in path.parts)]


def clone_repository(folder: Path) -> Path:
    """Copy the repository with its environments and no results into an empty folder."""
    for name in files_of(REPOSITORY):
        if name.parts[0] != "results" and (REPOSITORY / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    (folder / ".venv-mdsuite").symlink_to(MDSUITE.parents[1])
    return folder


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A clone with a short study."""
    folder = clone_repository(tmp_path_factory.mktemp("clone"))
    (folder / "config/studies/short.yaml").write_text(SHORT)
    return folder


def start(copy: Path, *command: str) -> subprocess.Popen:
    """A program of the environment in a process group of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
    return subprocess.Popen(
        [BIN / command[0], *command[1:]],
        cwd=copy,
        env=environment | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(copy: Path, *command: str, seconds: float) -> SimpleNamespace:
    """Exit status, output and wall time of a command; beyond `seconds` its process group is killed."""
    process, began = start(copy, *command), time.monotonic()
    try:
        output = process.communicate(timeout=seconds)[0]
    finally:
        kill(process)
    return SimpleNamespace(
        status=process.returncode, output=output, seconds=time.monotonic() - began
    )


def snakemake(copy: Path, study: str, *arguments: str, seconds: float) -> SimpleNamespace:
    return run(copy, "snakemake", *arguments, "--config", f"study={study}", seconds=seconds)


@pytest.fixture(scope="module")
def whole(copy) -> Path:
    """The copy with the demo study run to its end."""
    if not MDSUITE.exists():
        pytest.skip(f"no MDSuite environment: {MDSUITE} is missing; `envs/setup.sh mdsuite`")
    done = snakemake(copy, WHOLE, "--cores", "2", seconds=800)
    assert done.status == 0, done.output[-5000:]
    return copy


@pytest.fixture(scope="module")
def labels(copy) -> Path:
    """The copy with the labels of the short study."""
    done = snakemake(copy, "short", "--cores", "2", "labels", seconds=300)
    assert done.status == 0, done.output[-5000:]
    return copy


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ({"sizes": [40]}, "sizes: 40 frames cannot be selected from 34 (pool.frames less test and"),
        ({"colour": "red"}, "unknown key colour; known are description, descriptors, gpu, labels,"),
    ],
)
def test_a_mistake_in_a_study_is_one_clear_line_before_any_job(copy, mistake, message):
    path = copy / "config/studies/mistaken.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(SHORT) | mistake))
    said = snakemake(copy, "mistaken", "--cores", "1", seconds=60)
    path.unlink()
    assert said.status != 0
    assert [message in line for line in said.output.splitlines()].count(True) == 1
    assert f"{path}: " in said.output
    assert "Traceback" not in said.output
    assert not list(copy.glob("results/*/*/mistaken"))


@pytest.mark.parametrize(
    "command",
    [
        ("snakemake", "--lint", "--config", f"study={WHOLE}"),
        ("snakefmt", "--check", "Snakefile", "workflow"),
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
    ],
    ids=" ".join,
)
def test_code_is_clean(copy, command):
    if not (BIN / command[0]).exists():
        pytest.skip(f"{command[0]} is missing; `envs/setup.sh dev`")
    checked = run(copy, *command, seconds=120)
    assert checked.status == 0, checked.output


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_can_be_planned(copy, study):
    planned = snakemake(copy, study, "--dry-run", seconds=120)
    assert planned.status == 0, planned.output
    assert "This was a dry-run" in planned.output


def test_a_study_ends_with_all_its_figures(whole):
    folder = whole / f"results/kcl/figure/{WHOLE}"
    assert {path.stem for path in folder.glob("*.png")} == set(FIGURES_OF_WHOLE)
    for name in FIGURES_OF_WHOLE:
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (folder / f"{name}.pdf").stat().st_size > 5000
        pixels = matplotlib.image.imread(folder / f"{name}.png")
        assert min(pixels.shape[:2]) > 300
        assert pixels.std() > 0.02


def test_a_study_ends_with_all_its_tables(whole):
    folder = whole / f"results/kcl/table/{WHOLE}"
    tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    assert set(tables) == {name for names in TABLES.values() for name in names}
    assert tables["selection"].groupby("selector")["frame"].nunique().to_dict() == {
        "random": 8,
        "rnd": 8,
    }
    assert set(tables["labels"]["status"]) == {"labelled"}
    assert np.isfinite(tables["errors"].select_dtypes("number")).all(axis=None)
    assert len(tables["errors"]) == 2
    ratios = tables["against_random"].set_index("quantity")
    rmse = tables["errors"].set_index("selector")["force_rmse_eV_A"]
    assert ratios.loc["force_rmse", "ratio"] == pytest.approx(rmse["rnd"] / rmse["random"])
    stability = tables["stability"].set_index(["simulation", "engine"])
    assert len(stability) == 6
    assert stability.loc[(slice(None), "bmhtf"), "stable"].all()
    assert {"kinisi", "MDSuite"} <= set(tables["diffusion"]["source"])
    assert "experiment" in set(tables["density"]["engine"])


def test_results_say_where_they_are_from(whole):
    for path in sorted(whole.glob(f"results/kcl/*/{WHOLE}/*.meta.json")):
        meta = json.loads(path.read_text())
        assert {"rule", "parameters", "versions", "seconds", "finished"} <= set(meta)
        for name, digest in meta["inputs_sha256"].items():
            assert file_hash(whole / name) == digest
    with_meta = {p.name.split(".")[0] for p in whole.glob(f"results/kcl/table/{WHOLE}/*.meta.json")}
    assert with_meta == {name for names in TABLES.values() for name in names}
    assert len(list(whole.glob(f"results/kcl/figure/{WHOLE}/*.meta.json"))) == len(FIGURES_OF_WHOLE)


def test_a_second_call_does_nothing_and_says_so_in_seconds(whole):
    again = snakemake(whole, WHOLE, "--cores", "2", seconds=60)
    assert again.status == 0
    assert "Nothing to be done" in again.output
    assert again.seconds < 20


def test_the_report_is_one_page_with_figures_and_tables_by_category(whole):
    made = snakemake(whole, WHOLE, "--report", "report.html", seconds=120)
    assert made.status == 0, made.output
    page = (whole / "report.html").read_text()
    _, _, after = page.partition("var categories = ")
    categories = json.JSONDecoder().raw_decode(after)[0]["kcl"]
    stems = {
        category: sorted(Path(p).stem for p in paths) for category, paths in categories.items()
    }
    expected = TABLES | {"Figures": FIGURES_OF_WHOLE}
    assert stems == {category: sorted(names) for category, names in expected.items()}
    assert "Force components on the test set" in page


def test_new_time_stamps_and_lost_tables_compute_no_label_again(labels):
    store = labels / "results/kcl/label/store"

    def stored():
        return {path: path.stat().st_mtime_ns for path in store.glob("??/*.json")}

    before = stored()
    assert len(before) >= 4 + 2 + 4
    os.utime(labels / "results/kcl/pool/short/pool.h5")
    tables = [labels / f"results/kcl/label/short/batch-{batch}.csv" for batch in (0, 1)]
    tables[0].unlink()
    # once as it comes, once with every batch run again
    for again, redone in (((), tables[:1]), (("--forcerun", "label"), tables)):
        done = snakemake(labels, "short", "--cores", "2", "labels", *again, seconds=200)
        assert done.status == 0, done.output[-5000:]
        assert pd.concat(pd.read_csv(table) for table in redone)["reused"].all()
        assert stored() == before


def test_a_killed_run_goes_on_where_it_stood(labels):
    target = f"{SIMULATION}/verdict.json"
    killed = start(labels, "snakemake", "--cores", "2", target, "--config", "study=short")
    try:
        deadline = time.monotonic() + 300
        while not list(labels.glob(f"{SIMULATION}/work/production/restart.*")):
            assert killed.poll() is None, killed.stdout.read()[-5000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        kill(killed)
    assert not (labels / target).exists()
    model = labels / f"results/kcl/model/short/{RUN}/model.pt"
    trained = model.stat().st_mtime_ns

    locked = snakemake(labels, "short", "--cores", "2", target, seconds=60)
    assert locked.status != 0
    assert "--unlock" in locked.output
    assert snakemake(labels, "short", "--unlock", seconds=60).status == 0
    done = snakemake(labels, "short", "--cores", "2", target, seconds=300)
    assert done.status == 0, done.output[-5000:]

    (log,) = labels.glob(f"results/kcl/log/short/simulate/nvt/{RUN}.log")
    assert "continuing at 5.00 ps" in log.read_text()
    assert model.stat().st_mtime_ns == trained
    assert json.loads((labels / target).read_text())["reached_ps"] == pytest.approx(7)
    steps = read_trajectory(labels / SIMULATION / "trajectory.lammpstrj").steps
    np.testing.assert_array_equal(steps, np.arange(0, 3501, 25))
    assert not (labels / SIMULATION / "work").exists()


def test_a_job_that_fails_when_it_is_run_again_is_not_forgotten(copy):
    """What was made from its earlier result is still there; Snakemake alone would be content."""
    study = yaml.safe_load(SHORT) | {"simulations": {}}
    (copy / "config/studies/again.yaml").write_text(yaml.safe_dump(study))
    first = snakemake(copy, "again", "--cores", "2", "tables", seconds=400)
    assert first.status == 0, first.output[-3000:]
    train = copy / f"results/kcl/dataset/again/{RUN.removesuffix('-small')}/train.extxyz"
    model = copy / f"results/kcl/model/again/{RUN}/model.pt"
    good, made, weights = train.read_text(), train.stat().st_mtime, file_hash(model)
    train.write_text("no frames")
    broken = snakemake(copy, "again", "--cores", "2", "tables", seconds=200)
    assert broken.status != 0
    assert not model.exists()
    train.write_text(good)
    os.utime(train, (made, made))
    again = snakemake(copy, "again", "--cores", "2", "tables", seconds=300)
    assert again.status == 0, again.output[-3000:]
    assert file_hash(model) == weights
    settled = snakemake(copy, "again", "--cores", "2", "tables", seconds=200)
    assert "Nothing to be done" in settled.output


def test_what_a_failed_job_was_to_make_is_not_asked_for_once_the_study_makes_it_no_more(copy):
    """Descriptors of atoms failed; then the study's selectors no longer look at atoms."""
    selection = "results/kcl/selection/short"
    note = copy / "results/kcl/log/short/descriptors.log.attempt.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    outputs = [f"{selection}/descriptors.npy", f"{selection}/atom_descriptors.npy"]
    note.write_text(json.dumps({"error": "MemoryError: ", "outputs": outputs}))
    try:
        dry = snakemake(copy, "short", "--dry-run", "--quiet", "rules", seconds=120)
    finally:
        note.unlink()
    assert dry.status == 0, dry.output[-2000:]
