"""What a change of a finished study plans again: what it touches, and nothing else. Real dry runs."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from running import OF_MDSUITE, WHOLE, planned, snakemake

STUDY, SYSTEM = f"config/studies/{WHOLE}.yaml", "config/systems/kcl.yaml"
SLOW = ("pool_run", "pool", "describe", "split", "label", "train_schnet", "start", "simulate")


@pytest.fixture
def change(whole):
    """Change a file of the finished study by a function of its content; afterwards all is as it was."""
    before = {name: (whole / name).read_text() for name in (STUDY, SYSTEM)}

    def changed(name: str, edit) -> Path:
        content = yaml.safe_load(before[name])
        content = edit(content) or content
        (whole / name).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        return whole

    yield changed
    for name, text in before.items():
        (whole / name).write_text(text)


def test_the_same_content_in_another_form_plans_nothing(change):
    assert planned(change(STUDY, lambda study: None), WHOLE) == {}
    assert planned(change(SYSTEM, lambda system: None), WHOLE) == {}


def test_a_selector_trains_and_simulates_its_own_models_only(change):
    jobs = planned(change(STUDY, lambda study: study["selectors"].update(fps={})), WHOLE)
    assert {rule: jobs.get(rule, 0) for rule in SLOW} == {
        "pool_run": 0,
        "pool": 0,
        "describe": 0,
        "split": 0,
        "label": 1,
        "train_schnet": 1,
        "start": 0,
        "simulate": 2,
    }
    assert jobs["select"] == 1


def test_a_selector_with_descriptors_of_its_own_describes_nothing_again(change):
    jobs = planned(change(STUDY, lambda study: study["selectors"].update(entropy_gain={})), WHOLE)
    assert jobs.get("describe", 0) == 0
    assert (jobs["select"], jobs["train_schnet"], jobs["simulate"]) == (1, 1, 2)


def test_a_seed_trains_and_simulates_its_own_models_only(change):
    jobs = planned(change(STUDY, lambda study: study.update(seeds=[1, 2])), WHOLE)
    assert jobs["train_schnet"] == 2
    assert jobs["simulate"] == 4
    assert jobs["select"] == jobs["label"] == 2
    assert not {"pool_run", "pool", "describe", "split", "start", "held_out"} & jobs.keys()


def test_a_larger_size_leaves_the_smaller_ones(change):
    jobs = planned(change(STUDY, lambda study: study.update(sizes=[8, 12])), WHOLE)
    assert jobs["train_schnet"] == jobs["select"] == jobs["label"] == 2
    assert jobs["simulate"] == 4
    assert not {"pool_run", "pool", "describe", "split", "start", "held_out"} & jobs.keys()


def test_a_certificate_labels_frames_of_what_has_run(change):
    """Of two models 32 frames each, 16 to a job; nothing is trained or simulated again."""

    def certified(study):
        study["simulations"]["npt_1200K"]["certificate"] = {}

    assert planned(change(STUDY, certified), WHOLE) == {
        "certificate_frames": 2,
        "label": 4,
        "observe_certificate": 2,
        "table": 3,
        "figure": 1,
        "front_page": 1,
    }


def test_members_of_a_committee_are_trained_beside_the_one_that_is_there(change):
    jobs = planned(change(STUDY, lambda s: s["models"]["small"].update(members=3)), WHOLE)
    assert jobs["train_schnet"] == jobs["observe_errors"] == 4
    assert "simulate" not in jobs


def _sources(system: dict) -> None:
    system["potentials"]["bmhtf"]["source"] += "!"
    system["melting_point_K"]["source"] += "!"
    for fit in system["reference"]["density"]:
        fit["source"] += "!"
    system["reference"]["ionic_conductivity"]["source"] += "!"
    for fit in system["reference"]["self_diffusion"].values():
        fit["source"] += "!"


def _cp2k(system: dict) -> None:
    system["cp2k"]["cutoff_Ry"] = 600
    system["cp2k"]["kinds"]["Cl"]["basis_set"] = "TZVP-MOLOPT-SR-GTH"


def reversed_keys(content):
    """The same mappings with their keys the other way round, all the way down."""
    if isinstance(content, dict):
        return {key: reversed_keys(content[key]) for key in reversed(list(content))}
    return [reversed_keys(c) for c in content] if isinstance(content, list) else content


@pytest.mark.parametrize(
    "edit",
    [
        _sources,
        _cp2k,
        lambda s: s.pop("cp2k") and None,
        lambda s: s.pop("melting_point_K") and None,
    ],
    ids=["citations", "cp2k", "no cp2k", "no melting point"],
)
def test_what_no_job_uses_plans_nothing(change, edit):
    assert planned(change(SYSTEM, edit), WHOLE) == {}


def test_the_order_of_keys_plans_nothing(change):
    assert planned(change(SYSTEM, reversed_keys), WHOLE) == {}
    assert planned(change(STUDY, lambda study: dict(reversed(list(study.items())))), WHOLE) == {}


def test_an_uncertainty_plans_the_tables_and_figures_that_print_it(change):
    def wider(system):
        system["reference"]["ionic_conductivity"]["uncertainty_percent"] = 3

    jobs = {"table": 2, "figure": 1, "front_page": 1}  # the summary too
    assert planned(change(SYSTEM, wider), WHOLE) == jobs


def test_a_reference_density_plans_the_tables_and_figures_that_show_it(change):
    """Of the fit from which no run of the study takes the density of its start."""

    def denser(system):
        (fit,) = [f for f in system["reference"]["density"] if f["name"] == "Kirshenbaum 1962"]
        fit["a_g_cm3"] = 2.07

    jobs = {"table": 2, "figure": 2, "front_page": 1}
    assert planned(change(SYSTEM, denser), WHOLE) == jobs


def test_how_labels_are_reached_plans_nothing(change):
    def other(study):
        study["labels"] |= {"processes": 2, "cores": 2}

    assert planned(change(STUDY, other), WHOLE) == {}


def test_options_of_an_observable_plan_what_reads_it(change):
    jobs = planned(change(STUDY, lambda study: study["rdf"].update(bins=100)), WHOLE)
    assert set(jobs) == {"observe_rdf", *OF_MDSUITE, "table", "figure", "front_page"}


# a committee of three that grows by two frames at each size, from a pool of liquid aluminium
COMMITTEE = """
description: for tests
systems: [al]
pool: {ions: 32, temperature_K: [1400, 1200], pressure_bar: 1, density_g_cm3: 2.3, equilibration_ps: 2,
  duration_ps: 10, frames: 40, seed: 1}
