"""Published test frames and picks: the same rows, or a refusal that says what differs."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from ase import Atoms
from studies import alter, config  # noqa: F401

from minset.files import file_hash, write_json
from minset.label.store import label_key, label_path, read_label, write_label
from minset.pool.store import read_frames, write_pool
from minset.published.card import BEGIN, END, card_text
from minset.published.decides import (
    decides_labels,
    decides_selector,
    decides_split,
    of_jobs,
    without_labeler,
)
from minset.published.frames import published_frames
from minset.published.orders import ORDER, held_out_roles, pool_hash, published_picks, read_orders
from minset.published.publish import publish, results_of
from minset.published.taking import take_labels
from minset.sets import write_set
from minset.study import canonical, read_study

FOLDER = Path("results/published/tiny")
POOL, SELECTION = Path("results/kcl/pool/tiny/pool.h5"), Path("results/kcl/selection/tiny")
STUDY = """
description: for tests
systems: [kcl]
pool: {generator: files, path: pool.extxyz}
published: results/published/tiny
test: {frames: 2, seed: 2}
validation: {frames: 1, seed: 3}
descriptors: {size: small}
selectors: {random: {}, far: {selector: fps}, committee: {selector: disagreement, model: small}}
sizes: [2, 4]
seeds: [1]
labels: {labeler: potential, settings: {potential: bmhtf}}
models:
  small: {size: small, members: 2}
simulations: {}
"""
ROLES = ["test", "candidate", "validation", *["candidate"] * 6, "test", *["candidate"] * 10]
SETS = {
    "random-n2-s1": [5, 3],
    "random-n4-s1": [8, 12],
    "far-n2-s1": [4, 19],
    "far-n4-s1": [7, 1],
    "committee-n2-s1": [5, 3],
    "committee-n4-s1": [18],
}


def write_study(**changes) -> None:
    Path("config/studies/tiny.yaml").write_text(yaml.safe_dump(yaml.safe_load(STUDY) | changes))


def tiny():
    return read_study("tiny", Path("config"), say=lambda line: None)


def roles() -> pd.DataFrame:
    return pd.DataFrame({"frame": range(20), "run": 0, "role": ROLES})


def chosen(study, name: str, frames: list[int], extra: pd.DataFrame) -> None:
    """A set as its job leaves it."""
    rows = pd.DataFrame({"origin": str(POOL), "frame": frames}).join(extra)
    table = SELECTION / f"{name}.csv"
    write_set(table.with_suffix(".h5"), table, read_frames(POOL, frames), rows)
    parameters = {"test": study.settings["test"], "validation": study.settings["validation"]}
    made = SELECTION / "split.csv"
    if name != "held_out":
        made = table.with_suffix(".h5")
        parameters = {"selector": study.selector(name), "options": study.selector_options(name)}
    meta = {"parameters": canonical(parameters), "inputs_sha256": {str(POOL): file_hash(POOL)}}
    write_json(made.with_name(f"{made.name}.meta.json"), meta)


@pytest.fixture
def study(tmp_path, monkeypatch, config):  # noqa: F811
    """A study of 20 frames whose sets are chosen, and whose labels but one are there."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    grid = np.array([[x, y, z] for x in (0, 3) for y in (0, 3) for z in (0, 3)], float)
    frames = [
        Atoms("KClClKClKKCl", grid + rng.normal(size=(8, 3)) * 0.2, cell=[6.2] * 3, pbc=True)
        for _ in range(20)
    ]
    write_pool(POOL, frames)
    Path("pool.extxyz").write_text("there")
    write_study()
    study = tiny()
    apart = [n for n, role in enumerate(ROLES) if role != "candidate"]
    extra = pd.DataFrame({"run": 0, "role": [ROLES[n] for n in apart]})
    chosen(study, "held_out", apart, extra)
    first = 0
    for name, picked in SETS.items():
        first = first if "n4" in name else 0
        score = rng.random(len(picked)) if "random" not in name else np.nan
        extra = pd.DataFrame({"pick": range(first, first + len(picked)), "score": score})
        if name == "committee-n4-s1":
            extra["unit"] = "eV/A"
        chosen(study, name, picked, extra)
        first += len(picked)
    settings = study.label_settings("kcl")
    for number in sorted({*apart, *itertools.chain(*SETS.values())} - {18}):
        store_label(study, read_frames(POOL, [number])[0], settings)
    return study


