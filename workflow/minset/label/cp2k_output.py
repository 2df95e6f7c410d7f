"""What CP2K says in its output: the verdict on the SCF, energy, forces and stress.

CP2K 2025.1 changed the lines of energy and forces; both wordings are read, also mixed.
"""

import re
from pathlib import Path

import numpy as np

from minset.label.store import LabelerUnusable, LabelFailed
from minset.units import GPA_EV_A3, HARTREE_BOHR_EV_A, HARTREE_EV

_VERSION = "version string:"
_ENERGY = "ENERGY| Total FORCE_EVAL"
# up to 2024.3, and since 2025.1: where the table of forces begins, its unit, where it ends
_FORCES = {
    "ATOMIC FORCES in [": ("a.u.", "SUM OF ATOMIC FORCES"),
    "FORCES| Atomic forces [": ("hartree/bohr", "FORCES| Sum"),
}
_STRESS = "STRESS| Analytical stress tensor ["
_STRESS_UNITS_EV_A3 = {"GPa": GPA_EV_A3, "bar": 1e-4 * GPA_EV_A3}
# Fortran leaves out the letter of an exponent of three digits
_NUMBER = re.compile(
    r"([-+]?[0-9]+\.?[0-9]*)(?:[EDed]([-+]?[0-9]+)|([-+][0-9]{3}))?|[-+]?(?:NaN|Infinity)"
)


class _UnknownWording(Exception):
    """A quantity that is in no wording that is known."""


class _BadResult(Exception):
    """A quantity in a known wording that is no result for the frame."""


def scf_verdict(text: str) -> tuple[bool, int]:
    """CP2K's verdict on its SCF, and the SCF steps done.

    An inner loop that stops at its last step is normal where an outer loop goes on; only the
    outer loop's verdict counts, and a warning that the SCF run is not converged overrules all.
    """
    outer = re.findall(
        r"outer SCF loop (converged in|FAILED to converge after)\s+\d+ iterations or\s+(\d+) steps",
        text,
    )
    inner = re.findall(r"\*\*\* SCF run (converged in)\s+(\d+) steps", text)
    verdict, steps = (outer or inner or [("none", "0")])[-1]
    converged = verdict == "converged in" and "SCF run NOT converged" not in text
    return converged, int(steps[:9])  # Python refuses numbers of thousands of digits


def parse_output(
    text: str, n_atoms: int, output: Path | None = None
) -> tuple[float, np.ndarray, np.ndarray, str]:
    """Energy (eV), forces (n, 3) (eV/A), stress (3, 3) (eV/A^3) and version from CP2K's output.

    CP2K prints the pressure tensor: ASE's stress, where tension is positive, is its negative.
    Of several results in one output the last one counts.

    Parameters
    ----------
    text
        All that CP2K wrote.
    n_atoms
        Number of atoms of the frame.
    output
        File of the text, for messages.

    Raises
    ------
    LabelFailed
        Not permanent if the output is cut short; permanent if the SCF is not converged, or a
        quantity is not made of numbers for these atoms.
    LabelerUnusable
        If CP2K ended normally and says a quantity in no wording that is known.
    """
    text = text.replace("\r\n", "\n")
    run, ended, rest = text.rpartition("PROGRAM ENDED AT")
    if not ended or any(marker in rest for marker in (_VERSION, _ENERGY, *_FORCES, _STRESS)):
        raise LabelFailed("CP2K's output is cut short", permanent=False, output=output)
    require_verdict(text, output)
    if not scf_verdict(text)[0]:
        raise LabelFailed("SCF not converged", permanent=True, output=output)
    try:
        version = _version(run)
        energy, behind = _energy(run)
        return energy, _forces(behind, n_atoms), _stress(behind), version
    except _UnknownWording as unknown:
        raise _unusable(str(unknown), text, output) from None
    except _BadResult as bad:
        raise LabelFailed(f"in CP2K's output {bad}", permanent=True, output=output) from None


def require_verdict(text: str, output: Path | None = None) -> None:
    """Raise LabelerUnusable if CP2K ended normally without a known word on its SCF."""
    if "PROGRAM ENDED AT" in text and not re.search("SCF (loop|run) (NOT )?(conv|FAIL)", text):
        raise _unusable("nothing on the convergence of the SCF", text, output)


