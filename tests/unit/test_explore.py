"""Query by committee along molecular dynamics: starts, flags, what is said, kills."""

import label
import numpy as np
import pandas as pd
import pytest
import select_frames
import training_set
from ase.build import bulk
from samples import gold_committee, label_settings, read_system
from studies import alter, mistakes

from minset.config import load_study
from minset.config.schema import fill_defaults
from minset.dataset import read_dataset
from minset.md.engines import Alarm, potential_engine
from minset.md.watched import Walk, run_watched
from minset.pool.store import read_frames, write_pool
from minset.registry import defaults_of
from minset.select import SELECTORS, explore
from minset.select.candidates import OWN_FRAMES, Candidates
from minset.select.explore import select_explore
from minset.select.picks import next_picks
from minset.select.starts import STARTS, start_of

GOLD = {"species": {"Au": {"count": 1, "mass_u": 196.966569}}}
BCC = {"from": "bcc", "repeat": [2, 2, 2]}
SLAB = {"from": "fcc100", "repeat": [2, 2], "layers": 4}
METAL = "studies/demo-metal.yaml"
EXPLORE = {
    "selector": "explore",
    "model": "small",
    "starts": {"slab": {"from": "fcc100"}},
    "temperature_K": 300,
}


def complete(start: dict) -> dict:
    given = {"start": dict(start)}
    fill_defaults(given, {"properties": {"start": STARTS["additionalProperties"]}})
    return given["start"]


def options(starts, **changed) -> dict:
    short = {"duration_ps": 0.2, "check_ps": 0.02, "spacing_ps": 0.06, "temperature_K": 300}
    starts = {"starts": {name: complete(start) for name, start in starts.items()}}
    return defaults_of(SELECTORS["explore"].options) | short | starts | {"system": GOLD} | changed


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    return gold_committee(tmp_path_factory, segments=256)


@pytest.fixture
def candidates(committee, tmp_path):
    def make(**more) -> Candidates:
        numbers = np.arange(3)
        given = {"models": committee, "picked_elsewhere": 0} | more
        return Candidates(numbers, None, 0 * numbers, tmp_path / "pool.h5", tmp_path, **given)

    return make


def test_a_watched_run_has_its_temperature_and_stops_when_told():
    """Equipartition in aluminium: 32 atoms, the second half of 4 ps at 300 K; three standard errors."""
    al = read_system("al")
    al["potential"] = next(iter(al["potentials"].values()))
    start, seen = bulk("Al", "fcc", a=4.05, cubic=True).repeat(2), []

    def look(step, atoms):
        seen.append((step, atoms.get_temperature() * 96 / 93))  # the centre of mass is at rest
        return step == 4000

    walk = Walk(300.0, 1.0, steps=20, looks=1000, seed=5)
    assert run_watched(start, al, potential_engine(), walk, look) is None
    steps, temperatures = np.transpose(seen)
    assert steps.tolist() == list(range(20, 4001, 20))
    assert temperatures[100:].mean() == pytest.approx(300, abs=20)


def test_what_breaks_ends_a_watched_run_at_the_last_look():
    start, looks = bulk("Al", "fcc", a=4.05, cubic=True), []

    def attach(lmp, symbols, system):
        lmp.command("pair_style zero 0.5 nocoeff")
        lmp.command("pair_coeff * *")
        return lambda: Alarm(30, "too far") if len(looks) == 2 else None

    walk = Walk(300.0, 1.0, steps=10, looks=9, seed=1)
    broken = run_watched(
        start, read_system("al"), attach, walk, lambda step, atoms: looks.append(step)
    )
    assert broken == Alarm(30, "too far")
    assert looks == [10, 20]


def test_starts_are_what_they_say(tmp_path):
    """Gold at 4.08 A: numbers of atoms, volumes, strain, layers and the vacuum of a slab."""
    rng = np.random.default_rng(1)

    def start(**settings):
        return start_of(complete(settings), GOLD, tmp_path / "pool.h5", np.arange(2), rng)

    fcc = start(**{"from": "fcc", "strain_percent": 2})
    assert len(fcc) == 108
    assert fcc.cell[:] == pytest.approx(np.eye(3) * 3 * 4.08 * 1.02)
    bcc = start(**BCC)
    assert len(bcc) == 16
    assert bcc.cell.volume / 16 == pytest.approx(4.08**3 / 4)
    assert bcc.cell[:] == pytest.approx(np.eye(3) * bcc.cell[0, 0])
    slab = start(**SLAB)
    heights = np.unique(slab.positions[:, 2].round(6))
    assert len(slab) == 16
    assert np.diff(heights) == pytest.approx([2.04] * 3)
    assert slab.cell[2, 2] - np.ptp(heights) == pytest.approx(12)
    assert np.linalg.norm(slab.cell[0]) == pytest.approx(2 * 4.08 / np.sqrt(2))
    assert slab.pbc.all()
    write_pool(tmp_path / "pool.h5", [fcc, bcc])
    assert len(start(**{"from": "pool"})) in (108, 16)


