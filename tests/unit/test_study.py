"""Studies without Snakemake: sets, runs, paths, and slices that hold what a job uses and nothing else."""

import copy
from types import SimpleNamespace

import pytest
import yaml
from studies import SYSTEM, alter

from minset import cost
from minset.figures import FIGURES, figures_of, system_shown
from minset.names import run_row
from minset.observe import OBSERVABLES
from minset.outputs import TABLES, reference_of, tables_of
from minset.study import Study, canonical, read_study

TEXT = """
description: for tests
systems: [kcl]
pool: {ions: 32, temperature_K: [1700, 1100], pressure_bar: 5000, duration_ps: 10, frames: 200, seed: 1}
test: {frames: 10, seed: 2}
validation: {frames: 3, seed: 3}
selectors:
  random: {}
  fps: {}
  committee: {selector: disagreement, model: small}
sizes: [4, 12, 8]
seeds: [1, 2]
more_seeds: {sizes: [12], seeds: [7], selectors: [random]}
labels: {labeler: potential, frames_per_job: 4}
models:
  small: {size: small, members: 3}
  large: {size: large}
simulations:
  nvt: {ensemble: nvt, ions: 64, temperature_K: 1200, duration_ps: 40, sizes: [12], seeds: [1]}
  npt: {ensemble: npt, ions: 64, temperature_K: 1200, duration_ps: 40, selectors: [fps], models: [large]}
rdf: {range_A: 6.0}
"""


@pytest.fixture
def study(config) -> Study:
    (config / "studies/s.yaml").write_text(TEXT)
    return read_study("s", config)


def changed_study(config, in_study=None, in_system=None) -> Study:
    """The same with other values in its file and in that of KCl."""
    alter(config, "studies/s.yaml", in_study or {})
    alter(config, SYSTEM, in_system or {})
    return read_study("s", config)


def test_the_time_of_a_label_job_is_the_studys_where_it_says_so(study, config):
    """30 minutes and three times as long, for 4 frames."""
    site = {"partitions": {}, "gpu_model": None}
    job = SimpleNamespace(system="kcl", labelled="fps-n4-s1")
    assert cost.asked(study, site, "label", job, 1)["runtime"] == 31
    slow = changed_study(config, {"labels/seconds_per_frame": 600})
    assert cost.asked(slow, site, "label", job, 1)["runtime"] == 30 + 3 * 4 * 10
    assert cost.asked(slow, site, "label", job, 2)["runtime"] == 2 * 150
    assert slow.label_settings("kcl") == study.label_settings("kcl")


def test_a_size_adds_the_frames_beyond_the_size_before(study):
    assert study.smaller("fps-n12-s1") == ["fps-n4-s1", "fps-n8-s1"]
    assert [study.frames_of(f"fps-n{n}-s1") for n in (4, 8, 12)] == [4, 4, 4]
    assert study.frames_of("held_out") == 13
    # a seed that repeats one size only begins with it
    assert study.smaller("random-n12-s7") == []
    assert study.frames_of("random-n12-s7") == 12
    assert study.label_parts("random-n12-s7") == [0, 1, 2]
    assert study.label_parts("held_out") == [0, 1, 2, 3]


def test_sets_of_a_selection_follow_one_another_by_size(study):
    assert study.ordered_sets[:4] == [
        "random-n4-s1",
        "random-n8-s1",
        "random-n12-s1",
        "random-n4-s2",
    ]
    assert sorted(study.ordered_sets) == sorted(study.datasets)
    assert len(study.datasets) == 3 * 3 * 2 + 1


def test_a_committee_picks_by_the_models_of_the_size_before(study):
    assert study.selector("committee-n4-s2") == "random"
    assert study.committee("committee-n4-s2") == []
    assert study.selector("committee-n12-s2") == "disagreement"
    assert study.committee("committee-n12-s2") == [
        "committee-n8-s2-small",
        "committee-n8-s2-small-m2",
        "committee-n8-s2-small-m3",
    ]
    assert study.committee("fps-n12-s2") == []
    assert "model" not in study.selector_options("committee-n12-s2")


def test_members_have_seeds_of_their_own(study):
    runs = ["fps-n4-s2-small", "fps-n4-s2-small-m2", "fps-n4-s2-small-m3"]
    assert [run for run in study.runs if run.startswith("fps-n4-s2-small")] == runs
    seeds = [study.training("kcl", run)["seed"] for run in runs]
    assert seeds[0] == 2  # as of a model without a committee
    assert len(set(seeds)) == 3
    other = [study.training("kcl", run.replace("s2", "s1"))["seed"] for run in runs]
    assert not set(seeds) & set(other)


