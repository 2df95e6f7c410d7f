"""Selectors: order, masks, determinism, odd pools. Every entry of the registry is tested."""

from pkgutil import resolve_name

import numpy as np
import pytest

from minset.model.architecture import hyper_of
from minset.pool.store import read_frames, write_pool
from minset.select import SELECTORS
from minset.select.candidates import Candidates
from minset.select.descriptors import untrained_schnet


def candidates(n=60, d=16, seed=0) -> Candidates:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return Candidates(frames=np.arange(100, 100 + n), descriptors=rows, pool=None)


@pytest.fixture(params=sorted(SELECTORS))
def select(request):
    return resolve_name(SELECTORS[request.param])


def test_picks_are_distinct_candidates_in_order(select):
    table = select(candidates(), 20, 1, {})
    assert list(table["pick"]) == list(range(20))
    assert table["frame"].is_unique
    assert set(table["frame"]) <= set(range(100, 160))
    assert "score" in table


def test_same_seed_same_picks_other_seed_others(select):
    first, again = select(candidates(), 10, 1, {}), select(candidates(), 10, 1, {})
    assert list(first["frame"]) == list(again["frame"])
    assert list(first["frame"]) != list(select(candidates(), 10, 2, {})["frame"])


def test_smaller_selection_is_the_start_of_the_larger(select):
    large, small = select(candidates(), 24, 3, {}), select(candidates(), 8, 3, {})
    assert list(large["frame"][:8]) == list(small["frame"])


def test_all_candidates_can_be_picked(select):
    table = select(candidates(n=12), 12, 1, {})
    assert sorted(table["frame"]) == list(range(100, 112))


def test_identical_frames_and_constant_descriptors_are_no_trouble(select):
    same = Candidates(np.arange(5), np.ones((5, 4), dtype=np.float32), None)
    assert sorted(select(same, 5, 1, {})["frame"]) == [0, 1, 2, 3, 4]


def test_rnd_takes_the_outlier_first_and_one_frame_of_each_cluster():
    rnd = resolve_name(SELECTORS["rnd"])
    rng = np.random.default_rng(1)
    centers = 8.0 * rng.normal(size=(6, 12))
    rows = np.concatenate([c + 0.01 * rng.normal(size=(30, 12)) for c in centers])
    picks = rnd(Candidates(np.arange(180), rows, None), 6, 1, {"max_steps": 2000})
    assert len(set(picks["frame"] // 30)) == 6
    outlier = np.concatenate([0.1 * rng.normal(size=(50, 12)), np.full((1, 12), 5.0)])
    assert rnd(Candidates(np.arange(51), outlier, None), 1, 1, {})["frame"][0] == 50


def test_rnd_training_is_bounded_and_reported():
    rnd = resolve_name(SELECTORS["rnd"])
    table = rnd(candidates(), 5, 1, {"max_steps": 7, "tolerance": 0.0})
    assert (table["training_steps"] == 7).all()
    easy = rnd(candidates(), 5, 1, {"max_steps": 5000, "tolerance": 1e-2})
    assert (easy["training_steps"] < 5000).all()


def test_rnd_first_pick_can_be_random():
    rnd = resolve_name(SELECTORS["rnd"])
    firsts = {rnd(candidates(), 1, s, {"first_pick": "random"})["frame"][0] for s in range(1, 9)}
    assert len(firsts) > 3


def test_descriptors_do_not_depend_on_origin_order_or_batch(small_pool, tmp_path):
    path = small_pool[0]
    hyper = hyper_of({"size": "small"})
    whole = untrained_schnet(path, hyper, seed=1)
    assert whole.shape == (40, 64)
    assert np.allclose(whole, untrained_schnet(path, hyper, seed=1, frames_per_batch=3), atol=1e-5)
    assert not np.allclose(whole, untrained_schnet(path, hyper, seed=2), atol=1e-2)
    moved = []
    for frame in read_frames(path, range(4)):
        calculator = frame.calc
        frame.positions += [1.0, 7.0, -3.0]
        frame.wrap()
        frame.calc = calculator
        moved.append(frame)
    write_pool(tmp_path / "moved.h5", moved)
    assert np.allclose(whole[:4], untrained_schnet(tmp_path / "moved.h5", hyper, seed=1), atol=1e-5)