def test_frames_are_flagged_apart_and_come_with_their_places(candidates, tmp_path, capsys):
    """Random networks disagree everywhere: walkers flag as often as the spacing allows."""
    starts = {"a": BCC, "b": SLAB}
    table = select_explore(candidates(), 4, 1, options(starts, threshold_eV_A=0.0))
    assert table["frame"].tolist() == [10, 40, 10, 40]
    assert table["time_ps"].tolist() == [0.02, 0.08, 0.02, 0.08]
    assert [origin.rpartition("/")[2] for origin in table["origin"]] == ["a-1"] * 2 + ["b-2"] * 2
    frames = read_frames(tmp_path / OWN_FRAMES)
    assert [len(frame) for frame in frames] == [16] * 4
    members = explore.Members(candidates().models, 1)
    again = [explore._disagreement(members, frame) for frame in frames]
    assert table["score"].to_numpy() == pytest.approx(again, rel=1e-3)
    assert "2 frames flagged at 0.02 ps, 0.08 ps" in capsys.readouterr().out


def test_starts_take_turns_from_round_to_round(candidates, tmp_path):
    starts = {"a": BCC, "b": SLAB}
    record, chosen = SELECTORS["explore"], options(starts, threshold_eV_A=0.0)
    for there, name in ((20, "a"), (21, "b"), (22, "a")):
        for file in tmp_path.glob("walker-*"):
            file.unlink()
        new = next_picks(record, candidates(picked_elsewhere=there), there + 1, 1, chosen)
        assert new["pick"].tolist() == [there]
        assert new["origin"][0].endswith(f"/{name}-1")


def test_a_threshold_that_is_never_or_always_reached_is_told(candidates, capsys, tmp_path):
    table = select_explore(candidates(), 2, 1, options({"a": BCC}, threshold_eV_A=50.0))
    out = capsys.readouterr().out
    assert table.empty
    assert {"pick", "origin", "frame", "score"} <= set(table)
    assert "the threshold of 50 eV/A was never reached: nothing is added" in out
    assert "disagreement at 10 checks: a tenth below " in out
    (tmp_path / "walker-1.json").unlink()
    select_explore(candidates(), 1, 1, options({"a": BCC}, threshold_eV_A=0.0))
    out = capsys.readouterr().out
    assert "each walker was above the threshold of 0 eV/A at its first check" in out
    assert "with threshold_eV_A: " in out


def test_the_last_frame_of_a_walker_that_breaks_is_flagged(candidates, capsys, tmp_path):
    """With a limit between the forces at the second check and those that come later."""
    starts = {"a": BCC}
    every = select_explore(candidates(), 2, 1, options(starts, threshold_eV_A=0.0, spacing_ps=0.02))
    second = read_frames(tmp_path / OWN_FRAMES)[1]
    (call, *_) = explore.Members(candidates().models, 1).calls(
        second.numbers, second.positions, second.cell[:]
    )
    (tmp_path / "walker-1.json").unlink()
    limit = 1.02 * float(np.abs(call.forces_eV_A).max())
    chosen = options(starts, threshold_eV_A=50.0, force_eV_A=limit)
    (row,) = select_explore(candidates(), 2, 1, chosen).itertuples()
    assert row.why == "last frame before the run broke"
    assert row.frame >= every["frame"][1]
    (flagged,) = read_frames(tmp_path / OWN_FRAMES)
    (call, *_) = explore.Members(candidates().models, 1).calls(
        flagged.numbers, flagged.positions, flagged.cell[:]
    )
    assert np.abs(call.forces_eV_A).max() <= limit
    assert f"eV/A, above {limit} eV/A" in capsys.readouterr().out


def test_a_killed_selection_goes_on_with_the_walker_that_it_was_at(
    candidates, monkeypatch, tmp_path
):
    chosen = options({"a": BCC, "b": SLAB}, threshold_eV_A=0.0, walkers=2)
    whole = select_explore(candidates(), 4, 1, chosen)
    for file in tmp_path.iterdir():
        file.unlink()
    calls = []

    def killed(*arguments):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run_watched(*arguments)

    monkeypatch.setattr(explore, "run_watched", killed)
    with pytest.raises(KeyboardInterrupt):
        select_explore(candidates(), 4, 1, chosen)
    (tmp_path / "walker-2.json").write_text('{"flags": [')  # as a damaged disk may leave it
    pd.testing.assert_frame_equal(select_explore(candidates(), 4, 1, chosen), whole)
    assert len(calls) == 6  # one whole walker was taken from the killed run


def test_a_committee_of_one_is_refused(candidates, committee):
    with pytest.raises(ValueError, match="a committee needs two members or more, this one has 1"):
        select_explore(candidates(models=committee[:1]), 1, 1, options({"a": BCC}))


