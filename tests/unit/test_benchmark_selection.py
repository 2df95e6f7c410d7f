"""The benchmark of selection: what it compares with, and a run of it."""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from minset.pool.store import read_frames
from minset.select.candidates import Candidates

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def contestants(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("contestants_selection")


@pytest.fixture
def measurement(contestants):
    return import_module("measure_selection")


def test_coverage_is_the_distance_to_the_nearest_pick(measurement):
    x = np.random.default_rng(0).normal(size=(9000, 7)).astype(np.float32)
    picks = [5, 8000, 17, 5]
    expected = cdist(x, x[picks]).min(axis=1)
    assert np.allclose(measurement.coverage(x, picks), expected, atol=2e-3)


def test_the_reference_learns_what_it_picked(contestants, tmp_path):
    """The outlier first, then other clusters: trained on a pick, the predictor knows its neighbours."""
    rng = np.random.default_rng(1)
    centers = 8.0 * rng.normal(size=(4, 12))
    rows = np.concatenate([c + 0.01 * rng.normal(size=(30, 12)) for c in centers])
    frames = np.arange(1000, 1120)
    given = Candidates(frames, rows, runs=0 * frames, pool=None, work=tmp_path)
    picks = contestants.reference_rnd(given, 40, 1, {})["frame"].to_numpy()
    assert len(set((picks - 1000) // 30)) == 4


def test_large_pools_are_made_of_distinct_frames_like_those_of_the_small_one(
    measurement, small_pool, tmp_path
):
    shutil.copy(small_pool[0], tmp_path / "pool.h5")
    made = read_frames(measurement.large_pool(tmp_path, 90))
    base = read_frames(tmp_path / "pool.h5")
    assert len(made) == 90
    assert len({atoms.positions.tobytes() for atoms in made}) == 90
    for k in (0, 41, 85):
        old = base[k % len(base)]
        assert made[k].numbers.tolist() == old.numbers.tolist()
        scale = made[k].cell.cellpar()[:3] / old.cell.cellpar()[:3]
        assert np.allclose(scale, scale[0])
        assert 0.97 <= scale[0] <= 1.03
        moved = made[k].positions - old.positions * scale[0]
        assert 0 < moved.std() < 0.25


def test_selection_is_measured_and_reported(contestants, small_pool, tmp_path):
    shutil.copy(small_pool[0], tmp_path / "pool.h5")
    keys = ("cpu", "cores", "memory_GB", "os", "python", "date")
    (tmp_path / "machine.json").write_text(json.dumps(dict.fromkeys(keys, 1) | {"versions": {}}))
    plan = {"threads": 1, "results": str(tmp_path), "work": str(tmp_path)}
    plan["selection"] = {"frames": [50], "picks": 6, "budget_s": 0.1}
    for script in ("measure_selection", "report"):
        command = [sys.executable, f"{script}.py", json.dumps(plan)]
        environment = os.environ | {"PYTHONPATH": str(BENCHMARKS.parents[1] / "workflow")}
        subprocess.run(command, cwd=BENCHMARKS, env=environment, check=True)
    table = pd.read_csv(tmp_path / "selection.csv").set_index("contestant")
    assert set(table.index) == set(contestants.DESCRIBED_BY)
    assert (table["selection_s"] > 0).all()
    assert (table["selection_memory_MB"] > 50).all()
    assert ((table["descriptors_s"] > 0) == (table.index != "random")).all()
    assert (table["distinct_picks"].drop("ZnNL's rnd") == 6).all()
    assert table.loc["fps", "largest_distance"] <= table.loc["random", "largest_distance"]
    assert "| 50 | 6 | entropy_gain |" in (tmp_path / "README.md").read_text()
