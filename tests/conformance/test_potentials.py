"""Every entry of POTENTIALS: its force calls, its files and what it says of a system."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest

from conformance.examples import example
from conformance.force_calls import CHECKS, off_its_sites
from minset.config.defaults import fill_hashes
from minset.label import LABELERS
from minset.potential import POTENTIALS, commands_of, contact_A
from minset.potential.forces import evaluator

pytestmark = pytest.mark.parametrize("name", POTENTIALS)


def system_and_frame(name: str):
    """The example's system, with the hashes of its files as a job gets them, and a tilted frame."""
    system, crystal = example("POTENTIALS", name)[0]()
    assert system["potential"]["potential"] == name
    assert fill_hashes({"potentials": {"example": system["potential"]}}) == []
    return system, off_its_sites(crystal)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_its_force_calls(name, check):
    system, frame = system_and_frame(name)
    check(lambda numbers: evaluator(system, numbers), frame, example("POTENTIALS", name)[1])


def test_it_needs_the_charges_of_its_species_or_does_not_see_them(name):
    system, frame = system_and_frame(name)
    other = copy.deepcopy(system)
    for number, species in enumerate(other["species"].values()):
        species["charge"] = 0.9 * species.get("charge", (-1) ** number)
    calls = [evaluator(s, frame.numbers)(frame.positions, frame.cell[:]) for s in (system, other)]
    difference = np.abs(calls[0].forces_eV_A - calls[1].forces_eV_A).max()
    assert difference > 0.01 if POTENTIALS[name].needs_charges else difference == 0.0


def test_a_contact_is_a_distance_between_two_atoms(name):
    system, _ = system_and_frame(name)
    for a in system["species"]:
        for b in system["species"]:
            assert 0.5 < contact_A(system, a, b) == contact_A(system, b, a) < 6.0


def used(system: dict, frame) -> None:
    """What a job does first: LAMMPS commands, or force calls, of a system."""
    if POTENTIALS[system["potential"]["potential"]].commands:
        commands_of(system)
    else:
        evaluator(system, frame.numbers)


def test_its_value_is_not_changed_by_being_used(name):
    system, frame = system_and_frame(name)
    before = copy.deepcopy(system)
    used(system, frame)
    POTENTIALS[name].files(system["potential"])
    POTENTIALS[name].mistakes(system["potential"], list(system["species"]))
    evaluator(system, frame.numbers)(frame.positions, frame.cell[:])
    assert system == before


def test_a_species_that_it_does_not_know_is_a_mistake(name):
    system, _ = system_and_frame(name)
    record, species = POTENTIALS[name], list(system["species"])
    assert record.mistakes(system["potential"], species) == []
    if name in ("calculator", "lammps"):
        pytest.skip("only the calculator, or LAMMPS when it reads the lines, knows its elements")
    if name == "coulomb":
        pytest.skip("it takes every species that has a charge")
    found = record.mistakes(system["potential"], [*species, "Xe"])
    assert found
    for line in found:
        assert "Xe" in line
        assert line.split(":")[0].split(".")[0] in record.options
        assert "\n" not in line


def test_where_its_files_are_decides_no_label(name):
    system, frame = system_and_frame(name)
    value = system["potential"]
    names = {Path(path).name for path in POTENTIALS[name].files(value)}
    elsewhere = value | {
        key: moved(value[key], lambda file: f"/somewhere/else/{file}")
        for key in POTENTIALS[name].aside & set(value)
    }
    physics = LABELERS["potential"].physics
    here, there = (physics({"potential": v, "charges": {}}, frame) for v in (value, elsewhere))
    assert here == there
    assert not names or "sha256" in here["potential"]


def moved(place, elsewhere):
    """An option that says where something is, with another place."""
    if isinstance(place, list):
        return [moved(each, elsewhere) for each in place]
    return elsewhere(Path(place).name) if isinstance(place, str) else place


def test_other_content_of_its_files_is_another_potential(name, tmp_path):
    """A job that was given the hash of a file computes nothing with what came in its place."""
    system, frame = system_and_frame(name)
    value = system["potential"]
    paths = [Path(path) for path in POTENTIALS[name].files(value)]
    assert all(path.is_file() for path in paths)
    if not paths:
        pytest.skip("it reads no files")
    for path in paths:
        copied = Path(shutil.copy(path, tmp_path))
        key = "files" if "files" in value else "file"
        system["potential"] = value | {key: moved(value[key], lambda file: str(tmp_path / file))}
        assert POTENTIALS[name].files(system["potential"]) == [str(copied)]
        used(system, frame)
        with copied.open("a") as file:
            file.write("\n")
        with pytest.raises(ValueError, match="sha256") as refused:
            used(system, frame)
        assert copied.name in str(refused.value)
        copied.unlink()
        with pytest.raises(OSError, match=copied.name):
            used(system, frame)