def test_simulations_run_the_models_that_they_ask_for(study):
    (nvt,) = [[r for r in study.simulations if r.startswith("nvt/")]]
    assert nvt[0] == "nvt/bmhtf"
    rows = [run_row(run.split("/")[1]) for run in nvt[1:]]
    assert {(r["size"], r["seed"], r["member"]) for r in rows} == {(12, 1, 1)}
    assert {r["model"] for r in rows} == {"small", "large"}
    npt = [r for r in study.simulations if r.startswith("npt/")]
    assert {r.split("-")[0] for r in npt[1:]} == {"npt/fps"}
    assert set(study.observed("density")) == set(npt)
    assert set(study.observed("rdf")) == set(nvt)


def everything(study: Study) -> dict:
    """All that jobs get from a study, by job."""
    jobs = {f"pool {run}": study.pool_run("kcl", run) for run in study.pool_runs}
    jobs["md"] = study.md_system("kcl", "bmhtf")
    jobs["label"] = study.label_settings("kcl")
    for name in study.datasets:
        jobs[f"select {name}"] = study.selector_options(name)
    for run in study.runs:
        jobs[f"train {run}"] = study.training("kcl", run)
    for name in study.settings["simulations"]:
        jobs[f"start {name}"] = study.start("kcl", name)
        jobs[f"simulate {name}"] = study.simulation(name)
        for observable in study.settings["simulations"][name]["observables"]:
            settings = study.observable_settings(observable, name)
            jobs[f"observe {observable} {name}"] = settings, study.md_system("kcl")
    for name in tables_of(study):
        jobs[f"table {name}"] = reference_of(study, "kcl", name)
    for name in figures_of(study):
        jobs[f"figure {name}"] = system_shown(study, "kcl", name)
    return jobs


def changed(before: Study, after: Study) -> set[str]:
    old, new = everything(before), everything(after)
    return {job for job in old.keys() | new.keys() if str(old.get(job)) != str(new.get(job))}


def test_nothing_of_a_source_an_order_or_another_stage_reaches_a_job(study, config):
    species = yaml.safe_load((config / SYSTEM).read_text())["species"]
    changes = {
        "potentials/bmhtf/source": "someone else",
        "reference/density/0/source": "someone else",
        "cp2k/cutoff_Ry": 999,
        "species": dict(reversed(species.items())),
        "melting_point_K": None,
    }
    assert changed(study, changed_study(config, in_system=changes)) == set()


def test_a_density_of_the_start_reaches_the_jobs_that_start_from_it(study, config):
    before = study.systems["kcl"]["reference"]["density"][0]["a_g_cm3"]
    changes = {"reference/density/0/a_g_cm3": before + 0.01}
    assert changed(study, changed_study(config, in_system=changes)) == {
        "pool ramp",
        "start nvt",
        "start npt",
        "table density",
        "figure density",
        "figure pool",
    }


def test_a_density_given_for_the_pool_replaces_the_experiment(study, config):
    given = changed_study(config, {"pool/density_g_cm3": 1.234})
    assert given.pool_run("kcl", "ramp")["density_g_cm3"] == 1.234


def test_choices_of_a_simulation_are_no_part_of_its_course(study, config):
    choices = {"sizes": [4, 12], "observables": ["rdf"], "members": [1, 2]}
    after = changed_study(config, {f"simulations/nvt/{k}": v for k, v in choices.items()})
    assert after.simulation("nvt") == study.simulation("nvt")
    assert after.start("kcl", "nvt") == study.start("kcl", "nvt")
    assert len(after.simulated("nvt")) > len(study.simulated("nvt"))


def test_every_table_and_figure_is_made_from_what_jobs_of_the_study_write(study):
    written = set()
    for name in study.ordered_sets:
        written.add(f"{study.folder('selection')}/{name}.csv")
    for name in study.labelled_sets:
        for part in study.label_parts(name):
            written.add(f"{study.folder('label')}/{name}/part-{part}.csv")
    for run in study.simulations:
        written.add(f"{study.folder('simulation')}/{run}/verdict.json")
    for run in study.runs:
        written.add(f"{study.folder('model')}/{run}/history.csv")
    written |= {f"{study.folder('table')}/{name}.csv" for name in tables_of(study)}
    written |= {f"{study.folder('pool')}/pool.{end}" for end in ("csv", "h5")}
    written.add(f"{study.folder('selection')}/split.csv")
    for name, record in OBSERVABLES.items():
        for run in study.observed(name):
            folder = study.observable_folder(name, run)
            written |= {f"{folder}/{table}.csv" for table in record.tables}
    for registry, names in ((TABLES, tables_of(study)), (FIGURES, figures_of(study))):
        for name in names:
            inputs = registry[name].inputs(study)
            for path in [*inputs.files.values(), *(path for path, _ in inputs.runs)]:
                assert path in written, (name, path)


def test_canonical_data_have_one_form():
    content = {"b": [1, {"d": 2, "c": 3}], "a": (4, 5)}
    assert str(canonical(content)) == "{'a': [4, 5], 'b': [1, {'c': 3, 'd': 2}]}"
    assert content == copy.deepcopy(content)
