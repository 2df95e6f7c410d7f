"""What CP2K says in its output: the verdict on the SCF, energy, forces and stress."""

import re
from pathlib import Path

import numpy as np

from minset.label.store import LabelFailed
from minset.units import GPA_EV_A3, HARTREE_BOHR_EV_A, HARTREE_EV

_STRESS_UNITS_EV_A3 = {"GPa": GPA_EV_A3, "bar": 1e-4 * GPA_EV_A3}
_NUMBER = r"([-+]?(?:\d+\.?\d*(?:[EDed][-+]?\d+)?|NaN|Infinity))"
_THREE_NUMBERS = r"\s+".join([_NUMBER] * 3)


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
    return converged, int(steps)


def parse_output(
    text: str, n_atoms: int, output: Path | None = None
) -> tuple[float, np.ndarray, np.ndarray, str]:
    """Energy (eV), forces (n, 3) (eV/A), stress (3, 3) (eV/A^3) and version from CP2K's output.

    CP2K prints the pressure tensor: ASE's stress, where tension is positive, is its negative.

    Raises
    ------
    LabelFailed : permanent if the SCF is not converged or a finished output lacks a quantity;
        not permanent if the output is cut short.
    """
    if "PROGRAM ENDED AT" not in text:
        raise LabelFailed("CP2K's output is cut short", permanent=False, output=output)
    if not scf_verdict(text)[0]:
        raise LabelFailed("SCF not converged", permanent=True, output=output)

    def found(pattern: str, what: str) -> re.Match:
        matches = list(re.finditer(pattern, text))
        if not matches:
            raise LabelFailed(
                f"no {what} in CP2K's output; minset reads that of CP2K 8.1 to 2024.3",
                permanent=True,
                output=output,
            )
        return matches[-1]

    version = found(r"version string:\s+CP2K version (\S+)", "version")[1]
    energy = found(rf"ENERGY\| Total FORCE_EVAL .*?:\s+{_NUMBER}\s", "total energy")[1]
    table = found(r"ATOMIC FORCES in \[a\.u\.\]\s([\s\S]*?)SUM OF ATOMIC FORCES", "force table")[1]
    rows = re.findall(rf"^\s+(\d+)\s+\d+\s+[A-Z][a-z]?\s+{_THREE_NUMBERS}\s*$", table, re.M)
    if [int(row[0]) for row in rows] != list(range(1, n_atoms + 1)):
        raise LabelFailed(
            f"forces of {len(rows)} atoms in CP2K's output, {n_atoms} expected", True, output
        )
    tensor = found(
        r"STRESS\| Analytical stress tensor \[(GPa|bar)\]\n.*\n"
        + "".join(rf" STRESS\|\s+{axis}\s+{_THREE_NUMBERS}\s*\n" for axis in "xyz"),
        "stress tensor in GPa or bar",
    )
    return (
        _float(energy) * HARTREE_EV,
        np.array([[_float(x) for x in row[1:]] for row in rows]) * HARTREE_BOHR_EV_A,
        -np.reshape([_float(x) for x in tensor.groups()[1:]], (3, 3))
        * _STRESS_UNITS_EV_A3[tensor[1]],
        version,
    )


def _float(text: str) -> float:
    return float(text.upper().replace("D", "E"))
