"""Pools that begin with a crystal, and the generalised replica exchange ensemble."""

import shutil

import numpy as np
import pytest
from samples import label_settings, read_system
from studies import GREM as GREM_OF_KCL
from studies import STUDY, alter, mistakes

from minset.label.potential import label
from minset.md.start import crystal_start_needs, start_from_crystal
from minset.pool.grem import plan
from minset.pool.grem_run import run_grem
from minset.pool.npt import run_npt
from minset.pool.npt_grid import plan as npt_grid
from minset.units import BAR_EV_A3, BOLTZMANN_EV_K

ATOMS = 32
# of the potential, at rest: energy per atom of the crystal
AT_REST_EV = -4.8764
EACH = {
    "ions": ATOMS,
    "timestep_fs": 2.0,
    "equilibration_ps": 4.5,
    "duration_ps": 20.0,
    "frames": 200,
    "start": "crystal",
    "seed": 5,
}
GREM = EACH | {
    "lambdas_K": [1160.0],
    "eta_K_per_eV_atom": -5000.0,
    "enthalpy_eV_atom": -4.88,
    "bath_K": 1200.0,
    "pressure_bar": 1.0,
}


@pytest.fixture(scope="module")
def ni():
    return read_system("ni")


def energies(frames):
    """Potential energy per atom in eV."""
    return np.array([frame.get_potential_energy() for frame in frames]) / ATOMS


def volumes(frames):
    return np.array([frame.cell.volume for frame in frames]) / ATOMS


@pytest.fixture(scope="module")
def npt_700K(ni, tmp_path_factory):
    (run,) = npt_grid(EACH | {"temperatures_K": [700], "pressures_bar": [1.0]})
    return run_npt(ni, run, tmp_path_factory.mktemp("npt"))


def test_a_crystal_of_npt_stays_one_and_is_no_failure(npt_700K):
    """Its energy is 3/2 kB T per degree of freedom above that at rest, less what anharmonicity takes."""
    assert npt_700K.note == ""
    assert len(npt_700K.frames) == 200
    equipartition = 1.5 * BOLTZMANN_EV_K * 700 * (ATOMS - 1) / ATOMS
    mean = energies(npt_700K.frames).mean() - AT_REST_EV
    assert mean == pytest.approx(equipartition, rel=0.08)
    first, last = npt_700K.frames[0], npt_700K.frames[-1]
    moved = first.get_scaled_positions() - last.get_scaled_positions()
    assert np.abs((moved - moved.round()) @ first.cell).max() < 1.2


def test_without_a_slope_it_is_npt_at_lambda_whatever_the_bath(ni, npt_700K, tmp_path):
    flat = GREM | {"eta_K_per_eV_atom": 0.0, "lambdas_K": [700.0]}
    frames = run_grem(ni, plan(flat)[0], tmp_path).frames
    assert [frame.info["temperature_K"] for frame in frames] == pytest.approx([700] * 200)
    # one standard error is 1 meV/atom; 1200 K would be 65 above
    assert energies(frames).mean() == pytest.approx(energies(npt_700K.frames).mean(), abs=4e-3)
    assert volumes(frames).mean() == pytest.approx(volumes(npt_700K.frames).mean(), rel=4e-3)


@pytest.fixture(scope="module")
def inclined_in(ni, tmp_path_factory):
    """Folder and frames of a lambda whose line meets the crystal's at about 700 K."""
    folder = tmp_path_factory.mktemp("grem")
    return folder, run_grem(ni, plan(GREM)[0], folder).frames


@pytest.fixture(scope="module")
def inclined(inclined_in):
    return inclined_in[1]


def test_the_temperature_of_a_frame_is_on_the_line(inclined):
    temperatures = np.array([frame.info["temperature_K"] for frame in inclined])
    enthalpy = energies(inclined) + BAR_EV_A3 * 1.0 * volumes(inclined)
    assert temperatures == pytest.approx(1160 - 5000 * (enthalpy + 4.88), abs=1e-3)


def test_the_line_meets_the_temperature_that_the_crystal_has_at_its_mean_enthalpy(
    inclined, npt_700K
):
    """dU/dT of the classical crystal from the run at 700 K, over the few K between the two."""
    temperature = np.mean([frame.info["temperature_K"] for frame in inclined])
    slope = 1.5 * BOLTZMANN_EV_K * (ATOMS - 1) / ATOMS
    expected = energies(npt_700K.frames).mean() + slope * (temperature - 700)
    assert 650 < temperature < 750
    assert energies(inclined).mean() == pytest.approx(expected, abs=4e-3)
    # the line is steeper than the crystal's, so enthalpies spread less than in NPT
    assert energies(inclined).std() < 0.75 * energies(npt_700K.frames).std()


