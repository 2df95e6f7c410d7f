"""Selectors: order, masks, determinism, odd pools. Every entry of the registry is tested."""

from pkgutil import resolve_name

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.model.architecture import hyper_of
from minset.pool.store import read_frames, read_property, write_pool
from minset.select import SELECTORS
from minset.select.candidates import Candidates, standardised
from minset.select.descriptors import untrained_schnet
from minset.select.rnd import CHECKPOINT, METRICS
from minset.select.rnd import _train as rnd_training
from minset.select.uniform import uniform_picks, van_der_corput

ATOMS = 6


def write_random_pool(path, frames: int, seed: int = 0, scale: float = 1.0):
    """A pool whose energies and forces are random numbers."""
    rng = np.random.default_rng(seed)
    written = []
    for _ in range(frames):
        atoms = Atoms("K3Cl3", positions=rng.random((ATOMS, 3)) * 8, cell=[8] * 3, pbc=True)
        atomic = -3 + scale * rng.normal(size=ATOMS)
        forces = scale * rng.normal(size=(ATOMS, 3))
        atoms.calc = SinglePointCalculator(
            atoms, energy=atomic.sum(), forces=forces, energies=atomic
        )
        atoms.info |= {"run": 0, "time_ps": 0.0}
        written.append(atoms)
    write_pool(path, written)
    return path


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return write_random_pool(tmp_path_factory.mktemp("pool") / "pool.h5", 160)


@pytest.fixture
def candidates(pool, tmp_path):
    def make(n=60, d=16, seed=0, runs=1) -> Candidates:
        rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
        frames = np.arange(100, 100 + n)
        return Candidates(frames, rows, runs=frames % runs, pool=pool, work=tmp_path)

    return make


@pytest.fixture
def picks_from(tmp_path):
    """Picks by a selector that looks at descriptors only."""

    def picks(rows, n, selector="rnd", **options):
        frames = np.arange(len(rows))
        given = Candidates(frames, np.asarray(rows), runs=0 * frames, pool=None, work=tmp_path)
        return resolve_name(SELECTORS[selector])(given, n, 1, options)

    return picks


@pytest.fixture(params=sorted(SELECTORS))
def select(request):
    return resolve_name(SELECTORS[request.param])


def test_picks_are_distinct_candidates_in_order(select, candidates):
    table = select(candidates(), 20, 1, {})
    assert list(table["pick"]) == list(range(20))
    assert table["frame"].is_unique
    assert set(table["frame"]) <= set(range(100, 160))
    assert "score" in table


def test_same_seed_same_picks_other_seed_others(select, candidates):
    first, again = select(candidates(), 10, 1, {}), select(candidates(), 10, 1, {})
    assert list(first["frame"]) == list(again["frame"])
    assert list(first["frame"]) != list(select(candidates(), 10, 2, {})["frame"])


def test_smaller_selection_is_the_start_of_the_larger(select, candidates):
    large, small = select(candidates(), 24, 3, {}), select(candidates(), 8, 3, {})
    assert list(large["frame"][:8]) == list(small["frame"])


def test_all_candidates_can_be_picked(select, candidates):
    table = select(candidates(n=12), 12, 1, {})
    assert sorted(table["frame"]) == list(range(100, 112))


def test_identical_frames_and_constant_descriptors_are_no_trouble(select, tmp_path):
    pool = write_random_pool(tmp_path / "same.h5", 5, scale=0.0)
    frames = np.arange(5)
    same = Candidates(
        frames, np.ones((5, 4), dtype=np.float32), runs=0 * frames, pool=pool, work=tmp_path
    )
    assert sorted(select(same, 5, 1, {})["frame"]) == [0, 1, 2, 3, 4]


def test_single_run_random_stays_in_one_run(candidates):
    select = resolve_name(SELECTORS["single_run_random"])
    of_three = candidates(runs=3)
    chosen = {int(select(of_three, 15, seed, {})["frame"].mod(3).unique()[0]) for seed in range(20)}
    assert chosen == {0, 1, 2}
    assert all(select(of_three, 15, s, {})["frame"].mod(3).nunique() == 1 for s in range(9))
    with pytest.raises(ValueError, match=r"run \d of the pool has 20 candidate frames, 21 were"):
        select(of_three, 21, 1, {})


def test_fps_is_the_greedy_definition(candidates):
    given = candidates(n=80, d=5)
    x = standardised(given.descriptors)
    table = resolve_name(SELECTORS["fps"])(given, 20, 4, {})
    picks = table["frame"].to_numpy() - 100
    for k in range(1, 20):
        distance = np.linalg.norm(x[:, None] - x[picks[:k]], axis=2).min(axis=1)
        assert picks[k] == distance.argmax()
        assert table["score"][k] == pytest.approx(distance.max(), rel=1e-4)


