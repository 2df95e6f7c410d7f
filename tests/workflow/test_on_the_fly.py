"""Training on the fly through the real workflow: three rounds of gold, killed in one of them."""

import time
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import pytest
from running import kill, planned, snakemake, start

FRAMES = "results/published/au-on-the-fly-laptop/fcc.extxyz"
# a committee of two that disagrees everywhere, so that each round flags its frame
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
    model: small
    starts: {{slab: {{from: fcc100, repeat: [2, 2], layers: 4}}, bcc: {{from: bcc, repeat: [2, 2, 2]}}}}
    temperature_K: 100
    threshold_eV_A: 0
    duration_ps: 0.2
sizes: [3, 4, 5, 6]
seeds: [1]
labels: {{labeler: potential}}
models:
  small: {{size: small, members: 2, repulsion: none, training: {{batch_size: 2, max_epochs: 3}}}}
simulations: {{}}
"""


@pytest.fixture
def gold(copy) -> Path:
    (copy / "config/studies/fly.yaml").write_text(GOLD)
    return copy


def test_a_round_is_a_size_more(gold):
    """A first size at random and three rounds: each selects, labels, and trains both members."""
    jobs = planned(gold, "fly", "tables")
    assert jobs["select"] == jobs["training_set"] == 4
    assert jobs["train_schnet"] == 8
    assert jobs["label"] == 5  # with the frames that are held out
    assert "start" not in jobs


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_three_rounds_on_the_fly_killed_once(gold):
    """Frames come from both starts, have labels, and go into training alone; a kill loses nothing."""
    target = "results/au/dataset/fly/fly-n6-s1/train.extxyz"
    second = gold / "results/au/selection/fly/fly-n4-s1.csv"
    killed = start(gold, "snakemake", "--cores", "2", target, "--config", "study=fly")
    try:
        while not second.exists():
            assert killed.poll() is None, killed.communicate()[0][-3000:]
            time.sleep(0.2)
    finally:
        kill(killed)
    before = {path: path.read_bytes() for path in second.parent.glob("fly-n[34]-s1.csv")}
    assert snakemake(gold, "fly", "--unlock", seconds=300).status == 0
    arguments = ("--cores", "2", "--rerun-incomplete", target)
    done = snakemake(gold, "fly", *arguments, seconds=3000)
    assert done.status == 0, done.output[-3000:]
    assert {path: path.read_bytes() for path in before} == before

    tables = [second.with_name(f"fly-n{n}-s1.csv") for n in (3, 4, 5, 6)]
    table = pd.concat([pd.read_csv(path) for path in tables])
    assert table["pick"].tolist() == list(range(6))
    origins = [Path(origin) for origin in table["origin"][3:]]
    # starts take turns: the first three frames are of the pool
    assert [origin.name for origin in origins] == ["slab-1", "bcc-1", "slab-1"]
    assert [origin.parent.name for origin in origins] == [f"fly-n{n}-s1-small" for n in (3, 4, 5)]
    assert (table["score"][3:] > 0).all()
    training = ase.io.read(gold / target, ":")
    assert [frame.info["origin"] for frame in training] == table["origin"].tolist()
    assert [len(frame) for frame in training] == [32, 32, 32, 16, 16, 16]
    assert all(np.isfinite(frame.get_forces()).all() for frame in training)
    models = gold / "results/au/model/fly"
    assert sorted(path.name for path in models.iterdir()) == sorted(
        f"fly-n{n}-s1-small{member}" for n in (3, 4, 5) for member in ("", "-m2")
    )
    assert planned(gold, "fly", target) == {}
