"""Test and validation frames: set apart, in equal parts by several principles, from runs of their own."""

import h5py
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from samples import write_random_pool

from minset.pool.store import read_property, write_pool
from minset.select.candidates import Candidates
from minset.select.split import finite_frames, split_frames

VALIDATION = {"frames": 10, "seed": 3}


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return write_random_pool(tmp_path_factory.mktemp("pool") / "pool.h5", 160)


@pytest.fixture
def split(pool, tmp_path):
    frames = pd.DataFrame({"frame": range(160), "run": np.arange(160) // 40})

    def candidates_of(rows):
        numbers = rows["frame"].to_numpy()
        return Candidates(numbers, np.ones((len(rows), 2)), rows["run"].to_numpy(), pool, tmp_path)

    def make(held_out=(), frames_wanted=41, selectors=("random",), finite=None):
        finite = np.ones(160, bool) if finite is None else finite
        test = {"frames": frames_wanted, "seed": 2, "selectors": list(selectors)}
        return split_frames(frames, finite, test, VALIDATION, list(held_out), candidates_of)

    return make


def test_each_frame_has_one_role_and_the_numbers_are_right(split):
    roles = split()
    assert roles["role"].value_counts().to_dict() == {
        "candidate": 109,
        "test": 41,
        "validation": 10,
    }
    assert list(roles["frame"]) == list(range(160))
    assert roles.equals(split())


def test_runs_held_out_give_the_test_set_and_nothing_else(split):
    roles = split(held_out=[1, 3])
    assert set(roles.loc[roles["role"] == "test", "run"]) == {1, 3}
    assert set(roles.loc[roles["run"].isin([1, 3]), "role"]) == {"test", "unused"}
    assert set(roles.loc[~roles["run"].isin([1, 3]), "role"]) == {"candidate", "validation"}


def test_principles_share_the_test_set_in_equal_parts(split, pool):
    energy = read_property(pool, "energy_eV")
    both = split(selectors=["global_energy", "random"], frames_wanted=41)
    assert (both["role"] == "test").sum() == 41
    by_energy = split(selectors=["global_energy"], frames_wanted=21)
    assert set(by_energy.query("role == 'test'").frame) < set(both.query("role == 'test'").frame)
    spread = {
        s: energy[split(selectors=[s], frames_wanted=30).query("role == 'test'").frame].std()
        for s in ("global_energy", "random")
    }
    assert spread["global_energy"] > 1.2 * spread["random"]


def test_too_few_frames_are_an_error_with_the_key(split):
    with pytest.raises(ValueError, match=r"90 frames were asked for \(test.frames\), 80 are left"):
        split(held_out=[1, 3], frames_wanted=90)
    with pytest.raises(ValueError, match=r"10 .*\(validation.frames\), 5 are left"):
        split(frames_wanted=155)


def test_frames_without_finite_values_are_left_out_counted_and_reported(split, tmp_path, capsys):
    path = write_random_pool(tmp_path / "pool.h5", 160)
    with h5py.File(path, "r+") as file:
        file["particles/atoms/force/value"][3, 1, 2] = np.nan
        file["observables/atoms/potential_energy/value"][8] = np.inf
    rows = np.ones((160, 4), np.float32)
    rows[50, 2] = np.nan
    np.save(tmp_path / "descriptors.npy", rows)
    finite = finite_frames(path, tmp_path / "descriptors.npy")
    assert list(np.flatnonzero(~finite)) == [3, 8, 50]
    assert "3 of 160 frames have" in capsys.readouterr().out
    roles = split(finite=finite)
    assert list(roles.loc[roles["role"] == "unused", "frame"]) == [3, 8, 50]
    assert "unused" not in set(split()["role"])


def test_a_pool_without_energies_has_finite_frames(tmp_path):
    """What another program's pool lacks throughout is no reason to set its frames apart."""
    frames = [Atoms("K" * (1 + k), cell=[9] * 3, pbc=True) for k in range(3)]
    for atoms in frames:
        atoms.set_scaled_positions(np.random.default_rng(1).random((len(atoms), 3)))
    write_pool(tmp_path / "pool.h5", frames)
    assert finite_frames(tmp_path / "pool.h5").all()
    rows = np.ones((3, 3, 2))
    rows[1, 2, 0] = np.inf
    np.save(tmp_path / "atoms.npy", rows)
    assert finite_frames(tmp_path / "pool.h5", tmp_path / "atoms.npy").tolist() == [
        True,
        False,
        True,
    ]
    for atoms in frames:
        forces = np.ones((len(atoms), 3))
        forces[-1, 2] = np.nan if len(atoms) == 3 else 1.0
        atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=forces)
    write_pool(tmp_path / "pool.h5", frames)
    assert finite_frames(tmp_path / "pool.h5").tolist() == [True, True, False]


def test_test_frames_are_not_chosen_by_models_that_are_not_there(split):
    with pytest.raises(
        ValueError, match=r"disagreement \(test.selectors\) looks at trained models"
    ):
        split(selectors=["disagreement"])