WRONG = {
    "a thin vacuum": (
        {"starts": {"slab": {"from": "fcc100", "vacuum_A": 5}}},
        "starts.slab.vacuum_A: 5 A is less than the models' cutoff of 6 A",
    ),
    "another crystal": (
        {"starts": {"salt": {"from": "rocksalt100"}}},
        "starts.salt.from: rocksalt100 is none of Al; choose from fcc, hcp, bcc, fcc100,",
    ),
    "cells of a slab": (
        {"starts": {"slab": {"from": "fcc100", "repeat": [2, 2, 2]}}},
        "starts.slab.repeat: of fcc100 2 numbers of cells are needed",
    ),
    "cells of the pool": (
        {"starts": {"liquid": {"from": "pool", "repeat": [2, 2]}}},
        "starts.liquid.repeat: frames of the pool are taken as they are",
    ),
    "checks that never come": (
        {"duration_ps": 0.01},
        "duration_ps: 0.01 ps end before the first check (check_ps 0.05)",
    ),
    "checks within a step": ({"check_ps": 0.001}, "check_ps: shorter than a time step of 0.002 ps"),
}


@pytest.mark.parametrize(("changed", "told"), WRONG.values(), ids=WRONG)
def test_mistakes_are_found_before_anything_runs(changed, told, config):
    alter(config, METAL, {"selectors/committee": EXPLORE | changed})
    (found,) = mistakes(config, "demo-metal")
    assert f"selectors.committee.{told}" in found


def test_a_study_hands_the_system_to_the_selector_and_nothing_else_changes(config):
    from minset.study import Study

    alter(config, METAL, {"selectors/committee": EXPLORE})
    study = Study("demo-metal", *load_study("demo-metal", config))
    assert study.selector("committee-n4-s1") == "random"
    assert study.selector_options("committee-n4-s1", "al") == {}
    given = study.selector_options("committee-n8-s1", "al")
    assert given["system"]["species"].keys() == {"Al"}
    assert given["starts"]["slab"]["vacuum_A"] == 12
    assert not {"model", "first"} & set(given)
    assert study.descriptors_of("committee-n8-s1") == []
    assert study.committee("committee-n8-s1") == study.members("committee-n4-s1", "small")


@pytest.fixture
def rounds(committee, tmp_path):
    """Jobs of the workflow for two picks of a tiny pool and then two of the dynamics: their label tables.

    By how large a net force the labels of the second two may have; it is 1e-15 eV/A in truth.
    """
    pool, split, store = tmp_path / "pool.h5", tmp_path / "split.csv", tmp_path / "store"
    write_pool(pool, [bulk("Au", "fcc", a=a, cubic=True) for a in (4.0, 4.08, 4.16)])
    roles = {"frame": range(3), "run": 0, "role": ["candidate", "candidate", "test"]}
    pd.DataFrame(roles).to_csv(split, index=False)
    models = [folder / "compressed.npz" for folder in committee]
    settings = label_settings(read_system("au"))
    own = options({"a": BCC, "b": SLAB}, threshold_eV_A=0.0)

    def made(gate_eV_A: float) -> list:
        first, second = tmp_path / "fly-n2-s1", tmp_path / "fly-n4-s1"
        for path in (first, second):
            files = (path.with_suffix(".h5"), path.with_suffix(".csv"))
            # more than the pool has candidates
            wanted = ("random", 1, 2, {}) if path == first else ("explore", 1, 4, own)
            known = {"known": [first.with_suffix(".csv")], "models": models}
            select_frames.main(pool, split, *files, *wanted, **known if path == second else {})
            effort = {"net_force_gate_eV_A": 0.01 if path == first else gate_eV_A, "effort": {}}
            table = path.with_suffix(".labels.csv")
            label.main(*files, table, 0, 16, "potential", settings, store=store, **effort)
        return [first.with_suffix(".labels.csv"), second.with_suffix(".labels.csv")]

    return made


def test_a_round_by_the_jobs_of_the_workflow(rounds, tmp_path):
    """Picks of the dynamics, labels by the embedded-atom potential, the training set of both sizes."""
    tables = rounds(gate_eV_A=0.01)
    training_set.main(tables, tmp_path / "train.extxyz", tmp_path / "store", failed_share=0.0)
    training = read_dataset(tmp_path / "train.extxyz")
    assert [len(frame) for frame in training] == [4, 4, 16, 16]
    assert [frame.info["origin"].rpartition("/")[2] for frame in training] == [
        *["pool.h5"] * 2,
        "a-1",
        "b-2",
    ]
    assert [frame.info["frame"] for frame in training[2:]] == [10, 10]
    picks = pd.read_csv(tmp_path / "fly-n4-s1.csv")
    assert picks["pick"].tolist() == [2, 3]
    assert not (tmp_path / "fly-n4-s1").exists()  # the working folder


def test_a_round_goes_on_without_frames_that_have_no_label(rounds, tmp_path, capsys):
    """As many as the study allows; the picks stay, so that the next round looks for others."""
    tables, train = rounds(gate_eV_A=0.0), tmp_path / "train.extxyz"
    with pytest.raises(ValueError, match="2 of 4 frames have no label, the study allows 25%"):
        training_set.main(tables, train, tmp_path / "store", failed_share=0.25)
    assert not train.exists()
    training_set.main(tables, train, tmp_path / "store", failed_share=0.5)
    assert [len(frame) for frame in read_dataset(train)] == [4, 4]
    assert "/a-1 is left out: net force on the cell" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "fly-n4-s1.csv")["pick"].tolist() == [2, 3]
