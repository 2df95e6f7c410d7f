"""The vasp labeler, with a program that stands for VASP: inputs, results, verdict, mistakes."""

import shutil
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from minset.label import LABELERS, vasp
from minset.label.batch import label_batch
from minset.label.store import LabelerUnusable, LabelFailed, canonical_json
from minset.label.vasp_output import complaint, scf_verdict, version_of

FAKE = Path(__file__).parents[1] / "fake_vasp"
SECTION = {
    "potcars": {"K": "K_sv", "Cl": "Cl"},
    "incar": {"ENCUT": 520, "EDIFF": 1e-6, "ISMEAR": 0, "SIGMA": 0.05, "LREAL": False},
    "kpoints": [1, 1, 1],
}
COMMAND = f"{sys.executable} {FAKE / 'vasp.py'}"


def frame() -> Atoms:
    """K and Cl take turns."""
    atoms = bulk("KCl", "rocksalt", a=6.2, cubic=True)
    atoms.rattle(0.1, seed=3)
    atoms.set_cell(atoms.cell[:] + 0.2 * np.eye(3)[[1, 2, 0]], scale_atoms=True)
    return atoms


def system(**changes) -> dict:
    return {"name": "KCl", "species": {"K": {}, "Cl": {}}, "vasp": SECTION | changes}


@pytest.fixture
def potcars(tmp_path) -> Path:
    """A folder of POTCAR files of the test's own."""
    shutil.copytree(FAKE / "potcars", tmp_path / "potcars")
    return tmp_path / "potcars"


@pytest.fixture
def compute(tmp_path, potcars):
    def label(atoms: Atoms, incar=None, threads=1, **given):
        given = {"potcar_folder": str(potcars), "command": COMMAND, "timeout_s": 60} | given
        given["incar"] = incar or {}
        assert vasp.mistakes(system(), given) == []
        settings = vasp.settings_of(system(), given)
        return vasp.label(atoms, settings, tmp_path / "frame", threads)

    return label


def test_results_are_in_the_order_of_the_frame(compute):
    """Energy: the free one, not the one extrapolated to no smearing, which is 0.25 eV away."""
    atoms = frame()
    raw, here = compute(atoms), frame()
    here.calc = LennardJones(sigma=2.7, epsilon=0.2, rc=5.5, smooth=True)
    field_eV_A = np.where(atoms.numbers == 19, 0.25, -0.25)
    expected_eV = here.get_potential_energy() - field_eV_A @ atoms.positions[:, 0]
    assert raw.energy_eV == pytest.approx(expected_eV, abs=1e-7)
    expected_eV_A = here.get_forces() + np.outer(field_eV_A, [1, 0, 0])
    np.testing.assert_allclose(raw.forces_eV_A, expected_eV_A, atol=1e-7)
    np.testing.assert_allclose(raw.stress_eV_A3, here.get_stress(voigt=False), atol=1e-9)
    assert (raw.info["scf_steps"], raw.info["version"]) == (12, "VASP 6.3.0")


def test_input_files_hold_the_frame_and_the_settings(compute, tmp_path):
    compute(frame(), {"nelm": 60})
    folder, atoms = tmp_path / "frame", frame()
    poscar = ase.io.read(folder / "POSCAR", format="vasp")
    assert str(poscar.symbols) == "Cl4K4"
    by_element = [*np.where(atoms.numbers == 17)[0], *np.where(atoms.numbers == 19)[0]]
    np.testing.assert_allclose(poscar.positions, atoms.positions[by_element], atol=1e-12)
    np.testing.assert_allclose(poscar.cell[:], atoms.cell[:], atol=1e-12)
    incar = (folder / "INCAR").read_text().splitlines()
    for line in ("ENCUT = 520", "EDIFF = 1e-06", "LREAL = .FALSE.", "NELM = 60", "NSW = 0"):
        assert line in incar
    for line in ("IBRION = -1", "ISIF = 2", "LWAVE = .FALSE.", "LCHARG = .FALSE."):
        assert line in incar
    assert (folder / "KPOINTS").read_text().splitlines()[2:4] == ["Gamma", "1 1 1"]
    for name in ("POTCAR", "WAVECAR"):
        assert not (folder / name).exists()


