"""The espresso labeler: right energy, forces, stress and verdict of pw.x, and mistakes before a run."""

import io
import os
import re
import shutil
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from minset.label import LABELERS, espresso
from minset.label.batch import label_batch
from minset.label.check import check_label
from minset.label.espresso_output import complaint, parse_output, scf_steps, scf_verdict, version_of
from minset.label.kpoints import kpoints_of
from minset.label.store import LabelerUnusable, LabelFailed, canonical_json

PSEUDOPOTENTIALS = Path("/usr/share/espresso/pseudo")
needs_pw = pytest.mark.skipif(
    shutil.which("pw.x") is None or not (PSEUDOPOTENTIALS / "Si.pz-vbc.UPF").exists(),
    reason="Quantum ESPRESSO is not installed: envs/setup.sh espresso",
)
SILICON = {
    "pseudopotentials": {"Si": "Si.pz-vbc.UPF"},
    "input": {"system": {"ecutwfc": 16}, "electrons": {"conv_thr": 1e-10}},
    "kpoints": [1, 1, 1],
}
SMEARED = {"occupations": "smearing", "smearing": "gaussian", "degauss": 0.05}
ALUMINIUM = {
    "pseudopotentials": {"Al": "Al.pz-vbc.UPF"},
    "input": {"system": {"ecutwfc": 12} | SMEARED, "electrons": {"conv_thr": 1e-10}},
    "kpoints": [2, 2, 2],
}
# what pw.x 6.7 wrote, shortened
OUTPUT = """
     Program PWSCF v.6.7MaX starts on 25Nov2026 at 22:10:46
     iteration #  1     ecut=    20.00 Ry     beta= 0.70
     total energy              =      -8.50000000 Ry
     iteration #  2     ecut=    20.00 Ry     beta= 0.70

!    total energy              =      -8.61523177 Ry
     Harris-Foulkes estimate   =      -8.61523177 Ry
     smearing contrib. (-TS)   =      -0.00010000 Ry

     convergence has been achieved in   2 iterations

     Forces acting on atoms (cartesian axes, Ry/au):

     atom    1 type  1   force =    -0.01822280    0.04193493   -0.02144229
     atom    2 type  1   force =     0.01822280   -0.04193493    0.02144229
     The non-local contrib.  to forces
     atom    1 type  1   force =     1.00000000    0.00000000    0.00000000
     atom    2 type  1   force =     1.00000000    0.00000000    0.00000000

     Total force =     0.087895     Total SCF correction =     0.000017

     Computing stress (Cartesian axis) and pressure

          total   stress  (Ry/bohr**3)                   (kbar)     P=      -47.46
  -0.00040530  -0.00003812  -0.00001330          -59.62       -5.61       -1.96
  -0.00003812  -0.00017075  -0.00003386           -5.61      -25.12       -4.98
  -0.00001330  -0.00003386  -0.00039188           -1.96       -4.98      -57.65

   JOB DONE.
"""
BOX = """
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%
     Error in routine cdiaghg (12):
     S matrix not positive definite
 %%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%

     stopping ...
"""


def silicon() -> Atoms:
    atoms = bulk("Si", a=5.43)
    atoms.rattle(0.05, seed=1)
    return atoms


def aluminium() -> Atoms:
    atoms = bulk("Al", "hcp", a=2.8, c=4.7)
    atoms.rattle(0.1, seed=2)
    return atoms


def system(section: dict) -> dict:
    species = {element: {"count": 1} for element in section["pseudopotentials"]}
    return {"name": "X", "species": species, "espresso": section}


@pytest.fixture
def pseudopotentials(tmp_path) -> Path:
    """A folder with a file that stands for a pseudopotential where pw.x does not read it."""
    folder = tmp_path / "pseudo"
    folder.mkdir()
    for name in ("Si.pz-vbc.UPF", "Al.pz-vbc.UPF"):
        (folder / name).write_text(name)
    return folder


def compute(atoms: Atoms, section: dict, folder: Path, **given):
    given = {"pseudo_folder": str(PSEUDOPOTENTIALS), "timeout_s": 300} | given
    assert espresso.mistakes(system(section), given) == []
    return espresso.label(atoms, espresso.settings_of(system(section), given), folder, threads=1)


