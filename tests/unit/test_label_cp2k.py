"""The cp2k labeler: right forces, stress and verdict, and nothing left running."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

import minset
from minset.label import LABELERS, cp2k, cp2k_input, cp2k_output, cp2k_run, program
from minset.label.batch import label_batch
from minset.label.check import check_label, net_force_eV_A
from minset.label.store import LabelerUnusable, LabelFailed, read_label
from minset.units import GPA_EV_A3, HARTREE_BOHR_EV_A, HARTREE_EV

SETTINGS = {
    "method": "GPW",
    "functional": "PBE",
    "dispersion": "d3",
    "cutoff_Ry": 200,
    "rel_cutoff_Ry": 30,
    "eps_default": 1e-12,
    "eps_scf": 1e-7,
    "max_scf": 12,
    "max_outer_scf": 10,
    "kinds": {
        "K": {"basis_set": "SZV-MOLOPT-SR-GTH", "potential": "GTH-PBE-q9"},
        "Cl": {"basis_set": "SZV-MOLOPT-SR-GTH", "potential": "GTH-PBE-q7"},
    },
    "charge": 0,
    "basis_set_file": "BASIS_MOLOPT",
    "potential_file": "GTH_POTENTIALS",
    "reuse_wave_functions": True,
    "timeout_s": 800,
    "command": "cp2k.psmp",
}
needs_cp2k = pytest.mark.skipif(shutil.which("cp2k.psmp") is None, reason="CP2K is not installed")

# lines that CP2K 2023.1 wrote for the frame below with other settings
INNER_STOP = """\
  Leaving inner SCF loop after reaching     8 steps.
  outer SCF iter =    1 RMS gradient =   0.27E-02 energy =        -43.2167065771
"""
CONVERGED = """\
  *** SCF run converged in     5 steps ***
  outer SCF iter =    2 RMS gradient =   0.16E-06 energy =        -43.2167739434
  outer SCF loop converged in   2 iterations or   13 steps
"""
NOT_CONVERGED = """\
  outer SCF iter =    2 RMS gradient =   0.42E-01 energy =        -43.2033726995
  outer SCF loop FAILED to converge after    2 iterations or    4 steps


 *** WARNING in qs_scf.F:601 :: SCF run NOT converged ***

"""
VERSION = " CP2K| version string:                                       CP2K version 2023.1\n"
ENERGY = " ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:              -43.216773943449880\n\n"
FORCES = """\
 ATOMIC FORCES in [a.u.]

 # Atom   Kind   Element          X                  Y                  Z
      1      1      K          -0.000000422782     0.000830019987     0.000828183057
      2      2      Cl         -0.000000140536    -0.000831991670    -0.000830500428
 SUM OF ATOMIC FORCES          -0.000000563319    -0.000001971684    -0.000002317370     0.000003094361

"""
STRESS = """\
 STRESS| Analytical stress tensor [GPa]
 STRESS|                        x                   y                   z
 STRESS|      x        9.64166989054E+00   1.25507907200E-03   1.25368734847E-03
 STRESS|      y        1.25507907200E-03   9.92178088806E+00   3.98561857667E-02
 STRESS|      z        1.25368734847E-03   3.98561857667E-02   9.92179268243E+00
 STRESS| 1/3 Trace                                             9.82841448701E+00
"""
ENDED = "  **** **** ******  **  PROGRAM ENDED AT                 2026-11-21 10:34:10.032\n"
OUTPUT = VERSION + INNER_STOP + CONVERGED + ENERGY + FORCES + STRESS + ENDED


# the same in the words of CP2K 2025.1
ENERGY_2025 = ENERGY.replace("[a.u.]:", "[hartree]")
FORCES_2025 = """\
 FORCES| Atomic forces [hartree/bohr]
 FORCES|   Atom     x                   y                   z                   |f|
 FORCES|      1 -4.227820000000E-07  8.300199870000E-04  8.281830570000E-04  1.172534000000E-03
 FORCES|      2 -1.405360000000E-07 -8.319916700000E-04 -8.305004280000E-04  1.175560000000E-03
 FORCES| Sum    -5.633190000000E-07 -1.971684000000E-06 -2.317370000000E-06
 FORCES| Total atomic force                                            3.094361000000E-06

