"""CP2K's output, damaged in any way: a label that says what the output says, or LabelFailed."""

from pathlib import Path

import numpy as np
from fuzzing import NUMBERS, damaged, fuzz

from minset.label.batch import check_label
from minset.label.cp2k_output import parse_output, scf_verdict
from minset.label.store import LabelFailed, RawLabel
from minset.units import HARTREE_BOHR_EV_A, HARTREE_EV

# the parts of an output of CP2K 2023.1 that are read, with what stands between them
GOOD = Path(__file__).with_name("cp2k-2023.1.out").read_bytes()
TOKENS = [
    *NUMBERS,
    b"SCF run NOT converged",
    b"outer SCF loop FAILED to converge after   1 iterations or   7 steps",
    b"outer SCF loop converged in   1 iterations or   " + b"1" * 5000 + b" steps",
    b" ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:   ******\n",
    b"ENERGY| Total FORCE_EVAL" + b": " * 2000,
    b" ATOMIC FORCES in [a.u.]\n",
    b"SUM OF ATOMIC FORCES",
    b"STRESS| Analytical stress tensor [bar]\n",
    b"      2      2      Cl   ******   1.0   NaN\n",
    b" " * 3000,
]


def stated(text: str) -> tuple[float, list]:
    """Energy and forces in CP2K's units, by words instead of by patterns."""
    lines = text.split("\n")
    energy = [line for line in lines if "ENERGY| Total FORCE_EVAL" in line][-1]
    table = text.rpartition("ATOMIC FORCES in [a.u.]")[2].partition("SUM OF ATOMIC FORCES")[0]
    rows = [line.split()[3:] for line in table.split("\n") if line.strip() and line[:2] != " #"]
    return number(energy.split(":")[-1]), [[number(word) for word in row] for row in rows]


def number(word: str) -> float:
    return float(word.upper().replace("D", "E"))


def check(text: str) -> bool:
    """Read an output of two atoms; True if it makes a label."""
    converged, steps = scf_verdict(text)
    assert steps >= 0
    assert not (converged and "SCF run NOT converged" in text)
    try:
        energy, forces, stress, version = parse_output(text, 2)
    except LabelFailed:
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


def test_a_good_output_is_read():
    assert check(GOOD.decode())


def test_a_damaged_output_gives_what_it_says_or_a_reason(capsys):
    made = []

    def attempt(rng):
        made.append(check(damaged(rng, GOOD, TOKENS).decode(errors="replace")))

    fuzz(capsys, "CP2K output", 5000, attempt)
    # most damage lies where nothing is read, but not all
    assert 0.05 < np.mean(made) < 0.95


def test_random_bytes_are_no_output(capsys):
    def attempt(rng):
        text = b"".join(rng.choices(TOKENS, k=20)) + rng.randbytes(100)
        assert not check((text + b"PROGRAM ENDED AT").decode(errors="replace"))

    fuzz(capsys, "CP2K output, tokens alone", 2000, attempt)