@needs_pw
@pytest.mark.parametrize(
    ("atoms", "section"), [(silicon(), SILICON), (aluminium(), ALUMINIUM)], ids=["Si", "Al"]
)
def test_forces_are_the_derivatives_of_the_energy(atoms, section, tmp_path):
    """Of aluminium with smeared occupations too: that energy is the free one."""
    raw = compute(atoms, section, tmp_path)
    check_label(raw, len(atoms), net_force_gate_eV_A=1e-3)
    assert not (tmp_path / "out").exists()
    assert raw.info["version"].startswith("pw.x ")
    step_A, axis = 0.005, int(np.abs(raw.forces_eV_A[0]).argmax())
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[0, axis] += sign * step_A
        energies.append(compute(moved, section, tmp_path).energy_eV)
    numerical = -(energies[0] - energies[1]) / (2 * step_A)
    assert abs(numerical) > 0.1
    assert raw.forces_eV_A[0, axis] == pytest.approx(numerical, abs=2e-3)


@needs_pw
def test_stress_is_the_strain_derivative_of_the_energy_at_a_high_cutoff(tmp_path):
    section = SILICON | {"input": {"system": {"ecutwfc": 60}, "electrons": {"conv_thr": 1e-11}}}
    atoms, strain = silicon(), 0.004
    atoms.set_cell(atoms.cell[:] * 0.97, scale_atoms=True)
    raw = compute(atoms, section, tmp_path)
    for i, j in ((0, 0), (0, 1)):
        energies = []
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[i, j] += sign * strain / 2
            deformation[j, i] += sign * strain / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell[:] @ deformation.T, scale_atoms=True)
            energies.append(compute(strained, section, tmp_path).energy_eV)
        numerical = (energies[0] - energies[1]) / (2 * strain) / atoms.get_volume()
        assert raw.stress_eV_A3[i, j] == pytest.approx(numerical, abs=5e-4)
    # ASE's sign: the squeezed crystal pushes outwards
    assert np.trace(raw.stress_eV_A3) < -0.05


@needs_pw
def test_unconverged_is_no_label_and_more_steps_try_again(tmp_path):
    frames, gate = [("one", silicon()), ("two", bulk("Si", a=5.6))], 0.01
    folders = tmp_path / "store", tmp_path / "work"
    for steps, status in ((2, "failed"), (2, "failed"), (60, "labelled")):
        given = {"pseudo_folder": str(PSEUDOPOTENTIALS)}
        given["input"] = {"electrons": {"electron_maxstep": steps}}
        settings = espresso.settings_of(system(SILICON), given)
        rows = label_batch(frames, LABELERS["espresso"], settings, *folders, gate, log=str)
        assert [row["status"] for row in rows] == [status] * 2
        if status == "failed":
            assert rows[0]["reason"].startswith("SCF not converged in 2 steps")
            assert not any(row["try_again"] for row in rows)
    assert list((tmp_path / "store").glob("failures/*/run-1/pw.out")) == []


@needs_pw
def test_values_are_those_that_ase_reads(tmp_path):
    raw = compute(aluminium(), ALUMINIUM, tmp_path)
    read = ase.io.read(tmp_path / "pw.out", format="espresso-out")
    assert raw.energy_eV == pytest.approx(
        read.get_potential_energy(force_consistent=True), abs=1e-9
    )
    np.testing.assert_allclose(raw.forces_eV_A, read.get_forces(), atol=1e-12)
    np.testing.assert_allclose(raw.stress_eV_A3, read.get_stress(voigt=False), atol=1e-12)
    assert raw.info["scf_steps"] == scf_steps((tmp_path / "pw.out").read_text()) > 3


def test_output_of_a_converged_run():
    energy, forces, stress = parse_output(OUTPUT, 2)
    assert energy == pytest.approx(-8.61523177 * 13.6056919, abs=1e-5)
    assert forces[0, 1] == pytest.approx(0.04193493 * 13.6056919 / 0.52917721, rel=1e-7)
    # 59.62 kbar, in eV/A^3
    assert stress[0, 0] == pytest.approx(59.62 * 6.241509e-4, rel=1e-3)
    assert (version_of(OUTPUT), scf_verdict(OUTPUT), scf_steps(OUTPUT)) == ("6.7MaX", True, 2)
    hybrid = OUTPUT.replace("     Harris", "!!   total energy        =    -9.0 Ry\n     Harris", 1)
    assert parse_output(hybrid, 2)[0] == pytest.approx(-9.0 * 13.6056919, abs=1e-5)