def test_a_spacing_of_kpoints_goes_to_incar(compute, tmp_path):
    compute(frame(), kspacing_inverse_A=0.3)
    assert "KSPACING = 0.3\nKGAMMA = .TRUE.\n" in (tmp_path / "frame/INCAR").read_text()
    assert not (tmp_path / "frame/KPOINTS").exists()


@pytest.mark.parametrize("fault", ["none", "version 5"])
def test_unconverged_is_no_label_and_more_steps_try_again(tmp_path, fault):
    folders = tmp_path / "store", tmp_path / "work"
    for steps, status in ((2, "failed"), (60, "labelled")):
        given = {"potcar_folder": str(FAKE / "potcars"), "command": COMMAND}
        given["incar"] = {"NELM": steps, "SYSTEM": fault}
        settings = vasp.settings_of(system(), given)
        (row,) = label_batch([("one", frame())], LABELERS["vasp"], settings, *folders, 0.01, str)
        assert row["status"] == status
        assert not row["try_again"]
        if status == "failed":
            assert row["reason"].startswith("SCF not converged in 2 steps")
            kept = {path.name for path in (tmp_path / "store").glob("failures/*/run-1/*")}
            assert {"OUTCAR", "INCAR", "vasp.out"} <= kept
            assert not {"POTCAR", "WAVECAR"} & kept


@pytest.mark.parametrize(
    ("fault", "permanent", "message"),
    [
        (
            "crash",
            False,
            "VASP ended with exit code 1: The distance between some ions is very small",
        ),
        ("killed", False, "VASP was killed by signal 9"),
        ("cut short", False, "VASP wrote an output that is cut short"),
        ("xml cut short", False, "vasprun.xml is missing or cut short"),
        ("stars", True, r"a number in vasprun.xml cannot be read: .*\*{16}"),
        ("hang", False, r"VASP stopped at the time limit of 3 s \(labels.settings.timeout_s\)"),
    ],
)
def test_each_bad_end_is_told(compute, fault, permanent, message):
    started = time.monotonic()
    with pytest.raises(LabelFailed, match=message) as failed:
        compute(frame(), {"SYSTEM": fault}, timeout_s=3 if fault == "hang" else 60)
    assert failed.value.permanent is permanent
    assert failed.value.output.exists()
    assert time.monotonic() - started < 90


@pytest.mark.parametrize(("fault", "file"), [("no stress", "vasprun.xml"), ("silent", "OUTCAR")])
def test_results_that_lack_something_blame_no_frame(compute, fault, file):
    message = rf"VASP 6\.3\.0 ended normally, but \S+{file} cannot be used: .*No frame is blamed"
    with pytest.raises(LabelerUnusable, match=message):
        compute(frame(), {"SYSTEM": fault})


def test_missing_vasp_is_told_with_its_remedies(compute):
    with pytest.raises(
        FileNotFoundError, match=r"labels.settings.command is 'no-vasp'.*module load"
    ):
        compute(frame(), command="no-vasp")


def test_a_potcar_that_changes_during_a_run_stops_it(tmp_path, potcars):
    given = {"potcar_folder": str(potcars), "command": COMMAND}
    settings = vasp.settings_of(system(), given)
    (potcars / "Cl/POTCAR").write_text("other")
    with pytest.raises(LabelerUnusable, match="Cl/POTCAR has changed since the run began"):
        vasp.label(frame(), settings, tmp_path / "frame", 1)


def test_potcars_count_by_content_and_element_and_how_it_gets_there_does_not(potcars, tmp_path):
    def physics(folder=potcars, **given) -> str:
        settings = vasp.settings_of(system(), given | {"potcar_folder": str(folder)})
        return canonical_json(vasp.physics(settings, Atoms("Cl2")))

    before = physics()
    shutil.copytree(potcars, tmp_path / "elsewhere")
    assert physics(tmp_path / "elsewhere") == before
    (potcars / "K_sv/POTCAR").write_text("another")
    assert physics() == before
    assert physics(incar={"nelm": 200, "NCORE": 4, "ALGO": "All"}) == before
    assert physics(incar={"encut": 600}) != before
    assert physics(kspacing_inverse_A=0.2) != before
    (potcars / "Cl/POTCAR").write_text("another")
    assert physics() != before


