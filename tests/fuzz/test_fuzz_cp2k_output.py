"""CP2K's output, damaged in any way: a label that says what the output says, or a reason."""

import re
from pathlib import Path

import numpy as np
import pytest
from fuzzing import NUMBERS, damaged, fuzz

from minset.label.check import check_label
from minset.label.cp2k_output import parse_output, scf_verdict
from minset.label.store import LabelerUnusable, LabelFailed, RawLabel
from minset.units import HARTREE_BOHR_EV_A, HARTREE_EV

TITLE_2025 = " FORCES| Atomic forces [hartree/bohr]"
HEADER_2025 = " FORCES|   Atom     x               y               z               |f|"


def in_words_of_2025(text: str) -> str:
    """The same result as CP2K prints it since 2025.1."""
    text = text.replace("energy [a.u.]:", "energy [hartree]")
    text = re.sub(r" ATOMIC FORCES in \[a.u.\]\n\n.*\n", f"{TITLE_2025}\n{HEADER_2025}\n", text)
    text = re.sub(r"  (    \d)      \d      [A-Z][a-z]?(.*)", r" FORCES|\1\2 0.1", text)
    return re.sub(r" SUM OF ATOMIC FORCES(.*) \S+\n", r" FORCES| Sum\1\n", text)


# the parts of an output of CP2K 2023.1 that are read, with what stands between them
GOOD = {"2023.1": Path(__file__).with_name("cp2k-2023.1.out").read_bytes()}
GOOD["2025.1"] = in_words_of_2025(GOOD["2023.1"].decode()).encode()
TOKENS = [
    *NUMBERS,
    b"SCF run NOT converged",
    b"outer SCF loop FAILED to converge after   1 iterations or   7 steps",
    b"outer SCF loop converged in   1 iterations or   " + b"1" * 5000 + b" steps",
    b" ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:   ******\n",
    b"ENERGY| Total FORCE_EVAL" + b": " * 2000,
    b" ENERGY| Total FORCE_EVAL ( QS ) energy [hartree]   1.0\n",
    b" ATOMIC FORCES in [a.u.]\n",
    b" FORCES| Atomic forces [hartree/bohr]\n",
    b" FORCES|      2 1.0 ****** 2.0 3.0\n",
    b" FORCES| Sum",
    b"PROGRAM ENDED AT",
    b"SUM OF ATOMIC FORCES",
    b"STRESS| Analytical stress tensor [bar]\n",
    b"      2      2      Cl   ******   1.0   NaN\n",
    b" " * 3000,
]


def stated(text: str) -> tuple[float, list]:
    """Energy and forces in CP2K's units, by words instead of by patterns."""
    lines = text.split("\n")
    energy = [line for line in lines if "ENERGY| Total FORCE_EVAL" in line][-1]
    energy = re.split(r"\]:?", energy)[-1]
    if text.rfind("ATOMIC FORCES in [a.u.]") > text.rfind("Atomic forces [hartree/bohr]"):
        table = text.rpartition("ATOMIC FORCES in [a.u.]")[2].partition("SUM OF ATOMIC FORCES")[0]
        lines = [line for line in table.split("\n") if line.strip() and line[:2] != " #"]
        rows = [line.split()[3:] for line in lines]
    else:
        table = text.rpartition("Atomic forces [hartree/bohr]")[2].partition("FORCES| Sum")[0]
        lines = [line for line in table.split("\n") if line.strip() and line[:2] != " #"]
        rows = [line.split()[2:5] for line in lines if line.split()[1] != "Atom"]
    return number(energy), [[number(word) for word in row] for row in rows]


def number(word: str) -> float:
    return float(word.upper().replace("D", "E"))


def check(text: str) -> bool:
    """Read an output of two atoms; True if it makes a label."""
    converged, steps = scf_verdict(text)
    assert steps >= 0
    assert not (converged and "SCF run NOT converged" in text)
    try:
        energy, forces, stress, version = parse_output(text, 2)
    except (LabelFailed, LabelerUnusable) as error:
        told = str(error)
    else:
        told = None
    if told is not None:
        assert "\n" not in told
        assert len(told) < 600
        return False
    assert converged
    assert version
    said_energy, said_forces = stated(text)
    np.testing.assert_array_equal(energy, said_energy * HARTREE_EV)
    np.testing.assert_array_equal(forces, np.array(said_forces) * HARTREE_BOHR_EV_A)
    try:
        check_label(RawLabel(energy, forces, stress), 2, net_force_gate_eV_A=0.01)
    except LabelFailed:
        return False
    assert np.isfinite(energy)
    assert np.isfinite(forces).all()
    assert np.isfinite(stress).all()
    assert (forces.shape, stress.shape) == ((2, 3), (3, 3))
    return True


def test_good_outputs_say_the_same():
    assert check(GOOD["2023.1"].decode())
    assert check(GOOD["2025.1"].decode())
    assert b"ATOMIC FORCES" not in GOOD["2025.1"]
    old, new = (parse_output(text.decode(), 2) for text in GOOD.values())
    for value, expected in zip(new, old, strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("version", GOOD)
def test_a_damaged_output_gives_what_it_says_or_a_reason(capsys, version):
    made = []

    def attempt(rng):
        made.append(check(damaged(rng, GOOD[version], TOKENS).decode(errors="replace")))

    fuzz(capsys, f"CP2K output, as of {version}", 2500, attempt)
    # most damage lies where nothing is read, but not all
    assert 0.05 < np.mean(made) < 0.95


def test_random_bytes_are_no_output(capsys):
    def attempt(rng):
        text = b"".join(rng.choices(TOKENS, k=20)) + rng.randbytes(100)
        assert not check((text + b"PROGRAM ENDED AT").decode(errors="replace"))

    fuzz(capsys, "CP2K output, tokens alone", 2000, attempt)
