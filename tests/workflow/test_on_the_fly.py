"""Training in rounds through the real workflow: each loop three rounds of gold, killed in one of them."""

import time
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import pytest
from running import kill, planned, snakemake, start

from minset.potential.eam import found

FRAMES = "results/published/au-on-the-fly-laptop/fcc.extxyz"
# committees of two that disagree everywhere, so that each round has its frame
GOLD = f"""
description: for tests
systems: [au]
pool: {{generator: files, path: {FRAMES}}}
test: {{frames: 2, seed: 2}}
validation: {{frames: 2, seed: 3}}
descriptors: {{size: small}}
selectors:
  fly:
    selector: explore
    model: tiny
    starts: {{slab: {{from: fcc100, repeat: [2, 2], layers: 4}}, bcc: {{from: bcc, repeat: [2, 2, 2]}}}}
    temperature_K: 100
    threshold_eV_A: 0
    duration_ps: 0.2
  distil: {{selector: disagreement, model: tiny}}
sizes: [3, 4, 5, 6]
seeds: [1]
labels: {{labeler: potential}}
models:
  tiny: {{model: acsf, radial: 6, angular: 2, sections: 2, hidden: [8], members: 2, repulsion: none,
    training: {{batch_size: 2, max_epochs: 3}}}}
simulations: {{}}
"""
POTENTIAL = "Au_u3.eam"


@pytest.fixture(scope="module")
def gold(copy) -> Path:
    (copy / "config/studies/rounds.yaml").write_text(GOLD)
    return copy


def test_a_round_is_a_size_more(gold):
    """A first size at random and three rounds: each selects, labels, and trains both members."""
    target = "results/au/dataset/rounds/fly-n6-s1/train.extxyz"
    jobs = planned(gold, "rounds", target)
    assert (jobs["select"], jobs["label"]) == (4, 5)  # with the frames that are held out
    assert jobs["train_acsf"] == 6  # the last size needs none to be chosen
    assert "start" not in jobs


def from_walkers(picks: pd.DataFrame, training: list) -> None:
    """Frames of the dynamics of the size before, starts in turn; the first three are of the pool."""
    origins = [Path(origin) for origin in picks["origin"][3:]]
    assert [origin.name for origin in origins] == ["slab-1", "bcc-1", "slab-1"]
    assert [origin.parent.name for origin in origins] == [f"fly-n{n}-s1-tiny" for n in (3, 4, 5)]
    assert [len(frame) for frame in training] == [32, 32, 32, 16, 16, 16]


def from_the_pool(picks: pd.DataFrame, training: list) -> None:
    assert picks["frame"].is_unique
    assert {Path(origin).name for origin in picks["origin"]} == {"pool.h5"}
    assert [len(frame) for frame in training] == [32] * 6


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("loop", "expected"), [("fly", from_walkers), ("distil", from_the_pool)])
def test_three_rounds_killed_once(loop, expected, gold):
    """A kill loses nothing; frames have labels and go into training alone."""
    target = f"results/au/dataset/rounds/{loop}-n6-s1/train.extxyz"
    second = gold / f"results/au/selection/rounds/{loop}-n4-s1.csv"
    killed = start(gold, "snakemake", "--cores", "2", target, "--config", "study=rounds")
    try:
        while not second.exists():
            assert killed.poll() is None, killed.communicate()[0][-3000:]
            time.sleep(0.2)
    finally:
        kill(killed)
    before = {path: path.read_bytes() for path in second.parent.glob(f"{loop}-n[34]-s1.csv")}
    assert snakemake(gold, "rounds", "--unlock", seconds=300).status == 0
    done = snakemake(gold, "rounds", "--cores", "2", "--rerun-incomplete", target, seconds=3000)
    assert done.status == 0, done.output[-3000:]
    assert {path: path.read_bytes() for path in before} == before

    tables = [second.with_name(f"{loop}-n{n}-s1.csv") for n in (3, 4, 5, 6)]
    picks = pd.concat([pd.read_csv(path) for path in tables])
    assert picks["pick"].tolist() == list(range(6))
    assert (picks["score"][3:] > 0).all()
    training = ase.io.read(gold / target, ":")
    expected(picks, training)
    assert [frame.info["origin"] for frame in training] == picks["origin"].tolist()
    assert all(np.isfinite(frame.get_forces()).all() for frame in training)
    models = (gold / "results/au/model/rounds").glob(f"{loop}-*")
    assert sorted(path.name for path in models) == sorted(
        f"{loop}-n{n}-s1-tiny{member}" for n in (3, 4, 5) for member in ("", "-m2")
    )
    assert planned(gold, "rounds", target) == {}
    other_potential_other_rounds(gold, target)


def other_potential_other_rounds(gold: Path, target: str) -> None:
    """With other content of the file no label of before counts, so no round does."""
    own = gold / POTENTIAL
    own.write_text(found(POTENTIAL).read_text().replace("\n", " changed\n", 1))
    jobs = planned(gold, "rounds", target)
    assert (jobs["label"], jobs["select"], jobs["train_acsf"]) == (5, 3, 6)
    own.unlink()
    assert planned(gold, "rounds", target) == {}
