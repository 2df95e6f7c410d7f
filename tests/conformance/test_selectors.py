"""Every entry of SELECTORS: an order of candidates, from what it says that it needs."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conformance.examples import options_of
from minset.descriptor import DESCRIPTORS
from minset.pool.store import read_frames, write_pool
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.candidates import OWN_FRAMES, Candidates, read_candidates
from minset.select.picks import next_picks

CANDIDATES = list(range(4, 36))  # of the 40 frames of the pool
RUNS = 2  # that they are from


def looks_at(name: str) -> set[str]:
    record = SELECTORS[name]
    return record.needs(options_of("SELECTORS", name, record))


# one that makes frames itself needs no others, and gives none of them
MAKERS = [name for name in SELECTORS if "system" in looks_at(name)]
OF_POOL = [name for name in SELECTORS if name not in MAKERS]
ONE_SHOT = [name for name in SELECTORS if not looks_at(name) & {"models", "certificate"}]
# of a simulation that broke, so that all picks are from the pool
BROKE = {"quantity": ["all"], "verdict": ["not certified"], "reason": ["the simulation broke"]}


@pytest.fixture(scope="module")
def described(small_pool, tmp_path_factory):
    """Files with the descriptors of a real pool, by what they are of."""
    folder, schnet = tmp_path_factory.mktemp("descriptors"), DESCRIPTORS["schnet"]
    options = defaults_of(schnet.options) | {"size": "small"}
    for of in ("frames", "atoms"):
        schnet.describe(small_pool[0], folder / f"{of}.npy", of, options, 1)
    return {of: folder / f"{of}.npy" for of in ("frames", "atoms")}


@pytest.fixture(scope="module")
def committee(tmp_path_factory) -> tuple[Path, ...]:
    """Three small SchNets that differ in their random weights alone."""
    import torch

    from minset.model.schnet.architecture import build_model, hyper_of, save_model
    from minset.model.schnet.compressed import save_compressed, tabulate

    folders, hyper = [], hyper_of({"size": "small"})
    for seed in (1, 2, 3):
        folders.append(tmp_path_factory.mktemp("member"))
        torch.manual_seed(seed)
        model = build_model(hyper)
        description = {"hyper": hyper, "energy_offsets_eV": {"19": -1.0, "17": -2.0}}
        save_model(folders[-1], model, description)
        save_compressed(folders[-1] / "compressed.npz", tabulate(model, description, segments=256))
    return tuple(folders)


@pytest.fixture
def candidates(small_pool, described, committee, tmp_path):
    """Candidates with what a selector needs and nothing else, and a folder of their own."""

    def make(name: str, frames=CANDIDATES, **more) -> Candidates:
        needs = looks_at(name)
        assert needs <= {"frames", "atoms", "models", "certificate", "system"}
        work = Path(tempfile.mkdtemp(dir=tmp_path))
        table = pd.DataFrame({"frame": frames, "run": np.arange(len(frames)) % RUNS})
        given = {"descriptors": described["frames"] if "frames" in needs else None}
        given["atom_descriptors"] = described["atoms"] if "atoms" in needs else None
        given["models"] = committee if "models" in needs else ()
        if "certificate" in needs:
            tables = work / "certificate.csv", work / "certificate_frames.csv"
            pd.DataFrame(BROKE).to_csv(tables[0], index=False)
            pd.DataFrame(columns=["note"]).to_csv(tables[1], index=False)
            given["certificate"] = tables
        return read_candidates(table, small_pool[0], work, **given | more)

    return make


def select(name: str, candidates: Candidates, n: int, seed: int = 1) -> pd.DataFrame:
    record = SELECTORS[name]
    return record.select(candidates, n, seed, options_of("SELECTORS", name, record))


@pytest.mark.parametrize("name", OF_POOL)
def test_picks_are_distinct_candidates_with_a_score(name, candidates):
    table = select(name, candidates(name), 8)
    assert {"pick", "frame", "score"} <= set(table)
    assert table["pick"].tolist() == list(range(8))
    assert table["frame"].is_unique
    assert set(table["frame"]) <= set(CANDIDATES)
    assert pd.api.types.is_integer_dtype(table["frame"])
    assert pd.api.types.is_float_dtype(table["score"])


@pytest.mark.parametrize("name", OF_POOL)
def test_the_same_seed_gives_the_same_picks(name, candidates):
    first, again = select(name, candidates(name), 8), select(name, candidates(name), 8)
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.parametrize("name", ONE_SHOT)
def test_another_seed_gives_others(name, candidates):
    orders = {tuple(select(name, candidates(name), 8, seed)["frame"]) for seed in (1, 2, 3)}
    assert len(orders) > 1


@pytest.mark.parametrize("name", ONE_SHOT)
def test_a_smaller_selection_is_the_start_of_a_larger_one(name, candidates):
    large = select(name, candidates(name), 16)
    for n in (1, 5):
        pd.testing.assert_frame_equal(select(name, candidates(name), n), large[:n])


@pytest.mark.parametrize("name", OF_POOL)
def test_all_candidates_can_be_picked(name, candidates):
    frames = CANDIDATES[::4]  # of one run
    given = replace(candidates(name, frames), runs=np.zeros(len(frames), int))
    assert sorted(select(name, given, len(frames))["frame"]) == frames


@pytest.mark.parametrize("name", OF_POOL)
def test_the_next_size_adds_new_frames(name, candidates):
    """A selection grows from 5 to 12 frames, and what is known is not picked again."""
    record = SELECTORS[name]
    options = options_of("SELECTORS", name, record)
    first = next_picks(record, candidates(name), 5, 1, options)
    known = tuple(first["frame"])
    new = next_picks(record, candidates(name, known=known), 12, 1, options)
    assert first["pick"].tolist() + new["pick"].tolist() == list(range(12))
    assert not set(known) & set(new["frame"])
    assert new["frame"].is_unique
    if name in ONE_SHOT:
        whole = select(name, candidates(name), 12)
        assert [*known, *new["frame"]] == whole["frame"].tolist()


@pytest.mark.parametrize("name", OF_POOL)
def test_frames_of_any_kind_can_be_picked(name, candidates, small_pool, tmp_path):
    """A pool in which frames differ in the order of their atoms, their number and their cell."""
    frames = []
    for k, frame in enumerate(small_pool[1][::4]):
        order = np.random.default_rng(k).permutation(len(frame))[: 32 - 2 * (k % 3)]
        calculator = frame.calc
        part = frame[order]
        results = {key: calculator.results[key] for key in ("energies", "forces")}
        part.calc = type(calculator)(
            part,
            energy=results["energies"][order].sum(),
            **{key: values[order] for key, values in results.items()},
        )
        shear = np.array([[1.0, 0.05 * k, 0], [0, 1, 0], [0.02, 0, 1]])
        part.set_cell(part.cell[:] @ shear, scale_atoms=True)
        frames.append(part)
    pool, schnet = tmp_path / "mixed.h5", DESCRIPTORS["schnet"]
    write_pool(pool, frames)
    options = defaults_of(schnet.options) | {"size": "small"}
    for of in ("frames", "atoms"):
        schnet.describe(pool, tmp_path / f"{of}.npy", of, options, 1)
    given = candidates(name, list(range(len(frames))))
    if given.descriptors is not None:
        given = replace(given, descriptors=np.load(tmp_path / "frames.npy"))
    if given.atom_descriptors is not None:
        given = replace(given, atom_descriptors=tmp_path / "atoms.npy")
    given = replace(given, pool=pool, runs=np.zeros(len(frames), int))
    table = select(name, given, len(frames))
    assert sorted(table["frame"]) == list(range(len(frames)))


@pytest.mark.parametrize("name", MAKERS)
def test_frames_that_a_selector_makes_come_with_their_picks(name, candidates):
    """Distinct by origin and number, in the file of a working folder, the same for the same seed."""
    record, options = SELECTORS[name], options_of("SELECTORS", name, SELECTORS[name])
    given = candidates(name)
    table = next_picks(record, given, 5, 1, options)
    frames = read_frames(given.work / OWN_FRAMES)
    assert 0 < len(table) <= 5
    assert {"pick", "origin", "frame", "score"} <= set(table)
    assert not table.duplicated(["origin", "frame"]).any()
    assert table["pick"].tolist() == list(range(len(table)))
    assert len(frames) == len(table)
    assert all(frame.pbc.all() and np.isfinite(frame.positions).all() for frame in frames)
    again = candidates(name)
    pd.testing.assert_frame_equal(next_picks(record, again, 5, 1, options), table)
    for one, other in zip(frames, read_frames(again.work / OWN_FRAMES), strict=True):
        assert np.array_equal(one.positions, other.positions)
