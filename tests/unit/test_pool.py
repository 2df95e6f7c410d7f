"""Pools: what a frame holds, how it is stored, and what stops a study."""

import numpy as np
import pytest
from ase.build import bulk

from minset.pool.npt_ramp import npt_ramp, require_liquid
from minset.pool.store import read_frames, read_numbers, read_property, summary
from minset.simulate.engines import classical_engine
from minset.simulate.run import TRAJECTORY, Protocol, run_md


def test_frames_come_back_exactly_and_in_any_order(small_pool):
    path, frames, _ = small_pool
    for index, frame in zip((7, 0, 39), read_frames(path, [7, 0, 39]), strict=True):
        assert np.array_equal(frame.positions, frames[index].positions)
        assert np.array_equal(frame.cell, frames[index].cell)
        assert frame.get_potential_energy() == frames[index].get_potential_energy()
        assert np.array_equal(frame.get_forces(), frames[index].get_forces())
        assert frame.info["temperature_K"] == frames[index].info["temperature_K"]


def test_atomic_energies_add_up_to_the_energy(small_pool):
    path, frames, _ = small_pool
    total = read_property(path, "atomic_energies_eV").sum(axis=1)
    assert total == pytest.approx(read_property(path, "energy_eV"), abs=1e-3)
    sizes = read_property(path, "force_size_eV_A", frames_per_block=7)
    assert np.allclose(sizes, [np.linalg.norm(f.get_forces(), axis=1) for f in frames])
    assert np.array_equal(read_numbers(path), frames[0].numbers)


def test_summary_follows_the_ramp_and_is_dense(small_pool):
    table = summary(small_pool[1])
    assert len(table) == 40
    assert table["temperature_K"].iloc[:10].mean() > table["temperature_K"].iloc[-10:].mean() + 200
    # 32 ions fluctuate by 10 %; their mean at 5 kbar is near the experimental density at 1 bar
    assert 1.2 < table["density_g_cm3"].mean() < 1.6
    assert np.allclose(np.diff(table["time_ps"]), 0.25)


def test_same_seed_gives_the_same_pool(small_pool, kcl, tmp_path):
    again = npt_ramp(kcl, small_pool[2], tmp_path)
    assert np.array_equal(again[-1].positions, small_pool[1][-1].positions)


def test_a_frame_beyond_the_pool_is_named(small_pool):
    with pytest.raises(ValueError, match="has 40 frames, asked for number 40"):
        read_frames(small_pool[0], [40])


def test_a_damaged_pool_says_what_to_do(small_pool, tmp_path):
    damaged = tmp_path / "pool.h5"
    damaged.write_bytes(small_pool[0].read_bytes()[:3000])
    with pytest.raises(ValueError, match="remove it and run the pool again"):
        read_frames(damaged)


def test_a_crystal_is_no_pool(kcl, tmp_path):
    crystal = bulk("KCl", "rocksalt", a=6.5, cubic=True) * (2, 2, 2)
    protocol = Protocol("nvt", (800.0, 800.0), 8.0, 2.0, 0.2, 0.2, seed=1)
    run_md(crystal, kcl, classical_engine(), protocol, tmp_path)
    with pytest.raises(ValueError, match=r"not liquid near .* Raise pool.temperature_K"):
        require_liquid(tmp_path / TRAJECTORY, kcl, 0.2, (800.0, 800.0))


def test_a_boiling_cell_is_no_pool(kcl, small_pool, tmp_path):
    settings = small_pool[2] | {"temperature_K": [2600, 2600], "pressure_bar": 1, "duration_ps": 20}
    with pytest.raises(ValueError, match=r"boils: its volume.*raise pool.pressure_bar"):
        npt_ramp(kcl, settings, tmp_path)
