"""What VASP says: the verdict and the version in OUTCAR, energy, forces and stress in vasprun.xml."""

import re
from pathlib import Path
from xml.etree.ElementTree import ParseError

import numpy as np

from minset.interpreters import one_line
from minset.label.store import LabelerUnusable, LabelFailed


def version_of(outcar: str) -> str:
    """Version of VASP, from the first line of OUTCAR."""
    found = re.match(r"\s*vasp\.(\S+)", outcar)
    return found[1] if found else "unknown"


def ended(outcar: str) -> bool:
    """Whether OUTCAR is whole."""
    return "General timing and accounting" in outcar


def scf_verdict(outcar: str) -> bool | None:
    """Whether the SCF converged; None where VASP says nothing of it.

    VASP 5 says that EDIFF is reached also where it stops because of NELM, so an SCF of NELM steps is
    none that converged, whatever VASP says.
    """
    reasons = re.findall(r"aborting loop (.*)", outcar)
    limit = re.search(r"^ +NELM +=\s*(\d{1,9});", outcar, re.M)
    if not reasons or limit is None:
        return None
    missed = "electronic self-consistency was not achieved" in outcar
    reached = "because EDIFF is reached" in reasons[-1]
    return reached and not missed and scf_steps(outcar) < int(limit[1])


def scf_steps(outcar: str) -> int:
    """Steps of the SCF."""
    return len(re.findall(r"^-+ Iteration +1\( *\d+\)", outcar, re.M))


def complaint(printed: str) -> str | None:
    """VASP's message of an error: in the last box in VASP 6, before which are advices, else on a line."""
    boxes = [_in_box(part) for part in re.split(r"^ ?-{20,}\s*$", printed, flags=re.M)]
    if texts := [text for text in boxes if text]:
        return texts[-1]
    found = re.findall(r"(?:VERY BAD NEWS|internal error|Error ED|ERROR).*", printed)
    return found[0].strip() if found else None


def _in_box(text: str) -> str:
    """Words between bars, without the letters of ERROR that are drawn with letters."""
    lines = [line.strip() for line in re.findall(r"^ ?\|(.*)\|\s*$", text, re.M)]
    told = [w for w in lines if re.search("[a-z]", w) and not re.search(r"([A-Z#])\1{3}", w)]
    return " ".join(" ".join(told).split())


def parse_vasprun(
    path: Path, symbols: list[str], version: str
) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy (eV), forces (n, 3) (eV/A) and stress (3, 3) (eV/A^3), atoms in the file's order.

    The energy is the free energy (``e_fr_energy``, TOTEN in OUTCAR), whose derivatives the forces are,
    not that extrapolated to no smearing.

    Parameters
    ----------
    path
        vasprun.xml of a calculation that ended normally.
    symbols
        Elements in the order of POSCAR.
    version
        Of VASP, for messages.

    Raises
    ------
    LabelFailed
        If the file is missing or cut short; permanent if something in it is no number.
    LabelerUnusable
        If it lacks a quantity, or holds other atoms.
    """
    import ase.io

    try:
        # of a part ASE would read what there is
        if "</modeling>" not in path.read_text(errors="replace"):
            raise ParseError("it has no end")
        read = ase.io.read(path, index=-1, format="vasp-xml")
        energy = read.get_potential_energy(force_consistent=True)
        forces, stress = read.get_forces(), read.get_stress(voigt=False)
    except (FileNotFoundError, ParseError) as error:
        reason = f"vasprun.xml is missing or cut short: {_short(error)}"
        raise LabelFailed(reason, False, path) from None
    except ValueError as error:
        reason = f"a number in vasprun.xml cannot be read: {_short(error)}"
        raise LabelFailed(reason, True, path) from None
    except Exception as error:  # ASE raises many kinds where the file lacks something
        raise unusable(path, version, f"{type(error).__name__}: {_short(error)}") from None
    if read.get_chemical_symbols() != symbols:
        raise unusable(path, version, "its atoms are not those of POSCAR")
    return float(energy), forces, stress


def _short(error: Exception) -> str:
    return one_line(error)[:200]


def unusable(path: Path, version: str, what: str) -> LabelerUnusable:
    """What is to be raised where a file of a calculation that ended normally cannot be used."""
    return LabelerUnusable(
        f"VASP {version} ended normally, but {path} cannot be used: {what}. No frame is blamed; "
        "see what is amiss in that file, or start another VASP (labels.settings.command)"
    )
