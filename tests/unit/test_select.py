"""Selectors: order, masks, determinism, odd pools. Every entry of the registry is tested."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from quests.compression.fps import msc_conditional
from quests.descriptor import get_descriptors, get_descriptors_multicomponent
from quests.entropy import entropy
from samples import write_random_pool

from minset.descriptor import DESCRIPTORS
from minset.pool.store import read_frames, read_property, write_pool
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.candidates import Candidates, read_atoms, standardised
from minset.select.environments import described_environments, environments
from minset.select.grid import one_of_each
from minset.select.novelty import CHECKPOINT, METRICS
from minset.select.novelty import train as rnd_training
from minset.select.picks import next_picks
from minset.select.record import Selector
from minset.select.uniform import uniform_picks, van_der_corput

ATOMS = 6  # of the frames of write_random_pool

OF_FRAMES = {"atoms": False}
OPTIONS = {"rnd": OF_FRAMES}  # what a selector needs to do with one descriptor per frame


def options_of(name: str, **changed) -> dict:
    return defaults_of(SELECTORS[name].options) | changed


def select_by(name: str, candidates: Candidates, n: int, seed: int, **options) -> pd.DataFrame:
    return SELECTORS[name].select(candidates, n, seed, options_of(name, **options))


def looks_at_models(name: str) -> bool:
    return bool({"models", "certificate"} & SELECTORS[name].needs(options_of(name)))


ONE_SHOT = sorted(name for name in SELECTORS if not looks_at_models(name))


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return write_random_pool(tmp_path_factory.mktemp("pool") / "pool.h5", 160)


@pytest.fixture
def candidates(pool, tmp_path):
    def make(n=60, d=16, seed=0, runs=1) -> Candidates:
        rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
        frames = np.arange(100, 100 + n)
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        return Candidates(frames, rows, runs=frames % runs, pool=pool, work=work)

    return make


@pytest.fixture
def picks_from(tmp_path):
    """Picks by a selector that looks at descriptors only."""

    def picks(rows, n, selector="rnd", **options):
        options = OPTIONS.get(selector, {}) | options
        frames = np.arange(len(rows))
        given = Candidates(frames, np.asarray(rows), runs=0 * frames, pool=None, work=tmp_path)
        return select_by(selector, given, n, 1, **options)

    return picks


@pytest.fixture(params=ONE_SHOT)
def select(request):
    def call(candidates, n, seed, options):
        options = OPTIONS.get(request.param, {}) | options
        return select_by(request.param, candidates, n, seed, **options)

    return call


def test_identical_frames_and_constant_descriptors_are_no_trouble(select, tmp_path):
    pool = write_random_pool(tmp_path / "same.h5", 5, scale=0.0)
    frames = np.arange(5)
    same = Candidates(
        frames, np.ones((5, 4), dtype=np.float32), runs=0 * frames, pool=pool, work=tmp_path
    )
    assert sorted(select(same, 5, 1, {})["frame"]) == [0, 1, 2, 3, 4]


def test_single_run_random_stays_in_one_run(candidates):
    select = SELECTORS["single_run_random"].select
    of_three = candidates(runs=3)
    chosen = {int(select(of_three, 15, seed, {})["frame"].mod(3).unique()[0]) for seed in range(20)}
    assert chosen == {0, 1, 2}
    assert all(select(of_three, 15, s, {})["frame"].mod(3).nunique() == 1 for s in range(9))
    with pytest.raises(ValueError, match=r"run \d of the pool has 20 candidate frames, 21 were"):
        select(of_three, 21, 1, {})


def test_fps_is_the_greedy_definition(candidates):
    given = candidates(n=80, d=5)
    x = standardised(given.descriptors)
    table = select_by("fps", given, 20, 4)
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


def test_cells_of_a_grid_take_turns():
    """Three cells with 60, 5 and 1 frames: one of each, then of those that have more."""
    cells = np.repeat([7, 3, 90], [60, 5, 1])
    orders = [one_of_each(cells, np.random.default_rng(seed)) for seed in range(200)]
    for order in orders:
        assert sorted(order) == list(range(66))
        assert sorted(cells[order[:3]]) == [3, 7, 90]
        assert all(sorted(cells[order[k : k + 2]]) == [3, 7] for k in range(3, 11, 2))
    # a populous cell is no more likely to come first; 200 draws of 1/3 have a deviation of 6.7
    assert np.bincount([cells[order[0]] for order in orders])[[3, 7, 90]] == pytest.approx(
        [200 / 3] * 3, abs=27
    )


def test_a_grid_spreads_picks_over_energies_and_volumes(tmp_path):
    """Frames crowded in one corner: the picks are not."""
    rng, frames = np.random.default_rng(3), []
    for energy, edge in zip(rng.beta(1, 8, 400), rng.beta(1, 8, 400), strict=True):
        atoms = Atoms("K", cell=[4 + edge] * 3, pbc=True)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((1, 3)))
        frames.append(atoms)
    write_pool(tmp_path / "pool.h5", frames)
    numbers = np.arange(400)
    given = Candidates(numbers, None, 0 * numbers, tmp_path / "pool.h5", tmp_path)
    table = select_by("grid", given, 40, 1, energy_bins=5, volume_bins=4)
    energies = np.array([frame.get_potential_energy() for frame in frames])
    volumes = np.array([frame.cell.volume for frame in frames])
    chosen = table["frame"].to_numpy()
    assert table["score"].to_numpy() == pytest.approx(energies[chosen])
    assert table["volume_A3_atom"].to_numpy() == pytest.approx(volumes[chosen])

    def counts(rows) -> np.ndarray:
        of = np.ptp(energies), np.ptp(volumes)
        row = np.minimum(5 * (energies[rows] - energies.min()) / of[0], 4).astype(int)
        column = np.minimum(4 * (volumes[rows] - volumes.min()) / of[1], 3).astype(int)
        return np.histogram2d(row, column, bins=(range(6), range(5)))[0]

    there, taken = counts(numbers), counts(chosen)
    level = taken.max()
    assert ((taken == there) | (taken >= level - 1)).all()  # even, but for cells that are empty
    one_volume = select_by("grid", given, 10, 1, volume_bins=1)
    assert len(one_volume) == 10


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
        table = select_by(name, candidates(), 12, 1)
        for pick, frame, score in zip(table["pick"], table["frame"], table["score"], strict=True):
            # species take turns: chlorine (17) first, then potassium (19)
            species = slice(3, 6) if pick % 2 == 0 else slice(0, 3)
            assert np.isclose(values[frame, species], score).any()
    table = select_by("global_energy", candidates(), 12, 1)
    assert np.allclose(read_property(pool, "energy_eV")[table["frame"]], table["score"])


def test_rnd_takes_the_outlier_first_and_one_frame_of_each_cluster(picks_from):
    rng = np.random.default_rng(1)
    centers = 8.0 * rng.normal(size=(6, 12))
    rows = np.concatenate([c + 0.01 * rng.normal(size=(30, 12)) for c in centers])
    picks = picks_from(rows, 6, max_steps=2000)
    assert len(set(picks["frame"] // 30)) == 6
    outlier = np.concatenate([0.1 * rng.normal(size=(50, 12)), np.full((1, 12), 5.0)])
    assert picks_from(outlier, 1)["frame"][0] == 50


def test_rnd_training_is_bounded_and_reported(candidates):
    table = select_by("rnd", candidates(), 5, 1, atoms=False, max_steps=7, tolerance=0.0)
    assert (table["training_steps"] == 7).all()
    easy = select_by("rnd", candidates(), 5, 1, atoms=False, max_steps=5000, tolerance=1e-2)
    assert (easy["training_steps"] < 5000).all()


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
    def rnd(candidates):
        return select_by("rnd", candidates, 20, 1, atoms=False)

    whole, given = rnd(candidates()), candidates()
    monkeypatch.setattr("minset.select.novelty.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("minset.select.novelty.train", killed_after(8, rnd_training))
    with pytest.raises(KeyboardInterrupt):
        rnd(given)
    monkeypatch.setattr("minset.select.novelty.train", rnd_training)
    resumed = rnd(given)
    assert "continuing after 8 picks" in capsys.readouterr().out
    pd.testing.assert_frame_equal(whole, resumed)
    (given.work / CHECKPOINT).write_bytes(b"damaged")
    pd.testing.assert_frame_equal(whole, rnd(given))


def killed_after(calls: int, function):
    counted = iter(range(calls + 1))

    def call(*arguments, **options):
        if next(counted) == calls:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return call


@pytest.fixture
def atom_candidates(tmp_path):
    """Candidates with descriptors of atoms, from a pool of K3Cl3."""
    pool = write_random_pool(tmp_path / "pool.h5", 160)
    rng = np.random.default_rng(7)
    atoms = rng.normal(size=(160, ATOMS, 5)).astype(np.float32) + np.arange(5)

    def make(change=lambda atoms: None) -> Candidates:
        changed = atoms.copy()
        change(changed)
        np.save(tmp_path / "atoms.npy", changed)
        frames = np.arange(10, 150)
        rows = np.ones((len(frames), 2), np.float32)
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        return Candidates(frames, rows, 0 * frames, pool, work, tmp_path / "atoms.npy")

    return make


def test_atom_descriptors_are_standardised_by_species(atom_candidates):
    def shift_chlorine(atoms):
        atoms[:, 3:] = 5 * atoms[:, 3:] - 20
        atoms[:, :, 4] = 1.0  # constant

    given = atom_candidates(shift_chlorine)
    read, real = read_atoms(given)
    x = read(np.arange(140))
    assert real.shape == (140, ATOMS)
    assert real.all()
    for species, own in ((slice(0, 3), 6), (slice(3, 6), 5)):  # chlorine's column comes first
        part = x[:, species].reshape(-1, 7)
        assert np.allclose(part[:, :4].mean(axis=0), 0, atol=1e-5)
        assert np.allclose(part[:, :4].std(axis=0), 1, atol=1e-5)
        assert (part[:, 4] == 0).all()
        assert (part[:, own] == 1).all()
    assert np.array_equal(read(np.array([7, 3])), x[[7, 3]])


def test_a_frame_is_as_novel_as_its_most_novel_atom(atom_candidates):
    """An odd atom that an average over its frame would hide comes first."""

    def one_odd_atom(atoms):
        atoms[77, 2] += 12.0

    def picks(n, **options):
        return select_by("rnd", atom_candidates(one_odd_atom), n, 1, **options)

    assert picks(1)["frame"][0] == 77
    table = picks(140, max_steps=5)
    assert sorted(table["frame"]) == list(range(10, 150))
    pd.testing.assert_frame_equal(table[:20], picks(20, max_steps=5), check_exact=True)


def test_the_shortlist_does_not_change_what_is_picked(candidates, monkeypatch):
    """Following only the most novel frames between looks at all finds the same ones."""
    given = candidates(n=60)

    def rnd():
        return select_by("rnd", given, 24, 1, atoms=False)

    everything = rnd()
    monkeypatch.setattr("minset.select.novelty.REFRESH", 1)
    pd.testing.assert_frame_equal(everything, rnd())
    monkeypatch.setattr("minset.select.novelty.REFRESH", 8)
    monkeypatch.setattr("minset.select.novelty.SHORTLIST", 20)
    shortened = rnd()
    assert len(set(shortened["frame"]) & set(everything["frame"])) >= 20


def write_pool_of(path, frames: list[Atoms]):
    for atoms in frames:
        zeros = np.zeros((len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=zeros, energies=zeros[:, 0])
    write_pool(path, frames)
    return path


def entropy_gain_of(path, n: int, work, **options):
    frames = np.arange(len(read_frames(path)))
    given = Candidates(frames, None, runs=0 * frames, pool=path, work=work)
    return select_by("entropy_gain", given, n, 1, **options)


def test_environments_are_those_of_quests(pool, tmp_path):
    frames = np.arange(0, 160, 7)[::-1]
    given = Candidates(frames, None, runs=0 * frames, pool=pool, work=tmp_path)
    x = environments(given, {"neighbours": 12, "cutoff_A": 5.0})
    rows = np.fromfile(x.path, np.float32).reshape(len(frames), ATOMS, 46)
    written = read_frames(pool, np.sort(frames))
    theirs = get_descriptors_multicomponent(written, k=12, cutoff=5.0, concat=False)
    x1, x2 = (x.reshape(len(frames), ATOMS, 3, -1) for x in theirs)  # all, Cl, K
    for species, ours in ((1, rows[:, :3]), (2, rows[:, 3:])):
        atoms = written[0].get_atomic_numbers() == (0, 17, 19)[species]
        parts = [x[:, atoms, kind] for kind in (0, species) for x in (x1, x2)]
        assert np.allclose(ours, np.concatenate(parts, axis=2), atol=1e-6)


def test_entropy_gain_is_the_minimum_set_cover_of_quests(tmp_path):
    rng = np.random.default_rng(2)
    frames = [Atoms("Ar8", rng.random((8, 3)) * 9, cell=[9] * 3, pbc=True) for _ in range(40)]
    pool = write_pool_of(tmp_path / "argon.h5", frames)
    h = 0.08
    picks = entropy_gain_of(pool, 25, tmp_path, bandwidth_inverse_A=h)["frame"].tolist()
    x = [get_descriptors([atoms]) for atoms in frames]
    rest = [k for k in range(40) if k != picks[0]]
    entropies = np.array([entropy(x[k], h) for k in rest])
    others = msc_conditional([x[k] for k in rest], entropies, 24, [x[picks[0]]], h=h)
    assert picks[1:] == [rest[k] for k in others]


def test_entropy_gain_compares_atoms_of_the_same_species_only(pool, tmp_path):
    table = entropy_gain_of(pool, 30, tmp_path, bandwidth_inverse_A=0.3)
    rows = np.fromfile(tmp_path / "environments.f32", np.float32).reshape(160, ATOMS, -1)
    x = rows.astype(float)
    d = np.stack([np.linalg.norm(x[:, i, None, None] - x[:, :], axis=-1) for i in range(ATOMS)], 1)
    kernel = np.exp(-0.5 * (d / 0.3) ** 2)  # of atom i of one frame and atom j of another
    species = np.arange(ATOMS) // 3
    kernel *= species[:, None, None] == species
    own = np.einsum("fifj->fi", kernel)
    entropies = -np.log(own / ATOMS).mean(axis=1)
    for k in range(1, 30):
        sums = kernel[:, :, table["frame"][:k]].sum(axis=(2, 3))
        gains = -np.log(sums.min(axis=1)) + entropies
        gains[table["frame"][:k]] = -np.inf
        assert table["frame"][k] == gains.argmax()
        assert table["score"][k] == pytest.approx(gains.max(), rel=1e-4)


def test_entropy_gain_takes_duplicates_last_and_rare_environments_first(tmp_path):
    rng = np.random.default_rng(3)
    crystal = bulk("KCl", "rocksalt", a=6.3, cubic=True)
    frames = []
    for _ in range(6):
        atoms = crystal.copy()
        atoms.positions += 0.2 * rng.normal(size=atoms.positions.shape)
        frames += [atoms.copy() for _ in range(4)]
    pool = write_pool_of(tmp_path / "copies.h5", frames)
    (tmp_path / "a").mkdir()
    picks = entropy_gain_of(pool, 10, tmp_path / "a")["frame"].to_numpy()
    assert len(set(picks[:6] // 4)) == 6
    assert len(set(picks)) == 10
    frames[13].positions[1] += [1.2, 0.4, 0.0]  # one ion of 24 frames
    pool = write_pool_of(tmp_path / "rare.h5", frames)
    (tmp_path / "b").mkdir()
    assert 13 in entropy_gain_of(pool, 2, tmp_path / "b")["frame"].tolist()


def test_environments_of_a_killed_selection_are_continued(pool, tmp_path):
    whole = entropy_gain_of(pool, 8, tmp_path)
    path = tmp_path / "environments.f32"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    pd.testing.assert_frame_equal(whole, entropy_gain_of(pool, 8, tmp_path))
    assert path.read_bytes() == content


def test_rnd_looks_at_atoms_unless_told_otherwise():
    needs = SELECTORS["rnd"].needs
    assert needs(options_of("rnd")) == {"atoms"}
    assert needs(options_of("rnd", atoms=False)) == {"frames"}
    assert SELECTORS["fps"].needs({}) == {"frames"}
    assert SELECTORS["random"].needs({}) == set()


def test_next_picks_leaves_out_what_another_selector_knew(candidates):
    given = replace(candidates(), known=(103, 150, 111))
    new = next_picks(SELECTORS["random"], given, 60, 1, {})
    assert sorted(new["frame"]) == sorted(set(range(100, 160)) - {103, 150, 111})
    with pytest.raises(ValueError, match="3 frames are picked already and 3 are wanted"):
        next_picks(SELECTORS["random"], given, 3, 1, {})


def test_one_that_looks_at_models_is_asked_for_new_frames_only(candidates):
    asked = []

    def two_at_most(candidates, n, seed, options):
        asked.append((n, candidates.known))
        return pd.DataFrame({"pick": range(2), "frame": [140, 120], "score": [2.0, 1.0]})

    selector = Selector(options={}, select=two_at_most, needs=lambda options: {"models"})
    new = next_picks(selector, replace(candidates(), known=(103, 150)), 8, 1, {})
    assert asked == [(6, (103, 150))]
    assert new.to_dict("list") == {"pick": [2, 3], "frame": [140, 120], "score": [2.0, 1.0]}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Candidates from a pool whose frames differ in species, their order, cell and number of atoms."""
    folder, rng, frames = tmp_path_factory.mktemp("mixed"), np.random.default_rng(5), []
    for k in range(24):
        symbols = ("K3Cl3", "ClKClKClK", "K4", "Na2Cl2K2Cl2", "Cl2Na")[k % 5]
        cell = rng.normal(scale=0.5, size=(3, 3)) + 7 * np.eye(3)
        atoms = Atoms(symbols, cell=cell, pbc=True)
        atoms.set_scaled_positions(rng.random((len(atoms), 3)))
        energies, forces = rng.normal(size=len(atoms)), rng.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(
            atoms, energy=energies.sum(), energies=energies, forces=forces
        )
        frames.append(atoms)
    pool = folder / "pool.h5"
    write_pool(pool, frames, frames_per_block=3)
    schnet = DESCRIPTORS["schnet"]
    options = defaults_of(schnet.options) | {"size": "small"}
    for of in ("frames", "atoms"):
        schnet.describe(pool, folder / f"{of}.npy", of, options, 1)
    rows = np.load(folder / "frames.npy")
    return Candidates(np.arange(24), rows, np.zeros(24), pool, folder, folder / "atoms.npy"), frames