"""


def frame() -> Atoms:
    """Two ions in a triclinic cell, off their sites."""
    cell = [[0, 3.0, 3.0], [3.0, 0, 3.0], [3.0, 3.0, 0.3]]
    return Atoms("KCl", [[0, 0, 0.2], [3.0, 2.9, 3.0]], cell=cell, pbc=True)


@pytest.fixture
def compute(tmp_path):
    def label(atoms: Atoms, **changes):
        return cp2k.label(atoms, SETTINGS | changes, tmp_path / "cp2k", threads=1)

    return label


@needs_cp2k
def test_forces_and_stress_are_the_derivatives_of_the_energy(compute):
    atoms, step_A, strain = frame(), 0.01, 0.002
    raw = compute(atoms)
    check_label(raw, 2, net_force_gate_eV_A=0.005)
    moved_eV, strained_eV = [], []
    for sign in (1, -1):
        moved = frame()
        moved.positions[0, 2] += sign * step_A
        moved_eV.append(compute(moved).energy_eV)
        strained = frame()
        strained.set_cell(strained.cell[:] * (1 + sign * strain), scale_atoms=True)
        strained_eV.append(compute(strained).energy_eV)
    numerical = -(moved_eV[0] - moved_eV[1]) / (2 * step_A)
    assert raw.forces_eV_A[0, 2] == pytest.approx(numerical, abs=0.003)
    # dE/d(strain) = V tr(stress) in ASE's sign: this squeezed cell pushes outwards, tr < 0
    trace = (strained_eV[0] - strained_eV[1]) / (2 * strain) / atoms.get_volume()
    assert np.trace(raw.stress_eV_A3) == pytest.approx(trace, rel=0.005)
    assert trace < -0.1
    assert raw.info["attempts"] == 1
    assert 10 <= raw.info["scf_steps"] <= 40
    assert re.fullmatch(r"CP2K \d+\.\d+", raw.info["version"])


@needs_cp2k
def test_rvv10_starts_from_the_wave_function_of_pbe(compute, tmp_path):
    raw = compute(frame(), dispersion="rvv10", cutoff_Ry=300, rel_cutoff_Ry=40, eps_scf=1e-6)
    check_label(raw, 2, net_force_gate_eV_A=0.05)
    files = {path.name: path.read_text() for path in (tmp_path / "cp2k").iterdir()}
    pbe, rvv10 = files["attempt-1-pbe.out"], files["attempt-1.out"]
    steps_pbe, steps_rvv10 = cp2k_output.scf_verdict(pbe)[1], cp2k_output.scf_verdict(rvv10)[1]
    assert raw.info["scf_steps"] == steps_pbe + steps_rvv10
    assert steps_rvv10 < steps_pbe
    assert "RVV10" in files["attempt-1.inp"]
    assert "VDW" not in files["attempt-1-pbe.inp"]
    energies = [float(re.search(r"ENERGY\|.*:\s+(\S+)", text)[1]) for text in (pbe, rvv10)]
    # the local term of rVV10 with b = 6.3 alone raises the energy, by at most 0.072 Ha per ion pair
    assert 0.03 < energies[1] - energies[0] < 0.072
    assert not [name for name in files if "wfn" in name]


@needs_cp2k
def test_unconverged_frame_fails_for_good_after_exactly_one_retry(tmp_path):
    starts = tmp_path / "starts"
    script = tmp_path / "counting-cp2k"
    script.write_text(f'#!/bin/sh\necho start >> {starts}\nexec cp2k.psmp "$@"\n')
    script.chmod(0o755)
    settings = SETTINGS | {"command": str(script), "max_scf": 2, "max_outer_scf": 1}
    arguments = (LABELERS["cp2k"], settings, tmp_path / "store", tmp_path / "scratch", 0.01, str)
    row = label_batch([("frame-0", frame())], *arguments)[0]
    assert (row["status"], starts.read_text()) == ("failed", "start\nstart\n")
    assert "SCF not converged" in row["reason"]
    kept = tmp_path / "store" / "failures" / row["key"] / "run-1"
    assert "MINIMIZER DIIS" in (kept / "attempt-1.inp").read_text()
    assert "MINIMIZER CG" in (kept / "attempt-2.inp").read_text()
    # the danger: CP2K 2023 prints an energy and forces, and ends as if all were well
    assert "ATOMIC FORCES" in (kept / "attempt-2.out").read_text()
    assert label_batch([("frame-0", frame())], *arguments)[0]["reused"]
    assert starts.read_text() == "start\nstart\n"


@needs_cp2k
def test_safe_retry_reaches_a_label(compute, monkeypatch):
    wanted = cp2k_input._scf

    def too_few_steps_at_first(settings, safe, *rest):
        few = settings if safe else settings | {"max_scf": 2, "max_outer_scf": 1}
        return wanted(few, safe, *rest)

    monkeypatch.setattr(cp2k_input, "_scf", too_few_steps_at_first)
    raw = compute(frame(), eps_scf=1e-5, dispersion="none")
    assert raw.info["attempts"] == 2
    assert net_force_eV_A(raw.forces_eV_A) < 0.01


@needs_cp2k
def test_a_frame_starts_from_the_wave_function_of_the_one_before(compute, tmp_path):
    moved = frame()
    moved.positions[0] += 0.1
    from_atoms = compute(moved, reuse_wave_functions=False)
    assert not list(tmp_path.glob("*.wfn"))
    assert from_atoms.info["guess"] == "atoms"
    compute(frame())
    reused = compute(moved)
    assert reused.info["guess"] == "previous frame"
    assert reused.info["scf_steps"] < from_atoms.info["scf_steps"]
    assert reused.energy_eV == pytest.approx(from_atoms.energy_eV, abs=1e-6)
    np.testing.assert_allclose(reused.forces_eV_A, from_atoms.forces_eV_A, atol=1e-5)
    # other settings, other wave functions
    assert compute(moved, eps_default=1e-10).info["guess"] == "atoms"


@needs_cp2k
def test_a_damaged_wave_function_costs_an_attempt_and_not_the_label(compute, tmp_path):
    good = compute(frame())
    (shared,) = tmp_path.glob("*.wfn")
    shared.write_bytes(shared.read_bytes()[:100])
    raw = compute(frame())
    assert (raw.info["attempts"], raw.info["guess"]) == (2, "atoms")
    assert raw.energy_eV == pytest.approx(good.energy_eV, abs=1e-6)
    assert compute(frame()).info["guess"] == "previous frame"


@needs_cp2k
def test_time_limit_kills_cp2k_and_is_not_held_against_the_frame(compute, tmp_path):
    started = time.monotonic()
    with pytest.raises(LabelFailed, match=r"time limit of 1.5 s \(cp2k.timeout_s\)") as failed:
        compute(frame(), timeout_s=1.5, eps_scf=1e-9)
    assert not failed.value.permanent
    assert failed.value.output == tmp_path / "cp2k" / "attempt-1.out"
    assert time.monotonic() - started < 15
    wait_for(lambda: not running_in(tmp_path), seconds=5)


@needs_cp2k
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("command", ["cp2k.psmp", "mpirun -np {threads} cp2k.psmp"])
def test_no_cp2k_outlives_its_batch(tmp_path, number, command):
    if command.startswith("mpirun") and shutil.which("mpirun") is None:
        pytest.skip("there is no mpirun")
    code = (
        "import sys; from pathlib import Path; from test_label_cp2k import *\n"
        f"cp2k.label(frame(), SETTINGS | {{'command': {command!r}}}, Path({str(tmp_path)!r}), 1)"
    )
    paths = os.pathsep.join([str(Path(minset.__file__).parents[1]), str(Path(__file__).parent)])
    worker = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths})
    output = tmp_path / "attempt-1.out"
    wait_for(lambda: output.exists() and "OT DIIS" in output.read_text())
    assert running_in(tmp_path)
    worker.send_signal(number)
    worker.wait(30)
    wait_for(lambda: not running_in(tmp_path))


def running_in(folder: Path) -> list[int]:
    """Processes whose working directory is at or below a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            working_directory = Path(os.readlink(entry / "cwd"))
        except OSError:
            continue
        if working_directory.is_relative_to(folder):
            found.append(int(entry.name))
    return found


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_output_of_a_converged_run():
    energy, forces, stress, version = cp2k_output.parse_output(OUTPUT, 2)
    assert energy == -43.216773943449880 * HARTREE_EV
    assert forces[1] == pytest.approx(
        np.array([-0.000000140536, -0.000831991670, -0.000830500428]) * HARTREE_BOHR_EV_A
    )
    assert stress[1, 2] == pytest.approx(-3.98561857667e-2 * GPA_EV_A3)
    assert version == "2023.1"
    in_bar = STRESS.replace("[GPa]", "[bar]")
    in_bar_eV_A3 = cp2k_output.parse_output(OUTPUT.replace(STRESS, in_bar), 2)[2]
    assert in_bar_eV_A3 == pytest.approx(stress * 1e-4)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (INNER_STOP + CONVERGED, (True, 13)),
        (INNER_STOP + NOT_CONVERGED, (False, 4)),
        (CONVERGED + NOT_CONVERGED, (False, 4)),
        # the inner loop converged, the outer one not
        (CONVERGED.replace("loop converged in", "loop FAILED to converge after"), (False, 13)),
        ("  *** SCF run converged in     5 steps ***\n", (True, 5)),
        (INNER_STOP, (False, 0)),
        ("", (False, 0)),
    ],
)
def test_verdict_is_that_of_the_last_outer_loop(text, verdict):
    assert cp2k_output.scf_verdict(text) == verdict


