"""What CP2K says in its output: the verdict on the SCF, energy, forces and stress."""

import re
from pathlib import Path

import numpy as np

from minset.label.store import LabelFailed
from minset.units import GPA_EV_A3, HARTREE_BOHR_EV_A, HARTREE_EV

_STRESS_UNITS_EV_A3 = {"GPa": GPA_EV_A3, "bar": 1e-4 * GPA_EV_A3}
_NUMBER = r"([-+]?(?:\d+\.?\d*(?:[EDed][-+]?\d+)?|NaN|Infinity))"
_THREE_NUMBERS = r"[ \t]+".join([_NUMBER] * 3)


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

    Raises
    ------
    LabelFailed : permanent if the SCF is not converged or a finished output lacks a quantity;
        not permanent if the output is cut short.
    """
    if "PROGRAM ENDED AT" not in text:
        raise LabelFailed("CP2K's output is cut short", permanent=False, output=output)
    if not scf_verdict(text)[0]:
        raise LabelFailed("SCF not converged", permanent=True, output=output)

    def last(marker: str, pattern: str, what: str) -> re.Match:
        """The pattern right behind the last marker: an earlier quantity is not the result."""
        _, marked, rest = text.rpartition(marker)
        match = re.match(pattern, rest) if marked else None
        if match is None:
            raise LabelFailed(
                f"no {what} in CP2K's output; minset reads that of CP2K 8.1 to 2024.3",
                permanent=True,
                output=output,
            )
        return match

    version = last("version string:", r"[ \t]+CP2K version (\S+)", "version")[1]
    number = rf"[^:\n]*:[ \t]+{_NUMBER}[ \t]*\n"
    energy = last("ENERGY| Total FORCE_EVAL", number, "total energy")[1]
    table = last("ATOMIC FORCES in [a.u.]", r"([\s\S]*?)SUM OF ATOMIC FORCES", "force table")[1]
    row = rf"[ \t]*(\d{{1,9}})[ \t]+\d+[ \t]+[A-Z][a-z]?[ \t]+{_THREE_NUMBERS}[ \t]*"
    lines = [line for line in table.split("\n") if line.strip() and not line.startswith(" #")]
    rows = [found.groups() for found in (re.fullmatch(row, line) for line in lines) if found]
    if len(rows) < len(lines) or [int(r[0]) for r in rows] != list(range(1, n_atoms + 1)):
        raise LabelFailed(
            f"forces of {len(rows)} atoms in CP2K's output, {n_atoms} expected", True, output
        )
    tensor = last(
        "STRESS| Analytical stress tensor [",
        r"(GPa|bar)\]\n.*\n"
        + "".join(rf" STRESS\|[ \t]+{axis}[ \t]+{_THREE_NUMBERS}[ \t]*\n" for axis in "xyz"),
        "stress tensor in GPa or bar",
    )
    return (
        _float(energy) * HARTREE_EV,
        np.array([[_float(x) for x in r[1:]] for r in rows]) * HARTREE_BOHR_EV_A,
        -np.reshape([_float(x) for x in tensor.groups()[1:]], (3, 3))
        * _STRESS_UNITS_EV_A3[tensor[1]],
        version,
    )


def _float(text: str) -> float:
    return float(text.upper().replace("D", "E"))
