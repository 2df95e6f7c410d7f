"""Outputs of pw.x and VASP, damaged in any way: a label that says what the output says, or a reason."""

from pathlib import Path

import numpy as np
from ase.build import bulk
from fake_vasp.vasp import outcar, vasprun
from fuzzing import NUMBERS, damaged, fuzz

from minset.label import espresso, vasp
from minset.label.check import check_label
from minset.label.store import LabelerUnusable, LabelFailed, RawLabel

# of four atoms of aluminium
PW = Path(__file__).with_name("pw-6.7.out").read_bytes()
PW_TOKENS = [
    *NUMBERS,
    b"convergence NOT achieved after   2 iterations: stopping",
    b"convergence has been achieved in   9 iterations",
    b"!    total energy              =     ******** Ry\n",
    b"!!   total energy              =     -1.5 Ry\n",
    b"     Forces acting on atoms (cartesian axes, Ry/au):\n",
    b"     atom    1 type  1   force =     1.0 ****** NaN\n",
    b"          total   stress  (Ry/bohr**3)\n",
    b"%" * 80 + b"\n     Error in routine x (1):\n" + b"%" * 80,
    b"JOB DONE",
    b" " * 3000,
]
VASP_TOKENS = [
    *NUMBERS,
    b"aborting loop EDIFF was not reached (unconverged)",
    b"aborting loop because EDIFF is reached",
    b"General timing and accounting informations for this job:",
    b"<calculation>",
    b"</modeling>",
    b'<varray name="forces" >',
    b'<i name="e_fr_energy"> ******* </i>',
    b"&lol;" * 5,
    b" " * 3000,
]


def made(judge, n_atoms: int) -> RawLabel | None:
    """A label that passes the check; None where there is a reason why not, on one line of sane length."""
    try:
        raw = judge()
        check_label(raw, n_atoms, net_force_gate_eV_A=0.01)
    except (LabelFailed, LabelerUnusable) as error:
        told = str(error)
    else:
        told = None
    if told is not None:
        assert "\n" not in told
        assert len(told) < 800
        return None
    assert np.isfinite(raw.energy_eV)
    assert np.isfinite(raw.forces_eV_A).all()
    return raw


def test_a_damaged_output_of_pw_gives_what_it_says_or_a_reason(capsys, tmp_path):
    output, labels = tmp_path / "pw.out", []
    output.with_suffix(".err").touch()
    good = made(lambda: espresso.judged(0, PW.decode(), 4, output), 4)

    def attempt(rng):
        text = damaged(rng, PW, PW_TOKENS).decode(errors="replace")
        output.write_text(text)
        raw = made(lambda: espresso.judged(0, text, 4, output), 4)
        labels.append(raw is not None)
        if raw is not None:
            assert "convergence NOT achieved" not in text
            line = [line for line in text.split("\n") if line.startswith("!")][-1]
            said_Ry = float(line.split("=")[1].split()[0])
            assert raw.energy_eV == np.float64(said_Ry) * (good.energy_eV / energy_Ry())

    fuzz(capsys, "pw.x output", 1000, attempt)
    assert 0.05 < np.mean(labels) < 0.95


def energy_Ry() -> float:
    (line,) = [line for line in PW.decode().split("\n") if line.startswith("!")]
    return float(line.split()[4])


def test_damaged_outputs_of_vasp_give_a_label_or_a_reason(capsys, tmp_path):
    atoms = bulk("KCl", "rocksalt", a=6.2)[[1, 0]]
    forces = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    files = {
        "OUTCAR": outcar(-5.0, 9, 60, "none").encode(),
        "vasprun.xml": vasprun(atoms, -5.0, forces, np.eye(3) * 0.01, "none").encode(),
    }
    labels = []
    (tmp_path / "vasp.out").touch()
    (tmp_path / "vasp.err").touch()

    def attempt(rng):
        which = rng.choice(list(files))
        for name, content in files.items():
            broken = damaged(rng, content, VASP_TOKENS) if name == which else content
            (tmp_path / name).write_bytes(broken)
        raw = made(lambda: vasp.judged(0, "", atoms, tmp_path), 2)
        labels.append(raw is not None)
        if raw is not None and which == "OUTCAR":
            assert raw.energy_eV == -5.0
            np.testing.assert_array_equal(raw.forces_eV_A, forces)

    fuzz(capsys, "OUTCAR and vasprun.xml", 1000, attempt)
    assert 0.05 < np.mean(labels) < 0.95