def test_forces_are_those_of_the_potential(ni, inclined, tmp_path):
    for frame in (inclined[0], inclined[-1]):
        forces = label(frame, label_settings(ni), tmp_path, 1).forces_eV_A
        assert frame.get_forces() == pytest.approx(forces, abs=1e-5)


def test_a_killed_run_goes_on_to_the_same_frames(ni, inclined_in, tmp_path):
    folder, frames = inclined_in
    for k in range(4):
        shutil.copytree(folder / f"settle-{k}", tmp_path / f"settle-{k}")
    again = run_grem(ni, plan(GREM)[0], tmp_path).frames
    assert np.array_equal(energies(again), energies(frames))


@pytest.mark.slow
def test_a_few_lambdas_leave_no_enthalpy_between_crystal_and_liquid_without_frames(ni, tmp_path):
    """At one temperature the crystal and the liquid are 0.15 eV/atom apart, with nothing between."""
    few = {"lambdas_K": {"from": 1600, "to": 5200, "number": 4}, "bath_K": 1850.0, "start": "both"}
    short = {"duration_ps": 8.0, "frames": 80}
    found = []
    for run in plan(GREM | few | short):
        frames = run_grem(ni, run | {"density_g_cm3": 7.7}, tmp_path / run["name"]).frames
        found += energies(frames).tolist()
    between = [e for e in sorted(found) if -4.74 < e < -4.25]
    assert np.diff(between).max() < 0.03  # some meV are usual
    assert min(found) < -4.74
    assert max(found) > -4.25


def test_a_range_of_lambdas_is_a_list_and_both_starts_make_two_runs():
    listed = GREM | {"lambdas_K": [1500.0, 2000.0, 2500.0], "start": "both"}
    ranged = listed | {"lambdas_K": {"from": 1500, "to": 2500, "number": 3}}
    runs = plan(listed)
    assert plan(ranged) == runs
    assert [run["name"] for run in runs[:2]] == ["lambda1500", "lambda1500-crystal"]
    assert [run.get("start") for run in runs] == [None, "crystal"] * 3
    assert len({run["seed"] for run in runs}) == 6
    assert plan(listed | {"lambdas_K": [2000.0]}) == runs[2:4]


def test_a_start_is_the_crystal_of_the_system_as_nearly_cubic_as_it_can_be(ni):
    start = start_from_crystal(ni, 108)
    assert start.cell.lengths() == pytest.approx([3 * 3.52] * 3)
    assert start.get_all_distances(mic=True)[0, 1:].min() == pytest.approx(3.52 / 2**0.5)
    salt = read_system("kcl") | {"crystal": {"structure": "rocksalt", "a_A": 6.29}}
    start = start_from_crystal(salt, 64)
    assert start.get_chemical_formula("reduce") == "K32Cl32"
    assert start.get_all_distances(mic=True)[0, 1:].min() == pytest.approx(6.29 / 2)


def test_numbers_of_atoms_that_make_no_crystal_are_refused(ni):
    assert crystal_start_needs(ni, 108) == ""
    assert "use 28 or 32" in crystal_start_needs(ni, 30)


MISTAKES = {
    "crystal of a number of ions that makes none": (
        {"pool/start": "crystal", "pool/ions": 36},
        "pool.start: the crystal of KCl has 8 atoms in a cell, of which 36 is no multiple; use 32 or 40",
    ),
    "lambdas without a range": (
        {"pool": GREM_OF_KCL | {"lambdas_K": {"from": 1500, "to": 1500, "number": 3}}},
        "pool.lambdas_K: `from` and `to` are the same; give one number in a list",
    ),
    "a slope that makes the transition worse": (
        {"pool": GREM_OF_KCL | {"eta_K_per_eV_atom": 3000}},
        "pool.eta_K_per_eV_atom: 3000 is greater than the maximum of 0",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_gives_one_line_with_key_and_remedy(case, config):
    changes, told = MISTAKES[case]
    alter(config, STUDY, changes)
    (line,) = mistakes(config)
    assert told in line
