"""The label store: a key for what changes a label, and nothing lost or half written."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from jsonschema import Draft202012Validator

from minset.label import LABELERS, cp2k, potential
from minset.label.store import (
    Failure,
    Label,
    failure_path,
    label_key,
    label_path,
    read_failure,
    read_label,
    write_failure,
    write_label,
)

VERSION_0_1 = Path(__file__).parents[1] / "version-0.1"
SETTINGS = {"cutoff_Ry": 400, "kinds": {"K": {"basis_set": "SZV"}}, "eps_scf": 1e-6}


def frame() -> Atoms:
    rng = np.random.default_rng(7)
    return Atoms("K2Cl2", rng.normal(size=(4, 3)) * 3, cell=rng.normal(size=(3, 3)) * 9, pbc=True)


def stored_label() -> Label:
    rng = np.random.default_rng(8)
    atoms = frame()
    return Label(
        key=label_key(atoms, "toy", SETTINGS),
        atoms=atoms,
        energy_eV=-1 / 3,
        forces_eV_A=rng.normal(size=(4, 3)) * 1e-9,
        stress_eV_A3=rng.normal(size=(3, 3)) / 7,
        provenance={"labeler": "toy", "settings": SETTINGS, "net_force_eV_A": 1e-17},
    )


def test_key_changes_with_all_that_changes_a_label():
    atoms = frame()
    keys = {label_key(atoms, "toy", SETTINGS), label_key(atoms, "other", SETTINGS)}
    keys.add(label_key(atoms, "toy", SETTINGS | {"cutoff_Ry": 401}))
    keys.add(label_key(atoms, "toy", SETTINGS | {"kinds": {"K": {"basis_set": "DZVP"}}}))
    for change in ("positions", "cell", "numbers", "pbc", "order"):
        other = frame()
        if change == "positions":
            other.positions[0, 0] = np.nextafter(other.positions[0, 0], 1e9)
        elif change == "cell":
            other.cell[1, 2] = np.nextafter(other.cell[1, 2], 1e9)
        elif change == "numbers":
            other.numbers[0] = 11
        elif change == "pbc":
            other.pbc = (True, True, False)
        else:
            other = other[::-1]
        keys.add(label_key(other, "toy", SETTINGS))
    assert len(keys) == 9
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


def test_key_ignores_what_does_not_change_a_label():
    atoms, other = frame(), frame()
    other.info["name"] = "frame 3"
    other.set_initial_charges([1, 1, -1, -1])
    reordered = dict(reversed(SETTINGS.items())) | {"cutoff_Ry": 400.0}
    atoms.positions[0], other.positions[0] = (0.0, 1.0, 2.0), (-0.0, 1.0, 2.0)
    assert label_key(atoms, "toy", SETTINGS) == label_key(other, "toy", reordered)


def test_key_of_cp2k_ignores_command_effort_and_elements_of_other_frames():
    settings = {**SETTINGS, "command": "cp2k.psmp", "timeout_s": 60, "max_scf": 30}
    other = settings | {"command": "mpirun -np {threads} cp2k.psmp", "timeout_s": 7200}
    other |= {"max_scf": 60, "max_outer_scf": 3}
    other["kinds"] = {"Na": {"basis_set": "DZVP"}} | SETTINGS["kinds"]
    for each in (settings, other):
        assert cp2k.physics(each, frame()) == SETTINGS


def test_labels_of_cp2k_have_the_keys_that_version_0_1_gave_them(kcl):
    """They are the dear ones."""
    cell = [[0, 3.0, 3.0], [3.0, 0, 3.0], [3.0, 3.0, 0.3]]
    atoms = Atoms("KCl", [[0, 0, 0.2], [3.0, 2.9, 3.0]], cell=cell, pbc=True)
    of_then = yaml.safe_load((VERSION_0_1 / "systems/kcl.yaml").read_text())
    settings = cp2k.settings_of(kcl | {"cp2k": of_then["cp2k"]}, {"dispersion": "d3"})
    key = label_key(atoms, "cp2k", cp2k.physics(settings, atoms))
    assert key == "acfd4298870e94b86abbfe0eb5127ea3"


POTENTIAL = {
    "potential": "tosi_fumi",
    "pairs": {"K-K": {"A_eV": 1}, "Cl-K": {"A_eV": 2}, "Cl-Cl": {"A_eV": 3}, "Na-K": {"A_eV": 4}},
    "published_sign": False,
}
CHARGES = {"K": 1.0, "Na": 1.0, "Cl": -1.0}


def test_key_of_a_potential_has_what_acts_in_the_frame():
    settings = {"potential": POTENTIAL, "charges": CHARGES}
    pairs = {"K-K": {"A_eV": 1}, "Cl-K": {"A_eV": 2}, "Cl-Cl": {"A_eV": 3}}
    here = {"potential": POTENTIAL | {"pairs": pairs}, "charges": {"K": 1.0, "Cl": -1.0}}
    assert potential.physics(settings, frame()) == here
    turned = {"K-Cl" if name == "Cl-K" else name: p for name, p in POTENTIAL["pairs"].items()}
    other = {"potential": POTENTIAL | {"pairs": turned}, "charges": CHARGES | {"Na": 0.9}}
    assert potential.physics(other, frame()) == here
    ion = potential.physics(settings, Atoms("K"))
    assert (list(ion["potential"]["pairs"]), ion["charges"]) == (["K-K"], {"K": 1.0})


def test_key_of_a_potential_knows_files_by_their_content():
    value = {"potential": "eam", "file": "here/Al.eam.fs", "sha256": "12ab"}
    # and it has no charges, whatever the system says
    moved = potential.physics({"potential": value, "charges": CHARGES}, frame())
    assert moved == {"potential": {"potential": "eam", "sha256": "12ab"}, "charges": {}}


def test_settings_of_a_potential_name_one_of_the_system():
    system = {"name": "KCl", "species": {"K": {"charge": 1.0}, "Cl": {}}}
    system["potentials"] = {
        "physical": POTENTIAL,
        "published": POTENTIAL | {"published_sign": True},
    }
    charges = {"K": 1.0, "Cl": 0.0}
    for given, name in (({}, "physical"), ({"potential": "published"}, "published")):
        assert potential.mistakes(system, given) == []
        expected = {"potential": system["potentials"][name], "charges": charges}
        assert potential.settings_of(system, given) == expected
    (mistake,) = potential.mistakes(system, {"potential": "bmhtf"})
    assert mistake == (
        "labels.settings.potential: KCl has no potential 'bmhtf'; choose from physical, published"
    )
    (mistake,) = potential.mistakes({"name": "KCl"}, {})
    assert "needs an entry of `potentials` in the file of KCl" in mistake


@pytest.mark.parametrize("name", sorted(LABELERS))
def test_every_labeler_has_the_name_it_is_registered_under(name):
    labeler = LABELERS[name]
    assert labeler.name == name
    assert callable(labeler.label)
    assert (Path(__file__).parents[2] / "envs" / f"{labeler.environment}.yaml").exists()
    for option in labeler.options.values():
        assert option["description"]
        Draft202012Validator.check_schema(option)
    assert set(labeler.required) <= set(labeler.options)


def test_cost_of_cp2k_grows_with_ions_method_and_dispersion():
    settings = {"method": "GPW", "dispersion": "d3"}
    assert cp2k.seconds(settings, 32) == 150
    assert cp2k.seconds(settings, 64) == 600
    assert cp2k.seconds({"method": "GAPW", "dispersion": "rvv10"}, 32) == 600
    assert potential.seconds({}, 32) < 1 < cp2k.megabytes(settings, 32)


def test_key_refuses_positions_that_are_no_numbers():
    atoms = frame()
    atoms.positions[1, 1] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        label_key(atoms, "toy", SETTINGS)


def test_label_comes_back_to_the_last_bit(tmp_path):
    label = stored_label()
    write_label(tmp_path, label)
    back = read_label(tmp_path, label.key)
    assert back.energy_eV == label.energy_eV
    for name in ("forces_eV_A", "stress_eV_A3"):
        assert getattr(back, name).tobytes() == getattr(label, name).tobytes()
    assert back.atoms.positions.tobytes() == label.atoms.positions.tobytes()
    assert back.atoms.cell[:].tobytes() == label.atoms.cell[:].tobytes()
    assert back.atoms == label.atoms
    assert back.atoms.calc is None
    assert back.provenance == label.provenance
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{label.key}.json"]


def test_absent_label_is_none(tmp_path):
    assert read_label(tmp_path, "0" * 32) is None
    assert read_failure(tmp_path, "0" * 32) is None


@pytest.mark.parametrize("damage", ["truncated", "empty", "bit", "binary", "list", "other key"])
def test_damaged_label_is_moved_aside_and_counts_as_absent(tmp_path, damage):
    label = stored_label()
    write_label(tmp_path, label)
    path, key = label_path(tmp_path, label.key), label.key
    text = path.read_text()
    if damage == "other key":
        key = key[:2] + key[2:][::-1]
        path = path.rename(path.with_name(f"{key}.json"))
    elif damage == "bit":
        path.write_text(text.replace('"energy_eV": -0.3333333333333333', '"energy_eV": -0.33'))
        assert path.read_text() != text
    else:
        broken = {"truncated": text[:-40], "empty": "", "list": "[1]", "binary": b"\xff\xfe\x00"}
        damaged = broken[damage]
        path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    with pytest.warns(UserWarning, match="damaged.*corrupt-1"):
        assert read_label(tmp_path, key) is None
    assert read_label(tmp_path, key) is None
    assert path.with_name(f"{key}.json.corrupt-1").exists()
    # a second damaged file does not replace the first
    path.write_text("{")
    with pytest.warns(UserWarning, match="corrupt-2"):
        assert read_label(tmp_path, key) is None


def test_a_label_that_cannot_be_written_leaves_the_old_one(tmp_path):
    label = stored_label()
    write_label(tmp_path, label)
    before = label_path(tmp_path, label.key).read_bytes()
    broken = Label(label.key, label.atoms, float("nan"), label.forces_eV_A, label.stress_eV_A3, {})
    with pytest.raises(ValueError, match="JSON"):
        write_label(tmp_path, broken)
    assert label_path(tmp_path, label.key).read_bytes() == before
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{label.key}.json"]


def test_failure_comes_back(tmp_path):
    failure = Failure("SCF not converged", True, 2, "failures/ab/run-1/a.out", "toy", SETTINGS, 0.2)
    write_failure(tmp_path, "ab", failure)
    assert read_failure(tmp_path, "ab") == failure
    assert json.loads(failure_path(tmp_path, "ab").read_text())["permanent"] is True