def store_label(study, atoms: Atoms, settings: dict) -> None:
    from minset.label.store import Label

    decides = study.labeler.physics(settings, atoms)
    provenance = {"labeler": "potential", "settings": decides, "seconds": 3.5}
    provenance |= {"net_force_eV_A": 0.0, "version": "LAMMPS"}
    key = label_key(atoms, "potential", decides)
    label = Label(key, atoms, -1 / 3, np.full((8, 3), 1 / 7), np.eye(3) / 9, provenance)
    write_label(Path("results/kcl/label/store"), label)


@pytest.fixture
def orders(study):
    publish(results_of(study, "kcl"))
    return read_orders(FOLDER)


def picks(orders, name: str, known: dict, study=None, by_size: bool = False, **more):
    study = study or tiny()
    decides = decides_selector(study, name.partition("-")[0], "kcl")
    given = {"pool": POOL, "roles": roles()} | more
    return published_picks(orders, name, known, decides=decides, by_size=by_size, **given)


def test_test_and_validation_frames_come_back(orders):
    found = held_out_roles(orders, POOL, decides_split(tiny()))
    assert found == {0: "test", 2: "validation", 9: "test"}


def test_the_table_of_a_set_comes_back_to_the_byte(orders):
    for name, known in [("far-n2-s1", {}), ("far-n4-s1", {"far-n2-s1": [4, 19]})]:
        table = picks(orders, name, known)
        assert table.pop("key").isin(orders.rows["key"]).all()
        table.insert(0, "origin", str(POOL))
        before = pd.read_csv(SELECTION / f"{name}.csv", dtype=str, keep_default_na=False)
        assert table[before.columns].to_csv(index=False) == before.to_csv(index=False)
    assert list(picks(orders, "random-n2-s1", {})) == ["pick", "frame", "score", "key"]


def test_an_order_serves_sizes_between_those_published(orders):
    assert picks(orders, "far-n3-s1", {})["frame"].tolist() == [4, 19, 7]
    assert picks(orders, "far-n4-s1", {"far-n3-s1": [4, 19, 7]})["frame"].tolist() == [1]


def test_picks_that_models_decided_are_those_of_their_size(orders):
    known = {"committee-n2-s1": [5, 3]}
    table = picks(orders, "committee-n4-s1", known, by_size=True)
    assert table["frame"].tolist() == [18]
    assert table["unit"].tolist() == ["eV/A"]
    assert picks(orders, "committee-n3-s1", known, by_size=True) is None
    with pytest.raises(ValueError, match=r"sizes \[2, 4\], the study has \[4\]"):
        picks(orders, "committee-n4-s1", {}, by_size=True)


@pytest.mark.parametrize("name", ["far-n6-s1", "far-n2-s2", "other-n2-s1"])
def test_what_is_not_published_is_computed(orders, name):
    write_study(selectors={"other": {"selector": "random"}, "far": {"selector": "fps"}})
    assert picks(orders, name, {}) is None