@pytest.mark.parametrize("name", ONE_SHOT)
def test_all_frames_of_a_mixed_pool_can_be_picked(name, mixed, tmp_path):
    given, n = replace(mixed[0], work=tmp_path), 24
    table = select_by(name, given, n, 1)
    assert sorted(table["frame"]) == list(range(24))
    (tmp_path / "again").mkdir()
    few = select_by(name, replace(given, work=tmp_path / "again"), 8, 1)
    assert list(few["frame"]) == list(table["frame"][:8])


def test_atoms_of_a_mixed_pool_are_standardised_without_padding(mixed):
    given, frames = mixed
    read, real = read_atoms(given)
    x, raw = read(np.arange(24)), np.load(given.atom_descriptors)
    numbers = np.concatenate([frame.numbers for frame in frames])
    ours, theirs = x[real], np.concatenate([y[: len(f)] for y, f in zip(raw, frames, strict=True)])
    assert len(ours) == len(numbers) == real.sum()
    for column, z in enumerate((11, 17, 19)):
        own = numbers == z
        part = theirs[own].astype(float)
        expected = (part - part.mean(axis=0)) / part.std(axis=0)
        assert np.allclose(ours[own, :32], expected, atol=1e-3)
        assert np.array_equal(ours[:, 32 + column] == 1, own)
    for rows, frame in zip(x, frames, strict=True):
        assert (rows[len(frame) :] == rows[0]).all()