@pytest.mark.parametrize(
    ("text", "permanent", "message"),
    [
        (OUTPUT.replace(CONVERGED, NOT_CONVERGED), True, "not converged"),
        (OUTPUT.replace(ENDED, ""), False, "cut short"),
        (OUTPUT[:300], False, "cut short"),
        ("", False, "cut short"),
        (OUTPUT + OUTPUT.replace(FORCES + STRESS + ENDED, ""), False, "cut short"),
        (OUTPUT + VERSION, False, "cut short"),
        (
            OUTPUT.replace("      2      2      Cl ", "      2      2      *** "),
            True,
            "a line among the forces is not that of an atom: '2 2 [*]{3} -0.000000140536",
        ),
        (
            OUTPUT.replace("-0.000831991670", "****************"),
            True,
            "the force on atom 2 is not a number but '[*]{16}', stars",
        ),
        (
            OUTPUT.replace(FORCES, FORCES_2025.replace("8.300199870000E-04", "*" * 18)),
            True,
            "the force on atom 1 is not a number but '[*]{18}', stars",
        ),
        (OUTPUT.replace("-43.216773943449880", "*" * 19), True, "the energy is not a number"),
        (OUTPUT.replace("-43.216773943449880", "-43.2 -43.2"), True, "but '-43.2 -43.2'"),
        (
            OUTPUT.replace("9.92178088806E+00", "*" * 17),
            True,
            "row y of the stress tensor is not a number but '[*]{17}', stars",
        ),
        (OUTPUT.replace("9.92178088806E+00", ""), True, "row y of the stress tensor cannot be"),
        (OUTPUT.replace(FORCES.splitlines()[4] + "\n", ""), True, "forces of 1 atoms instead of 2"),
        (
            OUTPUT.replace("      2      2      Cl", "      1      2      Cl"),
            True,
            "order of the atoms",
        ),
    ],
)
def test_output_without_a_result_is_a_failure(text, permanent, message):
    with pytest.raises(LabelFailed, match=message) as failed:
        cp2k_output.parse_output(text, 2)
    assert failed.value.permanent is permanent


