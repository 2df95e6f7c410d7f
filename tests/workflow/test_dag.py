"""The workflow as its users meet it: real runs of Snakemake in a copy of the repository."""

import json
import os
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import yaml
from running import (
    BIN,
    OF_MDSUITE,
    REPOSITORY,
    RUN,
    SHORT,
    SIMULATION,
    WHOLE,
    kill,
    run,
    snakemake,
    start,
)

from minset.figures import FIGURES
from minset.files import file_hash
from minset.md.trajectory import read_trajectory

STUDIES = sorted(path.stem for path in (REPOSITORY / "config/studies").glob("*.yaml"))
TABLES = {
    "Summary": ["summary"],
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
# all but what needs more than one size, or a key that the study does not have
NOT_OF_WHOLE = {"certificate", "elastic", "equation_of_state", "relaxation", "surface_energy"}
NOT_OF_WHOLE |= {"coverage", "coverage_components"}
FIGURES_OF_WHOLE = sorted(set(FIGURES) - NOT_OF_WHOLE - {"learning_curve"})


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
        ({"colour": "red"}, "unknown key colour; known are coverage, description, descriptors, "),
    ],
)
def test_a_mistake_in_a_study_is_one_clear_line_before_any_job(copy, mistake, message):
    path = copy / "config/studies/mistaken.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(SHORT) | mistake))
    said = snakemake(copy, "mistaken", "--cores", "1", seconds=60)
    path.unlink()
    assert said.status != 0
    assert [message in line for line in said.output.splitlines()].count(True) == 1
    assert "config/studies/mistaken.yaml: " in said.output
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
    sources = {"kinisi", "MDSuite"} if OF_MDSUITE else {"kinisi"}
    assert sources <= set(tables["diffusion"]["source"])
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
    _, _, first = page.partition("var workflow_desc = ")
    first = json.JSONDecoder().raw_decode(first)[0]
    assert "<td>force RMSE, eV/A</td>" in first
    assert 'alt="learning_curve"' in first or 'alt="rdf"' in first


def test_new_time_stamps_and_lost_tables_compute_no_label_again(labels):
    store = labels / "results/kcl/label/store"

    def stored():
        return {path: path.stat().st_mtime_ns for path in store.glob("??/*.json")}

    before = stored()
    assert len(before) >= 4 + 2 + 4
    os.utime(labels / "results/kcl/pool/short/pool.h5")
    sets = ("held_out", "random-n4-s1")
    tables = [labels / f"results/kcl/label/short/{name}/part-0.csv" for name in sets]
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
    """A size failed; then the study has it no longer."""
    note = copy / "results/kcl/log/short/select/random-n5-s1.log.attempt.json"
    note.parent.mkdir(parents=True, exist_ok=True)
    outputs = [f"results/kcl/selection/short/random-n5-s1.{end}" for end in ("h5", "csv")]
    note.write_text(json.dumps({"error": "MemoryError: ", "outputs": outputs}))
    try:
        dry = snakemake(copy, "short", "--dry-run", "--quiet", "rules", seconds=120)
    finally:
        note.unlink()
    assert dry.status == 0, dry.output[-2000:]
