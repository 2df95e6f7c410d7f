"""Query by committee: the formula, what it finds and what not, batches without copies, restarts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk

from minset.descriptor.representation import frames_described
from minset.evaluation import Evaluation
from minset.model.schnet.architecture import build_model, hyper_of, save_model
from minset.model.schnet.compressed import save_compressed, tabulate
from minset.pool.store import write_pool
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.batch import farthest_first, without_copies
from minset.select.candidates import Candidates
from minset.select.disagreement import FILE, disagreement, select_disagreement
from minset.select.picks import next_picks

LENGTH_A, CLOSE_A = 6.3, 2.0
RECORD = SELECTORS["disagreement"]


def options(**changed) -> dict:
    return defaults_of(RECORD.options) | {"model": "small"} | changed


def crystal(rng, rattle_A=0.15):
    atoms = bulk("KCl", "rocksalt", a=LENGTH_A, cubic=True)
    atoms.positions += rattle_A * np.clip(rng.normal(size=atoms.positions.shape), -2, 2)
    return atoms


def close_pair(rng):
    """A frame with a potassium 1.6 to 1.8 A away from a chlorine."""
    atoms = crystal(rng, 0.05)
    k = int(rng.integers(1, 4))
    atoms.positions[2 * k] = atoms.positions[2 * k + 1] + [rng.uniform(1.6, 1.8), 0, 0]
    return atoms


@pytest.fixture(scope="module")
def committee(tmp_path_factory):
    """Three networks that are the same for pairs beyond ``CLOSE_A``, as if trained there alone."""
    import torch

    hyper = hyper_of({"size": "small"})
    torch.manual_seed(5)
    model = build_model(hyper)
    about = {
        "kind": "schnet",
        "hyper": hyper,
        "energy_offsets_eV": {"19": -1.5, "17": -2.5},
    }
    compressed, folders = tabulate(model, about, segments=1024), []
    for member in range(3):
        folder = tmp_path_factory.mktemp("member")
        save_model(folder, model, about)
        tables = compressed.layers.tables.copy()
        tables[:, : int(1024 * CLOSE_A / hyper["cutoff_A"])] *= 1 + 0.3 * member
        layers = compressed.layers._replace(tables=tables)
        save_compressed(folder / "compressed.npz", replace(compressed, layers=layers))
        folders.append(folder)
    return tuple(folders)


@pytest.fixture
def candidates(committee, tmp_path):
    def make(frames, models=committee, known=()) -> Candidates:
        pool = tmp_path / "pool.h5"
        write_pool(pool, frames)
        rows = frames_described(pool, hyper_of({"size": "small"}), 1)
        numbers = np.arange(len(frames))
        return Candidates(
            numbers, rows, 0 * numbers, pool, tmp_path, known=tuple(known), models=models
        )

    return make


def member(forces, atomic) -> Evaluation:
    atomic = np.array(atomic, float)
    return Evaluation(atomic.sum(), atomic, np.array(forces, float), np.zeros((3, 3)), np.zeros(0))


def test_the_formula_by_hand():
    """Two atoms, three members; no Bessel correction."""
    members = [
        member([[1, 0, 0], [0, 3, 4]], [0, 1]),
        member([[1, 0, 0], [0, -3, -4]], [0, 1]),
        member([[4, 0, 0], [0, 0, 0]], [3, 1]),
    ]
    # atom 1: mean (2, 0, 0), squares 1, 1, 4; atom 2: mean 0, squares 25, 25, 0
    assert disagreement(members, "forces") == pytest.approx(np.sqrt(50 / 3), rel=1e-12)
    assert disagreement(members, "atomic_energies") == pytest.approx(np.sqrt(2), rel=1e-12)
    # energies 1, 1, 4 of two atoms: 0.5, 0.5, 2 each
    assert disagreement(members, "energy") == pytest.approx(np.sqrt(0.5), rel=1e-12)


@pytest.mark.parametrize("quantity", ["forces", "atomic_energies", "energy"])
def test_the_order_of_members_means_nothing_and_equal_members_agree(quantity):
    rng = np.random.default_rng(0)
    members = [member(rng.normal(size=(5, 3)), rng.normal(size=5)) for _ in range(4)]
    value = disagreement(members, quantity)
    assert value > 0
    for order in ([3, 1, 0, 2], [2, 3, 1, 0]):
        assert disagreement([members[k] for k in order], quantity) == value
    for count in (2, 3, 7):
        assert disagreement(members[:1] * count, quantity) == 0.0


def test_frames_far_from_training_are_found_and_no_others(candidates, capsys):
    rng = np.random.default_rng(1)
    frames = [close_pair(rng) if k % 5 == 2 else crystal(rng) for k in range(30)]
    table = select_disagreement(candidates(frames), 20, 1, options(shortlist=1))
    assert sorted(table["frame"]) == [2, 7, 12, 17, 22, 27]
    assert table["score"].iloc[0] == table["score"].max()
    assert set(table["unit"]) == {"eV/A"}
    assert list(table["pick"]) == list(range(6))
    out = capsys.readouterr().out
    assert "6 of 30 frames are above 0 eV/A" in out
    assert "6 of 20 picked" in out


@pytest.mark.parametrize("quantity", ["forces", "atomic_energies", "energy"])
def test_a_perfect_committee_finds_nothing(quantity, candidates, committee, capsys):
    rng = np.random.default_rng(1)
    frames = [close_pair(rng) for _ in range(4)]
    table = select_disagreement(
        candidates(frames, committee[:1] * 3), 3, 1, options(quantity=quantity)
    )
    assert len(table) == 0
    assert list(table.columns) == ["pick", "frame", "score", "unit"]
    assert "finds nothing above its threshold of 0 eV" in capsys.readouterr().out


def test_frames_below_the_threshold_are_not_picked(candidates, tmp_path):
    rng = np.random.default_rng(2)
    given = candidates([close_pair(rng) for _ in range(12)])
    everything = select_disagreement(given, 12, 1, options())
    assert len(everything) == 12
    threshold = float(everything["score"].median())
    above = select_disagreement(given, 12, 1, options(threshold_eV_A=threshold))
    assert set(above["frame"]) == set(everything.query("score > @threshold")["frame"])
    with pytest.raises(ValueError, match="threshold is threshold_eV_A, not threshold_eV"):
        select_disagreement(given, 12, 1, options(threshold_eV=1.0))


def test_a_batch_has_one_of_many_copies(candidates):
    """The most uncertain frame is there 40 times, more than the shortlist is long."""
    rng = np.random.default_rng(3)
    frames = [close_pair(rng) for _ in range(20)]
    most = select_disagreement(candidates(frames), 1, 1, options())["frame"][0]
    for _ in range(39):
        copy = frames[most].copy()
        copy.positions += 0.003 * rng.normal(size=copy.positions.shape)
        copy.wrap()
        frames.append(copy)
    given = candidates(frames)
    (given.work / FILE).unlink()
    table = select_disagreement(given, 4, 1, options())
    copies = [frame for frame in table["frame"] if frame == most or frame >= 20]
    assert len(table) == 4
    assert len(copies) == 1
    assert table["frame"][0] == copies[0]
    (given.work / FILE).unlink()
    known = replace(given, known=(30,))  # one of the copies is labelled already
    again = select_disagreement(known, 4, 1, options())
    assert len(again) == 4
    assert not [frame for frame in again["frame"] if frame == most or frame >= 20]


def test_the_next_size_takes_new_frames_and_counts_on(candidates):
    rng = np.random.default_rng(4)
    given = candidates([close_pair(rng) for _ in range(10)], known=(3, 8, 5))
    new = next_picks(RECORD, given, 6, 1, options())
    assert list(new["pick"]) == [3, 4, 5]
    assert not set(new["frame"]) & {3, 8, 5}


def test_farthest_point_sampling_begins_with_the_first_and_counts_what_is_known():
    x = np.array([[0.0], [10.0], [9.0], [4.0], [1.0]])
    rows = np.array([3, 4, 1, 2])
    assert farthest_first(x, rows, np.array([], int), 4).tolist() == [3, 1, 4, 2]
    assert farthest_first(x, rows, np.array([1]), 3).tolist() == [3, 4, 2]
    assert farthest_first(x, rows, np.array([0]), 9).tolist() == [3, 1, 4, 2]
    assert farthest_first(x, rows[:0], np.array([0]), 2).tolist() == []


def test_copies_are_found_across_the_cell_and_other_orders_are_none(tmp_path):
    rng = np.random.default_rng(6)
    first = crystal(rng)
    image, far, swapped = first.copy(), first.copy(), first.copy()
    image.positions[3] += first.cell[0] - first.cell[2] + 0.02
    far.positions[3] += 0.3
    swapped.numbers[[0, 1]] = swapped.numbers[[1, 0]]
    write_pool(tmp_path / "pool.h5", [first, image, far, swapped])
    order = np.array([2, 0, 1, 3])
    none = np.array([], int)
    assert without_copies(tmp_path / "pool.h5", order, none, 9).tolist() == [2, 0, 3]
    assert without_copies(tmp_path / "pool.h5", order, none, 2).tolist() == [2, 0]
    assert without_copies(tmp_path / "pool.h5", order, np.array([1]), 9).tolist() == [2, 3]


def test_the_order_of_atoms_and_other_frames_mean_nothing(candidates):
    rng = np.random.default_rng(7)
    frames = [close_pair(rng) for _ in range(3)]
    order = rng.permutation(8)
    large = frames[1] * (1, 1, 2)
    given = candidates([frames[0], frames[0][order], large, frames[1], frames[2]])
    table = select_disagreement(given, 5, 1, options()).set_index("frame")["score"]
    assert table[1] == pytest.approx(table[0], rel=1e-4)
    assert table[2] == pytest.approx(table[3], rel=1e-4)


def test_a_killed_selection_goes_on(candidates, monkeypatch, capsys):
    rng = np.random.default_rng(8)
    given = candidates([close_pair(rng) for _ in range(10)])
    module = "minset.select.disagreement"
    monkeypatch.setattr(f"{module}.FRAMES_PER_BLOCK", 4)
    calls = []

    def counted(members, quantity):
        if len(calls) == 6:
            raise KeyboardInterrupt
        calls.append(quantity)
        return disagreement(members, quantity)

    monkeypatch.setattr(f"{module}.disagreement", counted)
    with pytest.raises(KeyboardInterrupt):
        select_disagreement(given, 5, 1, options())
    calls.clear()
    monkeypatch.setattr(f"{module}.disagreement", lambda *a: calls.append(0) or disagreement(*a))
    resumed = select_disagreement(given, 5, 1, options())
    assert "continuing after 4 frames" in capsys.readouterr().out
    assert len(calls) == 6
    (given.work / FILE).write_bytes(b"damaged")
    pd.testing.assert_frame_equal(resumed, select_disagreement(given, 5, 1, options()), rtol=1e-4)
    assert "is computed again" in capsys.readouterr().out


def test_one_model_is_no_committee(candidates, committee):
    given = candidates([crystal(np.random.default_rng(9))], committee[:1])
    with pytest.raises(ValueError, match="two members or more, this one has 1; raise `members`"):
        select_disagreement(given, 1, 1, options())