@pytest.mark.parametrize("energy", [ENERGY, ENERGY_2025])
@pytest.mark.parametrize("forces", [FORCES, FORCES_2025])
def test_wordings_before_and_since_2025_are_read_also_mixed(energy, forces):
    text = OUTPUT.replace(ENERGY, energy).replace(FORCES, forces)
    expected = cp2k_output.parse_output(OUTPUT, 2)
    for each in (text, text.replace("\n", "\r\n")):
        for value, same in zip(cp2k_output.parse_output(each, 2), expected, strict=True):
            np.testing.assert_array_equal(value, same)


def test_the_last_result_counts_whole():
    first = OUTPUT.replace("-43.216773943449880", "-1.0").replace("0.000830019987", "0.1")
    first = first.replace("9.92178088806E+00", "1.0")
    for before in (first, first.replace(ENDED, ""), first.replace(FORCES, FORCES_2025)):
        for value, expected in zip(
            cp2k_output.parse_output(before + OUTPUT, 2),
            cp2k_output.parse_output(OUTPUT, 2),
            strict=True,
        ):
            np.testing.assert_array_equal(value, expected)


def test_numbers_as_fortran_writes_them():
    text = OUTPUT.replace("-43.216773943449880", "-0.43216773943449880D+02")
    text = text.replace("1.25507907200E-03", "1.25507907200-103")
    energy, _, stress, _ = cp2k_output.parse_output(text, 2)
    assert energy == -43.216773943449880 * HARTREE_EV
    assert stress[0, 1] == pytest.approx(-1.25507907200e-103 * GPA_EV_A3, rel=1e-12, abs=0)


