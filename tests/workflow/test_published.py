"""A study is run, published, and run again from that where nothing expensive can work."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import clone_repository, planned, run, snakemake

from minset.published.frames import geometry_text

STUDY = """
description: for tests
systems: [kcl]
pool: {generator: files, path: results/published/own/pool.extxyz}
published: results/published/own
test: {frames: 4, seed: 2}
validation: {frames: 2, seed: 3}
descriptors: {size: small}
selectors: {rnd: {atoms: false, max_steps: 5}}
sizes: [3, 5]
seeds: [1]
labels: {labeler: potential, frames_per_job: 16, settings: {potential: bmhtf}}
models:
  small:
    size: small
    baseline: formal-charges
    repulsion: floor
    training: {batch_size: 2, max_epochs: 40}
reference: []
simulations:
  own:
    ensemble: nvt
    ions: 32
    start: pool
    temperature_K: 900
    duration_ps: 2
    timestep_fs: 2
    equilibration_ps: 0.2
    sizes: [5]
    observables: []
    certificate: {frames: 2, effective_frames: 2}
"""
RESULTS, PUBLISHED = Path("results/kcl"), Path("results/published/own")
TABLES = ("selection", "labels")
RUN = "rnd-n5-s1-small"
OWN = f"certificate/own/{RUN}"
DATASETS = ("test", "validation", "rnd-n5-s1/train")
# the first says what was taken, the other has means of a run, the same in all but its last digits
OF_RUNS = {"labels.csv", "certificate.csv"}
WANTED = [
    *(str(RESULTS / f"table/own/{name}.csv") for name in TABLES),
    *(str(RESULTS / f"dataset/own/{name}.extxyz") for name in DATASETS),
    str(RESULTS / "table/own/certificate.csv"),
]
CANNOT = '    raise RuntimeError("it was to be taken, not computed")\n'


def prepared(folder: Path, published: dict[str, bytes]) -> Path:
    clone = clone_repository(folder)
    (clone / "config/studies/own.yaml").write_text(STUDY)
    (clone / PUBLISHED).mkdir(parents=True)
    for name, content in published.items():
        (clone / PUBLISHED / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / PUBLISHED / name).write_bytes(content)
    return clone


def break_function(clone: Path, module: str, line: str) -> None:
    """Have a function of a clone raise an error at once; ``line`` is the first of its body."""
    path = clone / "workflow/minset" / module
    text = path.read_text()
    assert text.count(line) == 1
    path.write_text(text.replace(line, CANNOT + line))


def files_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def times_of(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in files_of(folder)}


def publish(clone: Path, *options: str):
    return run(clone, "python", "scripts/publish.py", "own", *options, seconds=200)


@pytest.fixture(scope="module")
def first(tmp_path_factory, small_pool) -> Path:
    """A clone in which the study was computed and published."""
    pool = "".join(geometry_text(frame, {}) for frame in small_pool[1]).encode()
    clone = prepared(tmp_path_factory.mktemp("first"), {"pool.extxyz": pool})
    done = snakemake(clone, "own", "--cores", "2", *WANTED, seconds=400)
    assert done.status == 0, done.output[-4000:]
    assert "published: there is nothing in results/published/own" in done.output
    assert publish(clone).status == 0
    return clone


@pytest.fixture(scope="module")
def second(tmp_path_factory, first) -> Path:
    """Another one with what the first published, where no labeler, selector or training works."""
    clone = prepared(tmp_path_factory.mktemp("second"), files_of(first / PUBLISHED))
    break_function(
        clone, "label/potential.py", "    from minset.potential.forces import single_point\n"
    )
    break_function(clone, "select/picks.py", "    wanted = n - there\n")
    break_function(
        clone, "select/split.py", '    held_out = frames["run"].isin(held_out_runs).to_numpy()\n'
    )
    break_function(
        clone,
        "model/schnet/train.py",
        "    if not all((folder / name).exists() for name in (WEIGHTS, DESCRIPTION, HISTORY)):\n",
    )
    break_function(
        clone,
        "observe/independent.py",
        '    apart_ps = independence_ps(thermo, protocol["ensemble"])\n',
    )
    done = snakemake(clone, "own", "--cores", "2", *WANTED, seconds=400)
    assert done.status == 0, done.output[-4000:]
    return clone


def test_tables_and_datasets_come_out_the_same_without_labeler_and_selector(first, second):
    for name in ["table/own/selection.csv", *(f"dataset/own/{name}.extxyz" for name in DATASETS)]:
        assert (first / RESULTS / name).read_bytes() == (second / RESULTS / name).read_bytes(), name
    before, after = (pd.read_csv(c / RESULTS / "table/own/labels.csv") for c in (first, second))
    assert after["reused"].all()
    assert not before["reused"].all()
    assert before.drop(columns="reused").equals(after.drop(columns="reused"))
    store = RESULTS / "label/store"
    labels = [p.relative_to(first) for p in (first / store).glob("??/*.json")]
    assert len(labels) == before["key"].nunique() == 13
    for path in labels:
        assert (first / path).read_bytes() == (second / path).read_bytes()


def test_a_certified_model_and_its_own_frames_come_back(first, second):
    model = Path("results/kcl/model/own") / RUN
    for path in (first / model).iterdir():
        if not path.name.endswith(".meta.json"):
            assert path.read_bytes() == (second / model / path.name).read_bytes(), path.name
    table = RESULTS / f"selection/own/{OWN}.csv"
    assert (first / table).read_bytes() == (second / table).read_bytes()
    rows = [pd.read_csv(c / RESULTS / "table/own/certificate.csv") for c in (first, second)]
    assert rows[0]["frames"].tolist() == rows[1]["frames"].tolist()
    assert rows[0]["frames"].max() == 2
    errors = [table[table["quantity"] == "force_rmse"]["difference"] for table in rows]
    assert len(errors[0]) == 1
    assert errors[1].tolist() == errors[0].tolist()


def test_publishing_again_gives_the_same_bytes_from_either(first, second):
    before = files_of(first / PUBLISHED)
    for clone in (first, second):
        times = times_of(clone / PUBLISHED)
        assert publish(clone).status == 0
        now = files_of(clone / PUBLISHED)
        assert now.keys() == before.keys()
        assert {n for n in now if now[n] != before[n]} <= OF_RUNS
        again = times_of(clone / PUBLISHED)
        changed = [name for name in again if again[name] != times[name]]
        assert set(changed) <= OF_RUNS


def test_what_people_write_on_the_card_stays(first):
    card = first / PUBLISHED / "README.md"
    text = card.read_text()
    assert "16 labelled frames" not in text
    assert "None." in text
    assert "CC-BY-4.0" in text
    card.write_text(text + "\nBy hand.\n")
    assert publish(first).status == 0
    assert card.read_text() == text + "\nBy hand.\n"
    card.write_text(text)


def test_adding_or_taking_away_published_runs_nothing(first):
    path = first / "config/studies/own.yaml"
    path.write_text(STUDY.replace("published: results/published/own\n", ""))
    assert planned(first, "own", *WANTED) == {}
    path.write_text(STUDY)
    assert planned(first, "own", *WANTED) == {}


def test_other_choices_are_refused_with_the_difference(second):
    path, content = second / "config/studies/own.yaml", yaml.safe_load(STUDY)
    content["selectors"]["rnd"]["max_steps"] = 9
    path.write_text(yaml.safe_dump(content))
    target = f"{RESULTS}/selection/own/rnd-n3-s1.csv"
    done = snakemake(second, "own", "--cores", "2", target, seconds=200)
    path.write_text(STUDY)
    assert done.status != 0
    assert "selectors.rnd.max_steps 5, the study has 9: set it equal" in done.output
