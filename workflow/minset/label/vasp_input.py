"""Input files of VASP for one frame, and what is wrong with the tags that people give."""

import difflib
import io
from pathlib import Path

import numpy as np
from ase import Atoms

# one self-consistent calculation with forces and stress, no large files
FORCED = {"NSW": 0, "IBRION": -1, "ISIF": 2, "LWAVE": False, "LCHARG": False}
# given by other keys of minset
_BY_OTHERS = {"KSPACING": "kspacing_inverse_A", "KGAMMA": "kspacing_inverse_A"}
# lists of numbers by atom or species, which differ in number and order from frame to frame
_BY_ATOM = {
    *("MAGMOM", "LDAUL", "LDAUU", "LDAUJ", "RWIGS", "ROPT", "POMASS", "ZVAL", "LANGEVIN_GAMMA"),
    *("VDW_C6", "VDW_R0", "VDW_ALPHA", "VDW_D", "QSPIRAL", "M_CONSTR", "IPEAD"),
}
# tags that say how the result is reached, not what it is
HOW = {
    *("NCORE", "NPAR", "KPAR", "NSIM", "LPLANE", "LSCALAPACK", "LSCALU", "NWRITE", "SYSTEM"),
    *("ALGO", "IALGO", "NELM", "NELMIN", "NELMDL", "AMIX", "BMIX", "AMIX_MAG", "BMIX_MAG", "AMIN"),
    *("IMIX", "INIMIX", "MAXMIX", "MIXPRE", "WC", "TIME", "ISTART", "ICHARG", "LDIAG", "IWAVPR"),
}
_KINDS = ("float", "exp", "string", "int", "bool", "list_int", "list_bool", "list_float", "special")


def known_tags() -> set[str]:
    """Tags of an INCAR file that ASE knows."""
    # takes a second, and matplotlib
    from ase.calculators.vasp import create_input

    lists = [getattr(create_input, f"{kind}_keys") for kind in _KINDS]
    return {tag.upper() for tags in lists for tag in tags}


def merged(*incars: dict) -> dict:
    """Tags of several INCAR files in capital letters; the later one counts."""
    return {tag.upper(): value for incar in incars for tag, value in incar.items()}


def tag_mistakes(tags: dict) -> list[str]:
    """What is wrong with the tags of an INCAR file, each beginning with its tag."""
    known, found = known_tags(), []
    for tag in tags:
        if tag in FORCED:
            found.append(f"{tag}: minset sets it to {_written(FORCED[tag])}; take it away")
        elif tag in _BY_OTHERS:
            found.append(f"{tag}: take it away and use {_BY_OTHERS[tag]}")
        elif tag in _BY_ATOM:
            found.append(
                f"{tag}: its values go by atom or species, which differ from frame to frame"
            )
        elif tag not in known:
            close = difflib.get_close_matches(tag, known, n=1)
            found.append(f"{tag}: VASP has no such tag" + (f"; is it {close[0]}?" if close else ""))
    if "ENCUT" not in tags:
        found.append("ENCUT: missing, the cutoff of the plane waves in eV")
    return found


def order_of(atoms: Atoms) -> np.ndarray:
    """Numbers of the frame's atoms (n,) in the order of POSCAR: by element, then as in the frame."""
    return np.argsort(np.array(atoms.get_chemical_symbols()), kind="stable")


def write_inputs(
    folder: Path,
    atoms: Atoms,
    tags: dict,
    potcars: dict[str, str],
    kpoints: list[int] | None,
    kspacing_inverse_A: float | None,
) -> None:
    """Write POSCAR, INCAR, KPOINTS and POTCAR for a frame.

    Parameters
    ----------
    folder
        Where to.
    atoms
        Frame (A), any cell.
    tags
        Of INCAR, in VASP's units.
    potcars
        POTCAR file of each element.
    kpoints, kspacing_inverse_A
        Grid of k-points around Gamma (3,), or the largest distance between them in 1/A, 2 pi in it.

    Raises
    ------
    ValueError
        If the frame is not periodic.
    """
    from ase.io.vasp import write_vasp

    if not all(atoms.pbc):
        raise ValueError("VASP labels need a frame that is periodic in three directions")
    ordered = atoms[order_of(atoms)]
    poscar = io.StringIO()
    write_vasp(poscar, Atoms(ordered.numbers, ordered.positions, cell=atoms.cell, pbc=True))
    (folder / "POSCAR").write_text(poscar.getvalue())
    spacing = {"KSPACING": kspacing_inverse_A, "KGAMMA": True} if kpoints is None else {}
    incar = {"SYSTEM": "minset"} | tags | FORCED | spacing
    lines = [f"{tag} = {_written(value)}\n" for tag, value in incar.items()]
    (folder / "INCAR").write_text("".join(lines))
    if kpoints is not None:
        grid = " ".join(map(str, kpoints))
        (folder / "KPOINTS").write_text(f"minset\n0\nGamma\n{grid}\n0 0 0\n")
    with (folder / "POTCAR").open("wb") as potcar:
        for element in dict.fromkeys(ordered.get_chemical_symbols()):
            potcar.write(Path(potcars[element]).read_bytes())


def _written(value) -> str:
    if isinstance(value, list):
        return " ".join(map(_written, value))
    if isinstance(value, bool):
        return ".TRUE." if value else ".FALSE."
    return repr(value) if isinstance(value, float) else str(value)