def test_verdict_is_that_of_the_last_loop_and_never_that_of_all_steps_allowed():
    begin = "   NELM   =      3;   NELMIN=  2; NELMDL= -5     # of ELM steps \n"
    steps = [f"------ Iteration      1(   {number})  ------\n" for number in (1, 2, 3)]
    reached = "---- aborting loop because EDIFF is reached ----\n"
    missed = "---- aborting loop EDIFF was not reached (unconverged) ----\n"
    stopped = "---- aborting loop because hard stop was set ----\n"
    two, three = begin + "".join(steps[:2]), begin + "".join(steps)
    assert scf_verdict(two + reached) is True
    assert scf_verdict(two + missed + reached) is True
    # as VASP 5 has it
    assert scf_verdict(three + reached) is False
    for text in (missed, stopped, reached + missed):
        assert scf_verdict(two + text) is False
    told = "|  The electronic self-consistency was not achieved in the given  |\n"
    assert scf_verdict(two + told + reached) is False
    for text in ("", two, "".join(steps) + reached):
        assert scf_verdict(text) is None


def test_version_and_message_are_found():
    assert version_of(" vasp.5.4.4.18Apr17-6-g9f1 (build) complex") == "5.4.4.18Apr17-6-g9f1"
    assert version_of("") == "unknown"
    assert complaint(" VERY BAD NEWS! internal error in subroutine IBZKPT:\n") == (
        "VERY BAD NEWS! internal error in subroutine IBZKPT:"
    )
    assert complaint("all is well\n") is None
    line, advice = f" {79 * '-'}\n", "|     For optimal performance set NCORE.     |\n"
    error = (
        "|     EEEEEEE  RRRRRR     |\n|     ZBRENT: fatal error     |\n|     in bracketing     |\n"
    )
    boxes = f"{line}{advice}{line} POSCAR found\n{line}{error}{line} stopped\n"
    assert complaint(boxes) == "ZBRENT: fatal error in bracketing"


def test_mistakes_are_told_before_a_run(potcars, monkeypatch):
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    folder = {"potcar_folder": str(potcars)}

    def found(given: dict, **section) -> str:
        (mistake,) = vasp.mistakes(system(**section), given)
        assert mistake.startswith("labels.")
        assert "\n" not in mistake
        return mistake

    assert "labels.settings.potcar_folder: name the folder of the POTCAR files" in found({})
    assert f"there is no {potcars}/K_pv/POTCAR, vasp.potcars.K of the file of KCl" in found(
        folder, potcars={"K": "K_pv", "Cl": "Cl"}
    )
    assert "K_sv/POTCAR is of K, not of Cl" in found(folder, potcars={"K": "K_sv", "Cl": "K_sv"})
    assert "labels.labeler: vasp needs vasp.potcars.Cl" in found(folder, potcars={"K": "K_sv"})
    for incar, message in (
        ({"ENCTU": 500}, "incar.ENCTU: VASP has no such tag; is it ENCUT?"),
        ({"NSW": 10}, "incar.NSW: minset sets it to 0; take it away"),
        ({"KSPACING": 0.3}, "incar.KSPACING: take it away and use kspacing_inverse_A"),
        ({"MAGMOM": [1, 1]}, "incar.MAGMOM: its values go by atom or species"),
    ):
        assert message in found(folder | {"incar": incar})
    assert "ENCUT: missing" in found(folder, incar={"EDIFF": 1e-6})
    assert "give either kpoints or kspacing" in found(folder, kpoints=None)
    assert "it is empty; the default is vasp_std" in found(folder | {"command": " "})
    monkeypatch.setenv("VASP_PP_PATH", str(potcars))
    assert vasp.mistakes(system(), {}) == []