UNKNOWN = [
    (ENERGY, "", "no total energy"),
    ("energy [a.u.]:", "energy [eV]:", r"no total energy in hartree but .*energy \[eV\]: -43.21"),
    (FORCES, "", "no forces"),
    ("ATOMIC FORCES in [a.u.]", "ATOMIC FORCES in [eV/A]", "no forces in a.u. but in 'eV/A'"),
    ("SUM OF ATOMIC FORCES", "Total", "no end of the forces"),
    (STRESS, "", "no analytical stress tensor"),
    ("Analytical stress", "Numerical stress", "no analytical stress tensor"),
    ("[GPa]", "[kbar]", "no stress in GPa or bar but in 'kbar'"),
    ("CP2K version", "CP2K release", "no version"),
    (INNER_STOP + CONVERGED, "SCF fine\n", "nothing on the convergence of the SCF"),
]


@pytest.mark.parametrize(("old", "new", "message"), UNKNOWN)
def test_wording_that_is_not_known_is_no_failure_of_the_frame(old, new, message):
    text = OUTPUT.replace(old, new).replace("2023.1", "2031.1")
    assert text != OUTPUT.replace("2023.1", "2031.1")
    with pytest.raises(LabelerUnusable, match=message) as unusable:
        cp2k_output.parse_output(text, 2, Path("work/attempt-1.out"))
    told = str(unusable.value)
    assert "in work/attempt-1.out" in told
    assert "No frame is blamed" in told
    assert "\n" not in told
    if "version" not in message:
        assert told.startswith("CP2K 2031.1 ended normally")


@pytest.fixture
def says(tmp_path):
    """A CP2K that counts its starts and says what it is told; label five frames with it."""
    script = tmp_path / "cp2k"
    script.write_text(f"#!/bin/sh\necho x >> {tmp_path}/starts\ncat {tmp_path}/says\n")
    script.chmod(0o755)
    frames = []
    for number in range(5):
        atoms = frame()
        atoms.positions[0, 2] += 0.01 * number
        frames.append((f"frame-{number}", atoms))
    settings = SETTINGS | {"command": str(script)}

    def label(text: str, processes: int = 1) -> list[dict]:
        (tmp_path / "says").write_text(text)
        (tmp_path / "starts").write_text("")
        store, scratch = tmp_path / "store", tmp_path / "scratch"
        arguments = (LABELERS["cp2k"], settings, store, scratch, 0.01, str, 1, processes)
        return label_batch(frames, *arguments)

    return label


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("old", "new", "message"), [UNKNOWN[0], UNKNOWN[-1]])
def test_an_unknown_version_stops_the_batch_until_there_is_a_known_one(
    says, tmp_path, processes, old, new, message
):
    with pytest.raises(LabelerUnusable, match=message) as unusable:
        says(OUTPUT.replace(old, new), processes)
    output = re.search(r" in (\S+attempt-1.out):", str(unusable.value))[1]
    assert "CP2K version 2023.1" in Path(output).read_text()
    assert 1 <= (tmp_path / "starts").read_text().count("x") <= processes
    assert not list((tmp_path / "store").glob("failures/*"))
    rows = says(OUTPUT.replace(ENERGY, ENERGY_2025).replace(FORCES, FORCES_2025), processes)
    assert [row["status"] for row in rows] == ["labelled"] * 5
    assert not any(row["reused"] for row in rows)
    stored = read_label(tmp_path / "store", rows[0]["key"])
    assert stored.provenance["version"] == "CP2K 2023.1"
    assert stored.energy_eV == -43.216773943449880 * HARTREE_EV


def test_stars_are_a_failure_of_their_frame_alone(says):
    rows = says(OUTPUT.replace("-0.000831991670", "*" * 16))
    assert [row["status"] for row in rows] == ["failed"] * 5
    assert not any(row["try_again"] for row in rows)
    assert "the force on atom 2 is not a number but '****" in rows[0]["reason"]


def test_every_cut_of_an_output_is_a_failure():
    for end in range(0, len(OUTPUT) - len(ENDED), 7):
        with pytest.raises(LabelFailed):
            cp2k_output.parse_output(OUTPUT[:end], 2)


def test_forces_that_are_nan_are_no_label():
    text = OUTPUT.replace("-0.000831991670", "            NaN")
    forces = cp2k_output.parse_output(text, 2)[1]
    assert np.isnan(forces[1, 1])


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("echo '[ABORT]  Cholesky decompose failed'; exit 1", "exit code 1: Cholesky decompose"),
        ("kill -9 $$", "killed by signal 9"),
        ("echo 'no space left' >&2; exit 3", "exit code 3: no space left"),
        ("exit 0", "no output at all"),
    ],
)
def test_crash_is_told_and_tried_again_in_the_next_run(compute, tmp_path, program, message):
    script = tmp_path / "cp2k.sh"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    with pytest.raises(LabelFailed, match=message) as failed:
        compute(frame(), command=str(script))
    assert not failed.value.permanent


