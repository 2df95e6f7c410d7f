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
TABLES = "results/au/table/fly"


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
def test_three_rounds_on_the_fly_killed_once(gold):
    """Frames come from both starts, have labels, and go into training alone; a kill loses nothing."""
    second = gold / "results/au/selection/fly/fly-n5-s1.csv"
    killed = start(gold, "snakemake", "--cores", "2", "tables", "--config", "study=fly")
    try:
        while not second.exists():
            assert killed.poll() is None, killed.communicate()[0][-3000:]
            time.sleep(0.2)
    finally:
        kill(killed)
    before = {path: path.read_bytes() for path in second.parent.glob("fly-n[345]-s1.csv")}
    made = list((gold / "results/au/model/fly").rglob("compressed.npz"))
    assert len(made) >= 4
    assert snakemake(gold, "fly", "--unlock", seconds=120).status == 0
    done = snakemake(gold, "fly", "--cores", "2", "--rerun-incomplete", "tables", seconds=1500)
    assert done.status == 0, done.output[-3000:]
    assert {path: path.read_bytes() for path in before} == before

    table = pd.read_csv(gold / TABLES / "selection.csv")
    assert table["pick"].tolist() == list(range(6))
    added = table.iloc[3:]
    walkers = [Path(origin).name for origin in added["origin"]]
    assert walkers == ["bcc-1", "slab-1", "bcc-1"] or walkers == ["slab-1", "bcc-1", "slab-1"]
    models = [Path(origin).parent.name for origin in added["origin"]]
    assert models == [f"fly-n{n}-s1-small" for n in (3, 4, 5)]
    assert (added["score"] > 0).all()
    training = ase.io.read(gold / "results/au/dataset/fly/fly-n6-s1/train.extxyz", ":")
    assert len(training) == 6
    assert [frame.info["origin"] for frame in training[3:]] == added["origin"].tolist()
    assert all(np.isfinite(frame.get_forces()).all() for frame in training)
    for role in ("validation", "test"):
        frames = ase.io.read(gold / f"results/au/dataset/fly/{role}.extxyz", ":")
        assert {frame.info["origin"] for frame in frames} == {"results/au/pool/fly/pool.h5"}
    errors = pd.read_csv(gold / TABLES / "errors.csv")
    assert sorted(errors["size"].unique()) == [3, 4, 5, 6]
    assert errors.groupby("size")["member"].nunique().tolist() == [2] * 4
    assert planned(gold, "fly", "tables") == {}
