"""What pw.x says in its output: the verdict on the SCF, energy, forces and stress."""

import re
from pathlib import Path

import numpy as np
from ase.units import create_units

from minset.interpreters import one_line
from minset.label.store import LabelerUnusable, LabelFailed

# CODATA 2006, which Quantum ESPRESSO uses
_UNITS = create_units("2006")
_RY_EV = _UNITS["Ry"]
_BOHR_A = _UNITS["Bohr"]
# with `!!` after the outer loop of a hybrid functional
_ENERGY = re.compile(r"^!!? +total energy +=(.*)Ry *$", re.M)
_FORCES = "Forces acting on atoms"
_STRESS = "total   stress"


def version_of(text: str) -> str:
    """Version of pw.x, ``unknown`` where it is not told."""
    found = re.search(r"Program PWSCF v\.\s*(\S+)", text)
    return found[1] if found else "unknown"


def scf_verdict(text: str) -> bool | None:
    """Whether pw.x says that its SCF converged; None where it says nothing."""
    if "convergence NOT achieved" in text:
        return False
    return True if "convergence has been achieved" in text else None


def scf_steps(text: str) -> int:
    """Steps of the SCF."""
    return len(re.findall(r"^ +iteration #", text, re.M))


def complaint(text: str) -> str | None:
    """Message in pw.x's box of an error."""
    box = re.search(r"%{20,}\s*\n(.*?)%{20,}", text, re.S)
    return " ".join(box[1].split()) if box else None


def parse_output(
    text: str, n_atoms: int, output: Path | None = None
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy (eV), forces (n, 3) (eV/A) and stress (3, 3) (eV/A^3) of a converged calculation.

    The total energy that pw.x marks with ``!`` is with smeared occupations the free energy E - TS, the
    one whose derivatives the forces are. Its stress has the other sign than ASE's.

    Parameters
    ----------
    text
        All that pw.x wrote.
    output
        File of the text, for messages.

    Raises
    ------
    LabelFailed
        Permanent, if a quantity is not made of numbers for these atoms.
    LabelerUnusable
        If a quantity is in no wording that is known.
    """
    energies = _ENERGY.findall(text)
    missing = [] if energies else ["total energy"]
    missing += [what for what in (_FORCES, _STRESS) if what not in text]
    if missing:
        raise LabelerUnusable(
            f"pw.x {version_of(text)} ended normally, but minset finds no {' and no '.join(missing)} in "
            f"{output or 'its output'}: it knows the wordings of 6.7 to 7.4. No frame is blamed; start "
            "another pw.x (labels.settings.command), or see in that output what is amiss"
        )
    try:
        forces = _numbers(_force_rows(text, n_atoms))
        rows = text.rpartition(_STRESS)[2].split("\n")[1:4]
        stress = _numbers([row.split()[:3] for row in rows])
        energy = _numbers([energies[-1].split()])[0, 0]
    except ValueError as error:
        message = f"in the output of pw.x a number cannot be read: {one_line(error)[:200]}"
        raise LabelFailed(message, permanent=True, output=output) from None
    return energy * _RY_EV, forces * _RY_EV / _BOHR_A, -stress * _RY_EV / _BOHR_A**3


def _force_rows(text: str, n_atoms: int) -> list[list[str]]:
    """Words of the total forces, which are followed by their parts in verbose outputs."""
    found = re.findall(
        r"^ +atom +(\d{1,9}) +type +\d+ +force =(.*)$", text.rpartition(_FORCES)[2], re.M
    )[:n_atoms]
    if [int(number) for number, _ in found] != list(range(1, n_atoms + 1)):
        raise ValueError(f"there are forces of {len(found)} atoms instead of {n_atoms}")
    return [words.split() for _, words in found]


def _numbers(rows: list[list[str]]) -> np.ndarray:
    """Rows of one or three numbers; Python would take 1_0 for one too."""
    for word in (word for row in rows for word in row):
        if not re.fullmatch(r"[-+]?[0-9]+\.[0-9]*([Ee][-+]?[0-9]+)?|[-+]?[Nn]a[Nn]", word):
            raise ValueError(word)
    array = np.array(rows, dtype=float)
    if array.ndim != 2 or array.shape[1] not in (1, 3):
        raise ValueError(f"{rows[0]} are not the numbers of a row")
    return array
