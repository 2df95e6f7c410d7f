"""Potentials by the user's own LAMMPS lines, and by any calculator: what they say of mistakes."""

import copy

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from samples import read_system

from minset.md.engines import potential_engine
from minset.md.run import Protocol, read_thermo, run_md
from minset.potential.forces import single_point
from minset.potential.lammps import commands, mistakes

LINES = ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs {species}"]
VALUE = {"potential": "lammps", "lines": LINES, "files": ["Al_mm.eam.fs"]}


@pytest.fixture
def al():
    return read_system("al")


@pytest.fixture
def frame():
    crystal = bulk("Al", "fcc", a=4.05, cubic=True) * (2, 2, 2)
    crystal.rattle(0.1, seed=3)
    return crystal


def test_the_users_lines_are_the_potential_that_they_name(al, frame):
    own, ours = single_point(al | {"potential": VALUE}, frame), single_point(al, frame)
    assert own.energy_eV == ours.energy_eV
    assert np.array_equal(own.forces_eV_A, ours.forces_eV_A)


def test_types_and_paths_take_their_places(kcl):
    lines = ["pair_style born/coul/long 9.0", "pair_coeff {K} {Cl} 0.2 0.3 3.0 1.0 -1.0"]
    made = commands(kcl | {"potential": {"lines": lines, "files": []}})
    assert made[1] == "pair_coeff 1 2 0.2 0.3 3.0 1.0 -1.0"
    assert [float(line.split()[2]) for line in made[2:]] == [39.0983, 35.453]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lines": ["shell rm -rf x"]}, "lines.0: 'shell' is none of pair_style"),
        ({"lines": ["pair_coeff * *"]}, "lines: there is no pair_style"),
        ({"lines": [*LINES, "pair_coeff {Xe} *"]}, "lines.2: {Xe} is no species; there are Al"),
        ({"files": ["Al_mn.eam.fs"]}, "files: there is no potential file Al_mn.eam.fs"),
    ],
)
def test_lines_that_cannot_be_used_are_told_before_a_run(change, told):
    assert any(told in line for line in mistakes(VALUE | change, ["Al"]))


def test_what_lammps_refuses_is_told_with_its_words(al, frame):
    value = VALUE | {"lines": ["pair_style eam/fs", "pair_coeff * * Al_mm.eam.fs Xe"]}
    with pytest.raises(ValueError, match=r"LAMMPS refuses `pair_coeff .* Xe`: .*"):
        single_point(al | {"potential": value}, frame)


def test_a_calculator_drives_molecular_dynamics_that_conserve_energy(al, frame, tmp_path):
    value = {"potential": "calculator", "calculator": "ase.calculators.emt:EMT"}
    value |= {"parameters": {}, "files": []}
    system = copy.deepcopy(al) | {"potential": value}
    protocol = Protocol("nve", (600.0, 600.0), 0.4, 2.0, 0.1, 0.02, seed=1)
    verdict = run_md(frame, system, potential_engine(), protocol, tmp_path)
    assert verdict["stable"]
    thermo = read_thermo(tmp_path)
    assert np.ptp(thermo["total_energy_eV"]) < 0.02 * np.ptp(thermo["potential_energy_eV"])
    frame.calc = EMT()
    assert thermo["potential_energy_eV"].iloc[0] == pytest.approx(frame.get_potential_energy())


def test_what_a_calculator_raises_ends_the_run(al, frame, tmp_path):
    value = {"potential": "calculator", "calculator": "ase.calculators.emt:EMT"}
    value |= {"parameters": {"asap_cutoff": "no number"}, "files": []}
    frame.symbols[0] = "W"
    system = {"species": {"Al": {"mass_u": 27.0}, "W": {"mass_u": 184.0}}, "potential": value}
    protocol = Protocol("nve", (600.0, 600.0), 0.1, 2.0, 0.1, 0.02, seed=1)
    with pytest.raises(Exception, match=r"No EMT-potential for W"):
        run_md(frame, system, potential_engine(), protocol, tmp_path)