def test_atomic_selectors_see_each_frames_own_species(mixed):
    given, frames = mixed
    table = select_by("atomic_energy", given, 12, 1)
    for pick, frame, score in zip(table["pick"], table["frame"], table["score"], strict=True):
        own = frames[frame].numbers == (11, 17, 19)[pick % 3]
        assert np.isclose(frames[frame].calc.results["energies"][own], score).any()


def test_environments_of_a_mixed_pool_are_those_of_its_frames(mixed, tmp_path):
    given, frames = mixed
    options = {"neighbours": 4, "cutoff_A": 5.0}
    x = environments(replace(given, work=tmp_path), options)
    for k, frame in enumerate(frames):
        rows = x.of(k)
        assert list(x.numbers[x.starts[k] : x.starts[k + 1]]) == sorted(frame.numbers)
        expected = np.concatenate(
            [
                np.hstack(
                    [
                        get_descriptors([frame], k=4)[frame.numbers == z],
                        get_descriptors([frame[frame.numbers == z]], k=4),
                    ]
                )
                for z in np.unique(frame.numbers)
            ]
        )
        assert np.allclose(rows, expected, atol=1e-6)


def test_a_pool_without_energies_serves_what_needs_none(tmp_path):
    frames = [
        Atoms("KCl", positions=[[0, 0, k / 9], [3, 0, 0]], cell=[6] * 3, pbc=True) for k in range(9)
    ]
    write_pool(tmp_path / "foreign.h5", frames)
    rows = np.random.default_rng(0).normal(size=(9, 3))
    given = Candidates(np.arange(9), rows, np.full(9, np.nan), tmp_path / "foreign.h5", tmp_path)
    assert len(select_by("fps", given, 4, 1)) == 4
    assert len(select_by("entropy_gain", given, 4, 1)) == 4
    for name, told in (
        ("global_energy", "has no energy of frame 0"),
        ("grid", "has no energy of frame 0"),
        ("atomic_energy", "has no energy of each atom of frame 0"),
        ("force", "has no forces of frame 0"),
        ("single_run_random", "does not say which MD run"),
    ):
        with pytest.raises(ValueError, match=rf"foreign.h5 {told}.*take another selector"):
            select_by(name, given, 4, 1)


