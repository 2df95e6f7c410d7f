"""Every entry of GENERATORS: its plan, and the frames of a short run of a salt and of a metal."""

import copy
import json
import re

import numpy as np
import pytest
from samples import read_system

from conformance.examples import SHORT, example
from minset.pool import GENERATORS
from minset.pool.store import join_runs, read_frames, write_pool
from minset.registry import defaults_of

# system, temperature at which it is liquid, density of the start in g/cm^3
MELTS = {"kcl": (read_system("kcl"), 1700, 1.3), "al": (read_system("al"), 1600, 2.3)}


# what reads files is tested with files, in tests/unit/test_pool_files.py
OF_MD = [name for name, record in GENERATORS.items() if "potential" in record.options]


def settings_of(name: str, temperature_K: float = 1700) -> dict:
    options = GENERATORS[name].options
    given = {key: value for key, value in SHORT.items() if key in options}
    return defaults_of(options) | given | example("GENERATORS", name)(temperature_K)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_plan_is_plain_data_that_follows_from_its_settings(name):
    settings = settings_of(name)
    before = copy.deepcopy(settings)
    runs = GENERATORS[name].plan(settings)
    assert settings == before
    assert runs == GENERATORS[name].plan(copy.deepcopy(settings))
    assert runs == json.loads(json.dumps(runs))


@pytest.mark.parametrize("name", OF_MD)
def test_another_seed_is_another_plan(name):
    settings = settings_of(name)
    runs = GENERATORS[name].plan(settings)
    assert runs != GENERATORS[name].plan(settings | {"seed": SHORT["seed"] + 1})


@pytest.mark.parametrize("name", GENERATORS)
def test_runs_have_names_that_differ_and_fit_file_names(name):
    runs = GENERATORS[name].plan(settings_of(name))
    names = [run["name"] for run in runs]
    assert len(set(map(str.lower, names))) == len(names) > 0
    for run in names:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,59}", run)
    seeds = [run["seed"] for run in runs if "seed" in run]
    assert len(set(seeds)) == len(seeds)
    assert all(1 <= seed < 2**31 for seed in seeds)


@pytest.fixture(scope="module", params=[(g, m) for g in OF_MD for m in MELTS], ids="-".join)
def sampled(request, tmp_path_factory):
    """Generator, system, run and frames of the first run of a plan."""
    name, melt = request.param
    system, temperature_K, density = MELTS[melt]
    run = GENERATORS[name].plan(settings_of(name, temperature_K))[0]
    run = run | {"density_g_cm3": density}
    work = tmp_path_factory.mktemp("work")
    return GENERATORS[name], system, run, GENERATORS[name].sample(system, run, work).frames


def test_a_run_gives_frames_of_the_whole_system_with_energies_and_forces(sampled):
    _, system, run, frames = sampled
    assert len(frames) == run["frames"]
    for frame in frames:
        assert len(frame) == run["ions"]
        assert set(frame.symbols) == set(system["species"])
        assert frame.pbc.all()
        assert frame.cell.volume > 0
        assert np.isfinite(frame.positions).all()
        results = frame.calc.results
        assert np.isfinite(results["energy"])
        assert np.isfinite(results["forces"]).all()
        assert results["forces"].shape == (len(frame), 3)
        assert results["energies"].sum() == pytest.approx(results["energy"], abs=1e-3)
    distances = [
        frame.get_all_distances(mic=True)[np.triu_indices(len(frame), 1)] for frame in frames
    ]
    assert np.min(distances) > 1.0
    assert np.ptp([frame.get_potential_energy() for frame in frames]) > 0.01


def test_its_frames_make_a_pool(sampled, tmp_path):
    *_, frames = sampled
    write_pool(tmp_path / "run.h5", frames)
    summary = join_runs(tmp_path / "pool.h5", {0: tmp_path / "run.h5"})
    again = read_frames(tmp_path / "pool.h5")
    for frame, read in zip(frames, again, strict=True):
        assert np.array_equal(frame.positions, read.positions)
        assert np.array_equal(frame.numbers, read.numbers)
    assert np.isfinite(summary["density_g_cm3"]).all()


def test_the_same_run_gives_the_same_bits(sampled, tmp_path):
    generator, system, run, frames = sampled
    again, _ = generator.sample(system, run, tmp_path / "again")
    for frame, other in zip(frames, again, strict=True):
        assert np.array_equal(frame.positions, other.positions)
        assert np.array_equal(frame.cell, other.cell)
        assert np.array_equal(frame.get_forces(), other.get_forces())
        assert frame.get_potential_energy() == other.get_potential_energy()


# the cheaper system tells
@pytest.mark.parametrize("sampled", [(name, "al") for name in OF_MD], indirect=True, ids="-".join)
def test_another_seed_gives_another_run(sampled, tmp_path):
    generator, system, run, frames = sampled
    other, _ = generator.sample(system, run | {"seed": run["seed"] % 1000 + 1}, tmp_path)
    assert not np.allclose(frames[0].positions, other[0].positions, atol=0.01)