def test_fps_takes_duplicates_last(picks_from):
    rows = np.repeat(np.random.default_rng(0).normal(size=(6, 3)), 4, axis=0)
    picks = picks_from(rows, 10, "fps")["frame"].to_numpy()
    assert len(set(picks[:6] // 4)) == 6
    assert len(set(picks)) == 10


@pytest.mark.parametrize("k", range(64))
def test_van_der_corput_members(k):
    digits = np.array([(k >> b) & 1 for b in range(8)])
    assert van_der_corput(k) == (digits / 2.0 ** np.arange(1, 9)).sum()


def test_uniform_picks_are_uniform_at_every_size():
    """Kolmogorov-Smirnov distance to the uniform distribution, for a pool that is far from it."""
    values = np.sort(np.random.default_rng(1).normal(size=20_000))
    low, high = values[0], values[-1]
    table = uniform_picks(np.arange(len(values)), [values[:, None]], 64, seed=3)
    for n in (8, 16, 32, 64):
        place = np.sort((table["score"][:n] - low) / (high - low))
        steps = np.arange(n)
        distance = max(np.abs(place - steps / n).max(), np.abs(place - (steps + 1) / n).max())
        # pools thin out in the tails: the values that exist there are taken
        assert distance < 0.1 + 1.5 / n
    drawn = np.random.default_rng(2).choice(values, 64)
    assert table["score"].std() > 2 * drawn.std()


def test_atomic_properties_find_the_frame_that_holds_the_atom(pool, candidates):
    energies = read_property(pool, "atomic_energies_eV")
    forces = read_property(pool, "force_size_eV_A")
    for name, values in (("atomic_energy", energies), ("force", forces)):
        table = resolve_name(SELECTORS[name])(candidates(), 12, 1, {})
        for pick, frame, score in zip(table["pick"], table["frame"], table["score"], strict=True):
            # species take turns: chlorine (17) first, then potassium (19)
            species = slice(3, 6) if pick % 2 == 0 else slice(0, 3)
            assert np.isclose(values[frame, species], score).any()
    table = resolve_name(SELECTORS["global_energy"])(candidates(), 12, 1, {})
    assert np.allclose(read_property(pool, "energy_eV")[table["frame"]], table["score"])


def test_frames_without_finite_values_are_left_out_counted_and_reported(capsys):
    values = np.random.default_rng(0).normal(size=(30, 4))
    values[[3, 8], [0, 2]] = np.nan, np.inf
    table = uniform_picks(np.arange(30), [values[:, :2], values[:, 2:]], 28, seed=1)
    assert not {3, 8} & set(table["frame"])
    assert "2 of 30 frames have values that are not finite" in capsys.readouterr().out
    with pytest.raises(ValueError, match="29 frames were asked for, 28 have finite values"):
        uniform_picks(np.arange(30), [values], 29, seed=1)


def test_rnd_takes_the_outlier_first_and_one_frame_of_each_cluster(picks_from):
    rng = np.random.default_rng(1)
    centers = 8.0 * rng.normal(size=(6, 12))
    rows = np.concatenate([c + 0.01 * rng.normal(size=(30, 12)) for c in centers])
    picks = picks_from(rows, 6, max_steps=2000)
    assert len(set(picks["frame"] // 30)) == 6
    outlier = np.concatenate([0.1 * rng.normal(size=(50, 12)), np.full((1, 12), 5.0)])
    assert picks_from(outlier, 1)["frame"][0] == 50


def test_rnd_training_is_bounded_and_reported(candidates):
    rnd = resolve_name(SELECTORS["rnd"])
    table = rnd(candidates(), 5, 1, {"max_steps": 7, "tolerance": 0.0})
    assert (table["training_steps"] == 7).all()
    easy = rnd(candidates(), 5, 1, {"max_steps": 5000, "tolerance": 1e-2})
    assert (easy["training_steps"] < 5000).all()


def test_rnd_first_pick_can_be_random(candidates):
    rnd = resolve_name(SELECTORS["rnd"])
    firsts = {rnd(candidates(), 1, s, {"first_pick": "random"})["frame"][0] for s in range(1, 9)}
    assert len(firsts) > 3


@pytest.mark.parametrize("metric", METRICS)
def test_picks_taken_together_are_as_many_and_apart(metric, picks_from):
    rng = np.random.default_rng(1)
    centers = 8.0 * rng.normal(size=(6, 12))
    rows = np.concatenate([c + 0.01 * rng.normal(size=(30, 12)) for c in centers])
    options = {"metric": metric, "max_steps": 2000, "picks_per_training": 5}
    picks = picks_from(rows, 6, **options)["frame"]
    assert picks.is_unique
    if metric == "euclidean":  # the diversity check keeps copies of one cluster out
        assert len(set(picks // 30)) == 6
    assert len(picks_from(rows, 40, **options)["frame"].unique()) == 40


def test_a_killed_selection_ends_like_an_undisturbed_one(candidates, monkeypatch, capsys):
    rnd = resolve_name(SELECTORS["rnd"])
    given = candidates()
    whole = rnd(given, 20, 1, {})
    monkeypatch.setattr("minset.select.rnd.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("minset.select.rnd._train", killed_after(8, rnd_training))
    with pytest.raises(KeyboardInterrupt):
        rnd(given, 20, 1, {})
    monkeypatch.setattr("minset.select.rnd._train", rnd_training)
    resumed = rnd(given, 20, 1, {})
    assert "continuing after 8 picks" in capsys.readouterr().out
    pd.testing.assert_frame_equal(whole, resumed)
    (given.work / CHECKPOINT).write_bytes(b"damaged")
    pd.testing.assert_frame_equal(whole, rnd(given, 20, 1, {}))


def killed_after(calls: int, function):
    counted = iter(range(calls + 1))

    def call(*arguments):
        if next(counted) == calls:
            raise KeyboardInterrupt
        return function(*arguments)

    return call


def test_descriptors_do_not_depend_on_origin_order_or_batch(small_pool, tmp_path):
    path = small_pool[0]
    hyper = hyper_of({"size": "small"})
    whole = untrained_schnet(path, hyper, seed=1)
    assert whole.shape == (40, 64)
    for options in ({"frames_per_batch": 3}, {"threads": 2}, {"threads": 2, "frames_per_batch": 1}):
        again = untrained_schnet(path, hyper, seed=1, **options)
        assert np.allclose(whole, again, atol=1e-5)
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
