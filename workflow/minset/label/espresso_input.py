"""Input of pw.x for one frame, and what is wrong with the keys that people give."""

import difflib
import io
import re

from ase import Atoms

from minset.label.kpoints import kpoints_of

# set here, whatever the study: one self-consistent calculation with forces and stress, no large files
FORCED = {
    "calculation": "scf",
    "prefix": "minset",
    "outdir": "out",
    "disk_io": "none",
    "tprnfor": True,
    "tstress": True,
}
_SET_HERE = {
    "control": {*FORCED, "pseudo_dir", "restart_mode", "wfcdir"},
    "system": {"ibrav", "nat", "ntyp"},
}
# keys that say how the result is reached, not what it is
HOW = {
    "control": {"verbosity", "max_seconds", "iprint"},
    "electrons": {
        *("electron_maxstep", "mixing_mode", "mixing_beta", "mixing_ndim", "diagonalization"),
        *("diago_david_ndim", "diago_cg_maxiter", "diago_full_acc", "diago_thr_init"),
        *("startingpot", "startingwfc", "mixing_fixed_ns"),
    },
}


def parted(sections: dict[str, dict]) -> tuple[dict, dict]:
    """Sections of an input that decide the result, and those of keys that only say how it is reached."""
    parts = [
        {
            section: kept
            for section, values in sections.items()
            if (kept := {k: v for k, v in values.items() if (k in HOW.get(section, ())) is how})
        }
        for how in (False, True)
    ]
    return parts[0], parts[1]


def merged(*inputs: dict[str, dict]) -> dict[str, dict]:
    """Sections of several inputs, keys in small letters; the later one counts."""
    sections: dict[str, dict] = {}
    for given in inputs:
        for section, values in given.items():
            known = sections.setdefault(section, {})
            known |= {key.lower(): value for key, value in values.items()}
    return sections


def input_mistakes(sections: dict[str, dict]) -> list[str]:
    """What is wrong with the sections of an input, each beginning with its place in ``input``."""
    from ase.io.espresso_namelist.keys import pw_keys

    found = []
    for section, values in sections.items():
        known = pw_keys[section]
        for key in values:
            if key in _SET_HERE.get(section, ()):
                found.append(f"{section}.{key}: minset sets it; take it away")
            elif re.search(r"[()]", key):
                found.append(
                    f"{section}.{key}: the numbers of species differ from frame to frame; take it away"
                )
            elif key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                like = f"; is it {close[0]}?" if close else ""
                found.append(f"{section}.{key}: pw.x has no such key in &{section.upper()}{like}")
    if "ecutwfc" not in sections.get("system", {}):
        found.append("system.ecutwfc: missing, the cutoff of the plane waves in Ry")
    return found


def pw_input(
    atoms: Atoms,
    sections: dict[str, dict],
    pseudopotentials: dict[str, str],
    pseudo_folder: str,
    kpoints: list[int] | None,
    kspacing_inverse_A: float | None,
) -> str:
    """Input for one frame.

    Parameters
    ----------
    atoms
        Frame (A), any cell.
    sections
        Keys of pw.x by section, in its units.
    pseudopotentials
        File of each element, in ``pseudo_folder``.
    kpoints, kspacing_inverse_A
        Grid of k-points around Gamma (3,), or the largest distance between them in 1/A, 2 pi in it.

    Raises
    ------
    ValueError
        If the frame is not periodic.
    """
    from ase.io.espresso import write_espresso_in

    if not all(atoms.pbc):
        raise ValueError(
            "Quantum ESPRESSO labels need a frame that is periodic in three directions"
        )
    namelists = merged(sections, {"control": FORCED | {"pseudo_dir": pseudo_folder}})
    plain = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    grid = kpoints or kpoints_of(atoms, kspacing_inverse_A)
    real = not namelists["system"].get("noncolin", False)
    # at Gamma alone wave functions are real, which halves the work
    given = {"kpts": None if grid == [1, 1, 1] and real else tuple(grid)}
    text = io.StringIO()
    write_espresso_in(text, plain, namelists, pseudopotentials, **given)
    return text.getvalue()