def test_frames_of_no_pool_come_back_by_their_labels(study):
    """As a selector takes them from a trajectory that a model made."""
    atoms = read_frames(POOL, [13, 15])
    for image in atoms:
        image.positions += 1 / 3
        store_label(study, image, study.label_settings("kcl"))
    table = SELECTION / "committee-n4-s1.csv"
    extra = {"pick": [2, 3], "score": [0.1, 0.2], "unit": "eV/A"}
    rows = pd.DataFrame({"origin": "trajectory.lammpstrj", "frame": [70, 3]} | extra)
    write_set(table.with_suffix(".h5"), table, atoms, rows)
    publish(results_of(study, "kcl"))
    known = {"committee-n2-s1": [5, 3]}
    found = picks(read_orders(FOLDER), "committee-n4-s1", known, by_size=True)
    keys = found.pop("key").tolist()
    text = found[rows.columns].to_csv(index=False)
    assert text == table.read_text()
    for frame, image in zip(published_frames(FOLDER, keys), atoms, strict=True):
        assert np.array_equal(frame.positions, image.positions)
        assert np.array_equal(frame.cell, image.cell)
    with pytest.raises(
        ValueError, match="neither label nor failure of 0000, a frame that is in no"
    ):
        published_frames(FOLDER, ["0000"])


def test_a_folder_without_orders_is_none(tmp_path):
    assert read_orders(tmp_path / "nothing") is None


def test_other_options_are_refused_with_both_values(orders):
    write_study(test={"frames": 3, "seed": 2}, descriptors={"size": "medium"})
    with pytest.raises(ValueError, match=r"published with test\.frames 2, the study has 3: set it"):
        held_out_roles(orders, POOL, decides_split(tiny()))
    with pytest.raises(ValueError, match=r"descriptors\.size small, the study has medium"):
        picks(orders, "far-n2-s1", {})
    assert len(picks(orders, "random-n2-s1", {})) == 2  # looks at no descriptors
    write_study(selectors={"random": {"selector": "fps"}})
    with pytest.raises(ValueError, match=r"selectors\.random\.selector random, the study has fps"):
        picks(orders, "random-n2-s1", {})
    write_study(models={"small": {"size": "small", "members": 3}})
    with pytest.raises(ValueError, match=r"models.small.members 2, the study has 3"):
        picks(orders, "committee-n4-s1", {"committee-n2-s1": [5, 3]}, by_size=True)


def test_another_order_of_the_pool_is_refused(orders):
    frames = read_frames(POOL)
    other = POOL.with_name("other.h5")
    write_pool(other, [*frames[1:], frames[0]])
    assert pool_hash(other) != pool_hash(POOL)
    with pytest.raises(ValueError, match=r"is not the pool of .* take the published one"):
        held_out_roles(orders, other, decides_split(tiny()))
    with pytest.raises(ValueError, match="is not the pool of"):
        picks(orders, "far-n2-s1", {}, pool=other)


def test_other_test_frames_are_refused(orders):
    other = roles()
    other.loc[1, "role"] = "test"
    with pytest.raises(ValueError, match="--forcerun split"):
        picks(orders, "far-n2-s1", {}, roles=other)


def test_other_smaller_sizes_are_refused(orders):
    with pytest.raises(ValueError, match=r"not the first picks of .*far-n2-s1.csv"):
        picks(orders, "far-n4-s1", {"far-n2-s1": [4, 18]})


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("about.json", lambda text: text[:-40]),
        ("about.json", lambda text: text.replace("published-1", "published-9")),
        ("selection.csv", lambda text: text[: len(text) // 2]),
    ],
)
def test_damage_is_told_with_the_remedy(orders, file, change):
    path = FOLDER / file
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match="git checkout"):
        read_orders(FOLDER)


def test_jobs_get_what_decides_only_where_something_is_published(study):
    assert set(of_jobs(study)["kcl"]) == {"folder", "split", "labels", "selectors", "certificates"}
    content = yaml.safe_load(STUDY)
    del content["published"]
    Path("config/studies/tiny.yaml").write_text(yaml.safe_dump(content))
    assert of_jobs(tiny()) == {}


