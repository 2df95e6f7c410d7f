"""Starts of simulations from frames of the pool."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from minset.md.start import start_from_pool
from minset.pool.store import write_pool
from minset.units import density_g_cm3


def density(atoms: Atoms) -> float:
    return density_g_cm3(atoms.get_masses().sum(), atoms.cell.volume)


def test_a_start_is_a_frame_of_the_pool_as_it_is(small_pool, kcl):
    path, frames, _ = small_pool
    start = start_from_pool(kcl, path, 32, None)
    energies = np.array([frame.get_potential_energy() for frame in frames])
    (same,) = [f for f in frames if np.allclose(f.cell, start.cell)]
    middle = np.sort(energies)[len(frames) // 2]
    assert same.get_potential_energy() == pytest.approx(middle)
    assert np.array_equal(same.numbers, start.numbers)
    difference = same.get_scaled_positions() - start.get_scaled_positions()
    assert np.allclose(difference - np.round(difference), 0, atol=1e-9)


def test_a_start_has_the_density_that_is_asked_for(small_pool, kcl):
    path, frames, _ = small_pool
    start = start_from_pool(kcl, path, 32, 1.5)
    assert density(start) == pytest.approx(1.5)
    nearest = min(frames, key=lambda f: abs(density(f) - 1.5))
    assert np.allclose(start.get_scaled_positions(), nearest.get_scaled_positions(wrap=True))


@pytest.mark.parametrize(("ions", "times"), [(64, 2), (256, 8), (96, 3), (384, 12)])
def test_a_frame_is_repeated_to_a_cell_as_near_a_cube_as_can_be(small_pool, kcl, ions, times):
    path = small_pool[0]
    start = start_from_pool(kcl, path, ions, None)
    assert len(start) == ions
    edges = start.cell.lengths()
    assert edges.max() / edges.min() == pytest.approx({2: 2, 8: 1, 3: 3, 12: 1.5}[times])
    first = start_from_pool(kcl, path, 32, None)
    assert density(start) == pytest.approx(density(first))
    assert start.symbols.count("K") == ions // 2


def test_frames_of_a_mixed_pool_that_fit_best_are_taken(tmp_path):
    small = bulk("KCl", "rocksalt", a=6.4, cubic=True)
    write_pool(tmp_path / "pool.h5", [small, small * (1, 1, 2), small * (1, 1, 3)])
    start = start_from_pool({"species": {"K": {}, "Cl": {}}}, tmp_path / "pool.h5", 64, None)
    assert np.allclose(np.sort(start.cell.lengths()), [12.8, 12.8, 12.8])


def test_a_number_of_atoms_that_no_frame_makes_is_told(small_pool, kcl):
    with pytest.raises(ValueError, match=r"KCl can be repeated to 40 atoms: frames have 32 atoms"):
        start_from_pool(kcl, small_pool[0], 40, None)
