"""Descriptors: what they may depend on, and what not."""

import numpy as np
import pytest
from ase import Atoms

from minset.descriptor.representation import atoms_described, frames_described
from minset.model.schnet.architecture import hyper_of
from minset.pool.store import read_frames, write_pool

HYPER = hyper_of({"size": "small"})


def test_descriptors_do_not_depend_on_origin_order_or_batch(small_pool, tmp_path):
    path = small_pool[0]
    whole = frames_described(path, HYPER, seed=1)
    assert whole.shape == (40, 64)
    for options in ({"frames_per_batch": 3}, {"threads": 2}, {"threads": 2, "frames_per_batch": 1}):
        again = frames_described(path, HYPER, seed=1, **options)
        assert np.allclose(whole, again, atol=1e-5)
    assert not np.allclose(whole, frames_described(path, HYPER, seed=2), atol=1e-2)
    moved = []
    for frame in read_frames(path, range(4)):
        calculator = frame.calc
        frame.positions += [1.0, 7.0, -3.0]
        frame.wrap()
        frame.calc = calculator
        moved.append(frame)
    write_pool(tmp_path / "moved.h5", moved)
    assert np.allclose(whole[:4], frames_described(tmp_path / "moved.h5", HYPER, seed=1), atol=1e-5)


@pytest.fixture
def mixed():
    """Frames of six ions, of the same in another order, with species exchanged, and of other sizes."""
    rng = np.random.default_rng(0)
    x, order = rng.uniform(size=(6, 3)) * 8, [3, 0, 4, 1, 5, 2]
    symbols = np.array(["K", "K", "K", "Cl", "Cl", "Cl"])
    cell = np.array([[8, 0, 0], [1.5, 7.5, 0], [-1, 0.5, 8.2]])
    made = [
        (symbols, x),
        (symbols[order], x[order]),
        (symbols[::-1], x),
        (["K", "K"], x[:2]),
        (["Na", "Cl", "K", "Cl", "Na", "Cl", "K", "Cl"], rng.uniform(size=(8, 3)) * 7),
    ]
    return [Atoms(s, positions=positions, cell=cell, pbc=True) for s, positions in made]


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_each_frame_has_its_own_species_order_and_size(mixed, batch, tmp_path):
    """A frame of a mixed pool is described as it is alone in a pool, whatever stands beside it."""
    write_pool(tmp_path / "mixed.h5", mixed)
    rows = frames_described(tmp_path / "mixed.h5", HYPER, 1, frames_per_batch=batch)
    atoms_described(tmp_path / "mixed.h5", HYPER, 1, tmp_path / "atoms.npy", frames_per_batch=batch)
    atoms = np.load(tmp_path / "atoms.npy")
    assert rows.shape == (5, 3 * 32)  # Na, Cl, K
    assert atoms.shape == (5, 8, 32)
    for k, frame in enumerate(mixed):
        write_pool(tmp_path / "alone.h5", [frame])
        alone = frames_described(tmp_path / "alone.h5", HYPER, 1).reshape(-1, 32)
        expected = np.zeros((3, 32), np.float32)
        expected[np.searchsorted([11, 17, 19], np.unique(frame.numbers))] = alone
        assert np.allclose(rows[k].reshape(3, 32), expected, atol=1e-6)
        atoms_described(tmp_path / "alone.h5", HYPER, 1, tmp_path / "alone.npy")
        n = len(frame)
        assert np.allclose(atoms[k, :n], np.load(tmp_path / "alone.npy")[0], atol=1e-6)
        assert (atoms[k, n:] == atoms[k, 0]).all()
    assert np.allclose(rows[0], rows[1], atol=1e-6)  # the order of the atoms means nothing
    assert np.abs(rows[0] - rows[2]).max() > 0.05  # the species do