def _unusable(what: str, text: str, output: Path | None) -> LabelerUnusable:
    version = re.search(rf"{_VERSION}\s+CP2K version (\S{{1,40}})", text)
    return LabelerUnusable(
        f"CP2K {version[1] if version else 'of an unknown version'} ended normally, but minset finds "
        f"{what} in {output or 'its output'}: it knows the wordings of CP2K 8.1 to 2026.2. No frame "
        "is blamed; start a CP2K of these (labels.settings.command, or the module that is loaded), "
        "or, if it is one of them, see in that output what is amiss, and run again"
    )


def _behind(text: str, marker: str, what: str) -> str:
    """What follows the last marker: an earlier quantity is not the result."""
    _, marked, behind = text.rpartition(marker)
    if not marked:
        raise _UnknownWording(f"no {what}")
    return behind


def _version(text: str) -> str:
    found = re.match(r"[ \t]+CP2K version (\S+)", _behind(text, _VERSION, "version"))
    if found is None:
        raise _UnknownWording("no version")
    return found[1]


def _energy(text: str) -> tuple[float, str]:
    """Energy in eV, and the output behind it."""
    line, _, behind = _behind(text, _ENERGY, "total energy").partition("\n")
    words = re.fullmatch(r"[^\[\]]* energy \[(a\.u\.\]:|hartree\]:?)[ \t]+(\S.*)", line)
    if words is None:
        raise _UnknownWording(f"no total energy in hartree but {_short(_ENERGY + line)}")
    return _number(words[2].strip(), "the energy") * HARTREE_EV, behind


def _forces(text: str, n_atoms: int) -> np.ndarray:
    """Forces (n, 3) in eV/A."""
    begin = max(_FORCES, key=text.rfind)
    unit, end = _FORCES[begin]
    told, _, table = _behind(text, begin, "forces").partition("]")
    if told != unit:
        raise _UnknownWording(f"no forces in {unit} but in {_short(told)}")
    table, ended, _ = table.partition(end)
    if not ended:
        raise _UnknownWording(f"no end of the forces ({end!r})")
    lines = [line for line in table.split("\n") if line.strip() and line[:2] != " #"]
    rows = [_force_row(line) for line in lines if line.split()[:2] != ["FORCES|", "Atom"]]
    if len(rows) != n_atoms:
        raise _BadResult(f"there are forces of {len(rows)} atoms instead of {n_atoms}")
    if [number for number, _ in rows] != list(range(1, n_atoms + 1)):
        raise _BadResult(f"the forces are not in the order of the atoms, 1 to {n_atoms}")
    return np.array([force for _, force in rows]) * HARTREE_BOHR_EV_A


def _force_row(line: str) -> tuple[int, list[float]]:
    """Number of an atom and its force from `number kind element x y z` or `FORCES| number x y z |f|`."""
    words = line.split()
    number, numbers = (words[1:2], words[2:5]) if words[0] == "FORCES|" else (words[:1], words[3:])
    whole = len(words) == 6 and re.fullmatch("[0-9]{1,9}", number[0])
    if not whole or not (words[0] == "FORCES|" or re.fullmatch("[A-Z][A-Za-z0-9_]*", words[2])):
        raise _BadResult(f"a line among the forces is not that of an atom: {_short(line)}")
    return int(number[0]), [_number(word, f"the force on atom {number[0]}") for word in numbers]


def _stress(text: str) -> np.ndarray:
    """Stress (3, 3) in eV/A^3, with ASE's sign."""
    unit, _, table = _behind(text, _STRESS, "analytical stress tensor").partition("]")
    if unit not in _STRESS_UNITS_EV_A3:
        raise _UnknownWording(f"no stress in GPa or bar but in {_short(unit)}")
    rows = []
    for axis, line in zip("xyz", table.split("\n")[2:5], strict=False):
        words = line.split()
        if words[:2] != ["STRESS|", axis] or len(words) != 5:
            raise _BadResult(f"row {axis} of the stress tensor cannot be read: {_short(line)}")
        rows.append([_number(word, f"row {axis} of the stress tensor") for word in words[2:]])
    if len(rows) != 3:
        raise _BadResult("the stress tensor has no three rows")
    return -np.array(rows) * _STRESS_UNITS_EV_A3[unit]


def _number(word: str, of: str) -> float:
    found = _NUMBER.fullmatch(word)
    if found is None:
        why = ", stars for a number that does not fit its columns" if "**" in word else ""
        raise _BadResult(f"{of} is not a number but {_short(word)}{why}")
    mantissa, exponent = found[1], found[2] or found[3]
    return float(f"{mantissa}e{exponent}" if exponent else word)


def _short(text: str) -> str:
    """Some text of the output for a message, on one line of sane length."""
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else f"{text[:70]} ...")