def test_entropy_gain_sees_the_descriptors_of_the_study_where_it_is_told_to(mixed, tmp_path):
    """Those of `read_atoms`, atoms by species; the gains are those of the kernel sums over them."""
    given, frames = mixed
    given = replace(given, frames=np.arange(len(frames))[::-1], work=tmp_path)
    table = select_by("entropy_gain", given, 3, 1, environments="descriptors", bandwidth=0.8)
    x_of = described_environments(given)
    read, real = read_atoms(given)
    kinds = len(np.unique(x_of.numbers))
    x = {}
    for k, row in zip(given.frames, range(len(frames)), strict=True):
        own = np.argsort(frames[k].numbers, kind="stable")
        expected = read(np.array([row]))[0][real[row]][own, :-kinds]
        assert np.allclose(x_of.of(k), expected)
        x[k] = x_of.of(k), np.sort(frames[k].numbers)
    first, second = table["frame"][:2]

    def sums(a, b):
        squares = ((x[a][0][:, None] - x[b][0]) ** 2).sum(axis=2)
        same = x[a][1][:, None] == x[b][1]
        return np.maximum((np.exp(-squares / (2 * 0.8**2)) * same).sum(axis=1), 1e-300)

    def gain(k):
        return -np.log(sums(k, first)).min() - np.log(sums(k, k) / len(x[k][0])).mean()

    gains = {k: gain(k) for k in x if k != first}
    assert table["score"][1] == pytest.approx(max(gains.values()), rel=1e-5)
    assert gains[second] == pytest.approx(max(gains.values()), rel=1e-6)
    assert x_of.bandwidth == pytest.approx(len(x_of.numbers) ** (-1 / (x_of.columns + 4)))