test: {frames: 4, seed: 2}
validation: {frames: 2, seed: 3}
descriptors: {size: small}
selectors: {committee: {selector: disagreement, model: small, first: random}}
sizes: [4, 6, 8]
seeds: [1]
labels: {labeler: potential}
models:
  small: {size: small, members: 3, repulsion: none, training: {batch_size: 2, max_epochs: 20}}
simulations:
  nvt_1200K: {ensemble: nvt, ions: 32, temperature_K: 1200, density_g_cm3: 2.3, duration_ps: 6,
    equilibration_ps: 0.5, melt_ps: 1, sizes: [8], observables: [rdf, transport]}
rdf: {range_A: 3.9, bins: 39}
transport: {start_ps: 0.5}
"""


@pytest.mark.slow
def test_a_size_more_of_a_committee_computes_that_size_only(copy):
    """A real study of three sizes, then of four, with real labels and trainings."""
    path = copy / "config/studies/committee.yaml"
    path.write_text(COMMITTEE)
    first = snakemake(copy, "committee", "--cores", "2", "tables", seconds=800)
    assert first.status == 0, first.output[-3000:]
    made = times(copy, "committee")
    assert len([p for p in made if p.name == "compressed.npz"]) == 9
    liquid_aluminium(copy / "results/al/table/committee")
    picks = {n: picked(copy, n) for n in (4, 6, 8)}
    assert [len(picks[n]) for n in (4, 6, 8)] == [4, 2, 2]

    path.write_text(COMMITTEE.replace("sizes: [4, 6, 8]", "sizes: [4, 6, 8, 10]"))
    jobs = planned(copy, "committee", "tables")
    jobs.pop("tables")
    for rule in ("select", "label", "training_set"):
        assert jobs.pop(rule) == 1
    assert jobs.pop("train_schnet") == jobs.pop("observe_errors") == 3
    assert set(jobs) == {"table"}

    second = snakemake(copy, "committee", "--cores", "2", "tables", seconds=400)
    assert second.status == 0, second.output[-3000:]
    now = times(copy, "committee")
    assert {path: now[path] for path in made} == made
    frames = [frame for n in (4, 6, 8, 10) for frame in picked(copy, n)]
    assert len(frames) == len(set(frames)) == 10
    table = pd.read_csv(copy / "results/al/table/committee/errors.csv")
    assert sorted(zip(table["size"], table["member"], strict=True)) == [
        (size, member) for size in (4, 6, 8, 10) for member in (1, 2, 3)
    ]
    curve = pd.read_csv(copy / "results/al/table/committee/learning_curve.csv")
    assert curve["seeds"].tolist() == [1, 1, 1, 1]


def liquid_aluminium(tables: Path) -> None:
    """What MD with the embedded-atom potential and the committee's first member gave."""
    stability = pd.read_csv(tables / "stability.csv").set_index("engine")
    assert set(stability.index) == {"mendelev", "committee-n8-s1-small"}
    assert stability.loc["mendelev", "stable"]
    peaks = pd.read_csv(tables / "rdf_peaks.csv").set_index("engine")
    assert 2.6 < peaks.loc["mendelev", "peak_r_A"] < 2.9  # 2.86 A in the crystal
    diffusion = pd.read_csv(tables / "diffusion.csv").set_index("engine")
    assert 2 < diffusion.loc["mendelev", "diffusion_1e-9_m2_s"] < 20
    assert pd.read_csv(tables / "conductivity.csv").empty  # atoms without charges


def picked(copy: Path, size: int) -> list[int]:
    """Frames that a size of the committee added."""
    table = copy / f"results/al/selection/committee/committee-n{size}-s1.csv"
    return pd.read_csv(table)["frame"].tolist()


def times(copy: Path, study: str) -> dict[Path, int]:
    """When the selections, datasets and models of a study were written."""
    stages = ("selection", "label", "dataset", "model", "observable")
    files = (p for stage in stages for p in (copy / f"results/al/{stage}/{study}").rglob("*"))
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}