def test_verdict_is_that_of_pw():
    stopped = OUTPUT.replace("has been achieved in   2", "NOT achieved after   2")
    assert scf_verdict(stopped) is False
    assert scf_verdict(OUTPUT + stopped) is False
    assert scf_verdict("") is None
    assert complaint(BOX) == "Error in routine cdiaghg (12): S matrix not positive definite"
    assert complaint(OUTPUT) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-0.04193493", "***********", r"number cannot be read: .*\*{11}"),
        ("     atom    2 type  1   force =     0.0", "     0.0", "forces of .* instead of 2"),
        ("-0.00017075", "***********", "number cannot be read"),
        ("-8.61523177 Ry\n     Harris", "******* Ry\n     Harris", "number cannot be read"),
    ],
)
def test_stars_are_a_failure_of_their_frame(old, new, message):
    with pytest.raises(LabelFailed, match=message) as failed:
        parse_output(OUTPUT.replace(old, new), 2)
    assert failed.value.permanent


@pytest.mark.parametrize(
    ("old", "what"),
    [
        ("!    total", "total energy"),
        ("Forces acting", "Forces acting"),
        ("total   s", "total   s"),
    ],
)
def test_a_wording_that_is_not_known_blames_no_frame(old, what):
    with pytest.raises(LabelerUnusable, match=f"pw.x 6.7MaX ended normally, .*no {what}"):
        parse_output(OUTPUT.replace(old, "else"), 2)


@pytest.mark.parametrize(
    ("program", "permanent", "message"),
    [
        (
            f"printf '%s' '{BOX}'; exit 1",
            False,
            "pw.x ended with exit code 1: Error in routine cdi",
        ),
        ("kill -9 $$", False, "pw.x was killed by signal 9: no output at all"),
        ("echo no space >&2; exit 3", False, "pw.x ended with exit code 3: no space"),
        (
            f"echo '{OUTPUT.partition('Forces')[0]}'",
            False,
            "pw.x wrote an output that is cut short",
        ),
        ("sleep 60", False, r"pw.x stopped at the time limit of 1 s \(labels.settings.timeout_s\)"),
        (
            f"echo '{OUTPUT.replace('has been achieved in', 'NOT achieved after')}'; exit 2",
            True,
            "SCF not converged in 2 steps",
        ),
    ],
)
def test_each_bad_end_is_told(program, permanent, message, tmp_path, pseudopotentials):
    script = tmp_path / "pw.sh"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    given = {"command": str(script), "pseudo_folder": str(pseudopotentials), "timeout_s": 1}
    started = time.monotonic()
    with pytest.raises(LabelFailed, match=message) as failed:
        compute(silicon(), SILICON, tmp_path / "frame", **given)
    assert failed.value.permanent is permanent
    assert failed.value.output == tmp_path / "frame/pw.out"
    assert time.monotonic() - started < 60


def test_missing_pw_is_told_with_its_remedies(tmp_path, pseudopotentials):
    given = {"command": "no-such-pw.x", "pseudo_folder": str(pseudopotentials)}
    with pytest.raises(FileNotFoundError, match=r"no-such-pw.*apt-get install quantum-espresso"):
        compute(silicon(), SILICON, tmp_path, **given)


def test_a_pseudopotential_that_changes_during_a_run_stops_it(tmp_path, pseudopotentials):
    settings = espresso.settings_of(system(SILICON), {"pseudo_folder": str(pseudopotentials)})
    (pseudopotentials / "Si.pz-vbc.UPF").write_text("other")
    settings["command"] = "true"
    with pytest.raises(LabelerUnusable, match=r"Si\.pz-vbc\.UPF has changed since the run began"):
        espresso.label(silicon(), settings, tmp_path / "frame", 1)