def test_the_labeler_is_needed_until_all_is_published(study, orders):
    assert orders.about["frames"] == {"labelled": 11, "failed": 0, "missing": 1}
    assert not without_labeler(study)
    store_label(study, read_frames(POOL, [18])[0], study.label_settings("kcl"))
    publish(results_of(study, "kcl"))
    assert without_labeler(study)
    table = Path("results/kcl/label/tiny/held_out/part-0.csv")
    table.parent.mkdir(parents=True)
    table.write_text("key,reused\nabc,True\n")
    assert without_labeler(study)
    table.write_text("key,reused\nabc,False\n")
    assert not without_labeler(study)  # jobs keep the environment that they had
    table.unlink()
    write_study(labels={"labeler": "potential", "settings": {"potential": "bmhtf-published-sign"}})
    assert not without_labeler(tiny())


def test_frames_that_are_not_published_are_refused_too_if_settings_differ(study, orders):
    write_study(labels={"labeler": "potential", "settings": {"potential": "bmhtf-published-sign"}})
    other, new = tiny(), read_frames(POOL, [11])
    given = new, other.labeler, other.label_settings("kcl"), Path("results/kcl/label/store")
    said = r"labels\.settings\.potential\.published_sign false, the study has true: set it equal"
    with pytest.raises(ValueError, match=said):
        take_labels(FOLDER, *given, decides=decides_labels(other, "kcl"))
    own = new, study.labeler, study.label_settings("kcl"), Path("results/kcl/label/store")
    assert take_labels(FOLDER, *own, decides=decides_labels(study, "kcl")) == 0


def test_a_label_that_was_published_stays_where_the_store_lacks_it(study, orders):
    before = (FOLDER / "labels.extxyz").read_bytes()
    for key in orders.rows["key"].unique()[:4]:
        label_path(Path("results/kcl/label/store"), key).unlink(missing_ok=True)
    publish(results_of(study, "kcl"))
    assert (FOLDER / "labels.extxyz").read_bytes() == before


def test_a_label_that_was_published_stays_where_the_store_has_another(study, orders):
    store, key = Path("results/kcl/label/store"), orders.rows["key"].iloc[0]
    before = (FOLDER / "labels.extxyz").read_bytes()
    found = read_label(store, key)
    label_path(store, key).unlink()
    write_label(store, replace(found, energy_eV=found.energy_eV + 1e-9))
    publish(results_of(study, "kcl"))
    assert (FOLDER / "labels.extxyz").read_bytes() == before


def test_publishing_what_lacks_published_sets_is_refused(study, orders):
    (SELECTION / "far-n4-s1.csv").unlink()
    with pytest.raises(ValueError, match="has far-n4-s1, which the results here lack"):
        results_of(study, "kcl")


def test_sets_of_an_earlier_form_of_the_study_are_left_out(study):
    write_study(test={"frames": 3, "seed": 2})
    lines = []
    results = results_of(tiny(), "kcl", lines.append)
    assert "held_out" not in results.rows
    assert lines[0].startswith("held_out was chosen by an earlier form of the study")


def test_the_card_keeps_what_people_wrote(study):
    results = results_of(study, "kcl")
    card = card_text(None, results)
    assert card == card_text(card, results)
    assert "11 labelled frames of kcl: 2 for tests, 1 for validation" in card
    assert "Labelling is not finished: frames that are chosen and have no label yet, 1." in card
    mine = card.replace("for tests\n", "My words.\n", 1) + "\nMore words.\n"
    assert card_text(mine, results) == mine
    assert card_text("Only mine.\n", results).startswith(f"Only mine.\n\n{BEGIN}\n")
    with pytest.raises(ValueError, match="one is missing"):
        card_text(card.replace(END, ""), results)


def test_the_files_are_plain_and_sorted_by_nothing_that_changes(study, orders):
    first = {name: (FOLDER / name).read_bytes() for name in ("about.json", ORDER, "labels.extxyz")}
    publish(results_of(study, "kcl"))
    assert first == {name: (FOLDER / name).read_bytes() for name in first}
    assert json.loads(first["about.json"])["sets"]["committee-n4-s1"] == 1