def test_threads_of_a_command():
    for command, words, openmp in (
        ("true", ["true"], "4"),
        ("env -n {threads} x", ["env", "-n", "4", "x"], "1"),
    ):
        argv, environment = program.launch_command(cp2k_run.CP2K, command, 4)
        assert argv == [shutil.which(words[0]), *words[1:]]
        assert environment["OMP_NUM_THREADS"] == openmp


def test_missing_cp2k_is_told_with_its_remedies(compute):
    with pytest.raises(FileNotFoundError, match=r"no-such-cp2k.*apt-get install cp2k"):
        compute(frame(), command="no-such-cp2k")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": {"K": SETTINGS["kinds"]["K"]}}, r"no cp2k\.kinds\.Cl"),
        ({"method": "GWP"}, r"cp2k\.method is 'GWP'; it can be GPW, GAPW"),
        ({"dispersion": "D3"}, r"cp2k\.dispersion"),
        ({"functional": "SCAN"}, r"cp2k\.functional"),
        ({"cutof_Ry": 3}, r"cp2k\.cutof_Ry is not a setting"),
    ],
)
def test_wrong_setting_is_named(compute, changes, message):
    with pytest.raises(ValueError, match=message):
        compute(frame(), **changes)


def test_missing_setting_is_named(tmp_path):
    settings = {key: value for key, value in SETTINGS.items() if key != "cutoff_Ry"}
    with pytest.raises(ValueError, match=r"cp2k\.cutoff_Ry is missing"):
        cp2k.label(frame(), settings, tmp_path, 1)


def test_mistakes_are_told_before_a_run(kcl):
    assert cp2k.mistakes(kcl, {}) == []
    (mistake,) = cp2k.mistakes({"name": "KCl", "species": {"K": {}}}, {})
    assert mistake == "labels.labeler: cp2k needs the section `cp2k` in the file of KCl"
    more = kcl | {"species": kcl["species"] | {"Na": {}}}
    assert cp2k.mistakes(more, {}) == [
        "labels.labeler: cp2k needs cp2k.kinds.Na in the file of KCl"
    ]
    for command, message in (('cp2k "x', "No closing quotation"), ("  ", "it is empty")):
        (mistake,) = cp2k.mistakes(kcl, {"command": command})
        assert mistake.startswith("labels.settings.command: ")
        assert message in mistake
    (mistake,) = cp2k.mistakes(kcl, {"dispersion": "D4"})
    assert mistake.startswith("labels.settings: cp2k.dispersion is 'D4'; it can be none, d3")


def test_study_overrides_system_overrides_defaults(kcl):
    settings = cp2k.settings_of(kcl, {"cutoff_Ry": 500, "dispersion": "d3"})
    expected = kcl["cp2k"] | {"cutoff_Ry": 500, "dispersion": "d3"}
    assert settings == cp2k.DEFAULTS | expected
    assert settings["rel_cutoff_Ry"] == kcl["cp2k"]["rel_cutoff_Ry"]


def test_input_holds_the_frame_and_the_kinds_it_needs():
    kinds = SETTINGS["kinds"] | {"Na": {"basis_set": "X", "potential": "Y"}}
    kinds["Cl"] = kinds["Cl"] | {"lebedev_grid": 50, "radial_grid": 100}
    text = cp2k.cp2k_input(frame(), SETTINGS | {"method": "GAPW", "kinds": kinds})
    lines = [line.strip() for line in text.splitlines()]
    assert "Cl 3.0000000000 2.9000000000 3.0000000000" in lines
    assert "C 3.000000000000 3.000000000000 0.300000000000" in lines
    assert "KIND Na" not in text
    for line in ("&KIND Cl", "LEBEDEV_GRID 50", "RADIAL_GRID 100", "METHOD GAPW", "EPS_SCF 1e-07"):
        assert line in lines
    assert sum(line.startswith("&END") for line in lines) * 2 == text.count("&")
    with pytest.raises(ValueError, match="periodic"):
        cp2k.cp2k_input(Atoms("KCl", [[0, 0, 0], [1, 1, 3]]), SETTINGS)