def test_pseudopotentials_count_by_content_and_element(pseudopotentials, tmp_path):
    section = SILICON | {"pseudopotentials": {"Si": "Si.pz-vbc.UPF", "Al": "Al.pz-vbc.UPF"}}

    def physics(folder=pseudopotentials, **given) -> str:
        settings = espresso.settings_of(system(section), given | {"pseudo_folder": str(folder)})
        return canonical_json(espresso.physics(settings, silicon()))

    before = physics()
    shutil.copytree(pseudopotentials, tmp_path / "elsewhere")
    assert physics(tmp_path / "elsewhere") == before
    (pseudopotentials / "Al.pz-vbc.UPF").write_text("another")
    assert physics() == before
    assert physics(input={"ELECTRONS".lower(): {"Mixing_Beta": 0.2}}) == before
    assert physics(input={"system": {"ecutwfc": 30}}) != before
    assert physics(kpoints=[2, 2, 2]) != before
    (pseudopotentials / "Si.pz-vbc.UPF").write_text("another")
    assert physics() != before


def test_input_holds_the_frame(tmp_path, pseudopotentials):
    given = {"command": "false", "pseudo_folder": str(pseudopotentials), "kpoints": [2, 1, 3]}
    with pytest.raises(LabelFailed):
        compute(silicon(), SILICON, tmp_path, **given)
    text = (tmp_path / "pw.in").read_text()
    read = ase.io.read(io.StringIO(text), format="espresso-in")
    np.testing.assert_allclose(read.positions, silicon().positions, atol=1e-9)
    np.testing.assert_allclose(read.cell[:], silicon().cell[:], atol=1e-12)
    for line in ("tprnfor = .true.", "tstress = .true.", "disk_io = 'none'", "2 1 3 0 0 0"):
        assert line in re.sub(" +", " ", text)
    gamma = {"command": "false", "pseudo_folder": str(pseudopotentials)}
    with pytest.raises(LabelFailed):
        compute(silicon(), SILICON, tmp_path, **gamma)
    assert "K_POINTS gamma" in (tmp_path / "pw.in").read_text()


def test_spacing_of_kpoints_makes_a_grid():
    cell = Atoms(cell=[4.0, 8.0, 100.0], pbc=True)
    assert kpoints_of(cell, 2 * np.pi / 16) == [4, 2, 1]
    assert kpoints_of(cell, 2 * np.pi / 16 * 1.01) == [4, 2, 1]
    assert kpoints_of(cell, 2 * np.pi / 16 * 0.99) == [5, 3, 1]


def test_mistakes_are_told_before_a_run(pseudopotentials, monkeypatch):
    monkeypatch.delenv("ESPRESSO_PSEUDO", raising=False)
    folder = {"pseudo_folder": str(pseudopotentials)}

    def found(given: dict, **section) -> str:
        (mistake,) = espresso.mistakes(system(SILICON | section), given)
        assert "\n" not in mistake
        return mistake

    assert "labels.settings.pseudo_folder: name the folder" in found({})
    assert f"there is no Si.other.UPF in {pseudopotentials}" in found(
        folder, pseudopotentials={"Si": "Si.other.UPF"}
    )
    for inputs, message in (
        (
            {"system": {"ecutwfk": 10}},
            "system.ecutwfk: pw.x has no such key in &SYSTEM; is it ecutw",
        ),
        ({"control": {"tstress": False}}, "control.tstress: minset sets it"),
        ({"system": {"hubbard_u(1)": 3}}, "the numbers of species differ from frame to frame"),
        ({"sytem": {}}, "no section sytem in pw.x; known are control, system"),
    ):
        assert message in found(folder | {"input": inputs})
    assert "system.ecutwfc: missing" in found(folder, input={})
    assert "give either kpoints or kspacing" in found(folder, kpoints=None)
    assert "give either kpoints or kspacing" in found(folder, kspacing_inverse_A=0.3)
    assert espresso.mistakes(system(SILICON), folder | {"kspacing_inverse_A": 0.3}) == []
    assert "it is empty; the default is pw.x" in found(folder | {"command": " "})
    no_silicon = system(SILICON) | {"species": {"Si": {}, "Ge": {}}}
    (mistake,) = espresso.mistakes(no_silicon, folder)
    assert mistake == "labels.labeler: espresso needs espresso.pseudopotentials.Ge in the file of X"
    monkeypatch.setenv("ESPRESSO_PSEUDO", str(pseudopotentials))
    assert espresso.mistakes(system(SILICON), {}) == []
    assert os.environ["ESPRESSO_PSEUDO"] in espresso.settings_of(system(SILICON), {}).values()
