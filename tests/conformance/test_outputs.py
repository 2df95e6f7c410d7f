"""Every entry of TABLES and FIGURES: what it is made from is there, and it can be made of it."""

import json
import shutil
from pathlib import Path
from pkgutil import resolve_name

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from studies import CONFIG, STUDY, alter

from conformance.examples import observable_settings
from minset.figures import FIGURES, figures_of, system_shown
from minset.observe import OBSERVABLES
from minset.observe.record import ASKED_FOR
from minset.outputs import TABLES, make_table, table_options, tables_of
from minset.study import Study, read_study, without_observable

STUDIES = sorted(path.stem for path in (CONFIG / "studies").glob("*.yaml"))


def written(study: Study) -> dict[str, tuple[str, str]]:
    """Tables and pools that the jobs of a study write before its tables: what each is, and of what."""
    pool, selection, label = (study.folder(s) for s in ("pool", "selection", "label"))
    files = {f"{pool}/pool.h5": ("pool", ""), f"{pool}/pool.csv": ("summary", "")}
    files[f"{selection}/split.csv"] = ("split", "")
    for name in study.labelled_sets:
        files[f"{selection}/{name}.csv"] = ("set", name)
        for part in study.label_parts(name):
            files[f"{label}/{name}/part-{part}.csv"] = ("label", f"{name} {part}")
    for run in study.runs:
        if study.model(run).history:
            files[f"{study.folder('model')}/{run}/history.csv"] = ("history", run)
    for run in study.simulations:
        files[f"{study.folder('simulation')}/{run}/verdict.json"] = ("verdict", run)
    for observable, record in OBSERVABLES.items():
        for run in study.observed(observable):
            for table in record.tables:
                place = f"{study.observable_folder(observable, run)}/{table}.csv"
                files[place] = (f"{observable} {table}", run)
    return files


@pytest.mark.parametrize("name", STUDIES)
def test_what_tables_and_figures_are_made_from_is_written_by_jobs(name):
    study = read_study(name, CONFIG)
    there = set(written(study))
    there |= {f"{study.folder('table')}/{table}.csv" for table in tables_of(study)}
    for registry, entries in ((TABLES, tables_of(study)), (FIGURES, figures_of(study))):
        for entry in entries:
            inputs = registry[entry].inputs(study)
            assert {*inputs.files.values(), *(path for path, _ in inputs.runs)} <= there, entry


@pytest.mark.parametrize("entry", [*TABLES.values(), *FIGURES.values()], ids=[*TABLES, *FIGURES])
def test_a_caption_is_of_whole_sentences(entry):
    assert entry.caption[0].isupper()
    assert entry.caption.endswith(".")
    assert ".." not in entry.caption
    assert not [word for word in entry.caption.split() if "." in word[:-1] and word[0].islower()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_pool, observed):
    """A study with all tables and figures, and its results: real tables, with noise from run to run."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(CONFIG, folder / "config")
    several = {"sizes": [4, 8], "seeds": [1, 2, 3], "simulations/npt_1200K/certificate": {}}
    several |= {name: {} for name, record in OBSERVABLES.items() if record.of in ASKED_FOR}
    several["coverage"] = {
        "sets": {"all": {"runs": ["*"]}, "picked": {"selection": "random-n8-s1"}}
    }
    alter(folder / "config", STUDY, several)
    study, rng = read_study("demo-classical", folder / "config"), np.random.default_rng(1)
    for name in OBSERVABLES:
        try:
            observable_settings(name)
        except pytest.skip.Exception:  # its environment is not here, and studies go on without it
            study = without_observable(study, name)
    _, frames, _ = small_pool
    for place, (kind, what) in written(study).items():
        path = folder / place.format(system="kcl")
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "pool":
            shutil.copy(small_pool[0], path)
        elif kind == "verdict":
            verdict = {"stable": rng.random() < 0.7 or "bmhtf" in what, "phase": "production"}
            verdict |= {"reached_ps": 5.0, "ns_per_day": 80.0, "reason": "", "engine": what}
            path.write_text(json.dumps(verdict))
        else:
            table_of(kind, what, len(frames), observed, rng).to_csv(path, index=False)
    return folder, study


def table_of(kind: str, what: str, frames: int, observed, rng) -> pd.DataFrame:
    """A table as a job of a study writes it."""
    numbers = rng.permutation(frames)[:4]
    known = {
        "summary": lambda: {
            "frame": range(frames),
            "temperature_K": rng.uniform(1100, 1700, frames),
            "density_g_cm3": rng.uniform(1.3, 1.5, frames),
        },
        "split": lambda: {"frame": range(frames), "role": ["test", "candidate"] * (frames // 2)},
        "set": lambda: {"pick": range(4), "frame": numbers, "score": rng.random(4)},
        "label": lambda: {
            "key": [f"{what} {k}" for k in range(4)],
            "status": "labelled",
            "seconds": 2.0,
        },
        "history": lambda: {
            "epoch": range(9),
            "train_loss": np.geomspace(1, 0.01, 9),
            "validation_loss": np.geomspace(2, 0.1, 9),
            "validation_force_rmse_eV_A": np.geomspace(1, 0.1, 9),
        },
    }
    if kind in known:
        return pd.DataFrame(known[kind]())
    observable, file = kind.split()
    table = observed(observable)[file].copy()
    for column in table.select_dtypes("float").columns.difference(["r_A", "time_ps", "value"]):
        table[column] *= 1 + 0.1 * rng.random()
    return table


def made(folder: Path, study: Study, name: str) -> pd.DataFrame:
    """A table of a study from its files, with those that it is made from."""
    path = folder / f"{study.folder('table')}/{name}.csv".format(system="kcl")
    if not path.exists():
        inputs = TABLES[name].inputs(study)
        for other in set(inputs.files) & set(TABLES):
            made(folder, study, other)
        places = {k: folder / p.format(system="kcl") for k, p in inputs.files.items()}
        runs = [(folder / p.format(system="kcl"), row) for p, row in inputs.runs]
        options = table_options(study, "kcl", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        make_table(name, places, runs, options).to_csv(path, index=False)
    return pd.read_csv(path)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_made_with_a_row_for_every_run(name, finished):
    folder, study = finished
    assert name in tables_of(study), f"the study of these tests has no table {name}"
    table = made(folder, study, name)
    assert len(table)
    assert table.columns.is_unique
    for _, row in TABLES[name].inputs(study).runs:
        own = table[[column for column in row if column in table]]
        wanted = {column: row[column] for column in own}
        if name != "rdf_difference" or "bmhtf" not in row["engine"]:
            assert (own == pd.Series(wanted)).all(axis=1).any(), row


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_of_it(name, finished, tmp_path):
    folder, study = finished
    assert name in figures_of(study), f"the study of these tests has no figure {name}"
    inputs = FIGURES[name].inputs(study)
    for table in set(inputs.files) & set(TABLES):
        made(folder, study, table)
    files = {key: folder / path.format(system="kcl") for key, path in inputs.files.items()}
    runs = [(folder / path.format(system="kcl"), row) for path, row in inputs.runs]
    figure = resolve_name(FIGURES[name].draw)(system_shown(study, "kcl", name), files, runs)
    figure.savefig(tmp_path / "figure.png", dpi=40)
    plt.close(figure)
    assert plt.imread(tmp_path / "figure.png").std() > 0.02
