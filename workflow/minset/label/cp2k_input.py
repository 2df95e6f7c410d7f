"""CP2K's input for one frame."""

from collections.abc import Iterator
from typing import Any

from ase import Atoms

PROJECT = "minset"
WAVE_FUNCTION = f"{PROJECT}-RESTART.wfn"


def cp2k_input(
    atoms: Atoms,
    settings: dict[str, Any],
    *,
    safe: bool = False,
    preliminary: bool = False,
    reuse: bool = False,
) -> str:
    """CP2K's input for one frame.

    Parameters
    ----------
    atoms
        Frame (A), any cell.
    settings
        The ``cp2k`` settings.
    safe
        Conjugate gradients with a line search and twice the outer loops, for a second try.
    preliminary
        Energy without dispersion, leaving the wave function from which the calculation with rVV10
        starts.
    reuse
        Start from the wave function in the frame's folder.

    Raises
    ------
    ValueError
        If the frame is not periodic, or an element has no kind.
    """
    if not all(atoms.pbc):
        raise ValueError("CP2K labels need a frame that is periodic in three directions")
    sections = {
        "GLOBAL": {
            "PROJECT": PROJECT,
            "RUN_TYPE": "ENERGY" if preliminary else "ENERGY_FORCE",
            "PRINT_LEVEL": "LOW",
        },
        "FORCE_EVAL": {
            "METHOD": "QS",
            "STRESS_TENSOR": "NONE" if preliminary else "ANALYTICAL",
            "DFT": _dft(settings, safe, preliminary, reuse),
            "SUBSYS": _subsys(atoms, settings["kinds"]),
            "PRINT": {} if preliminary else {"FORCES": {"NDIGITS": 12}, "STRESS_TENSOR": {}},
        },
    }
    return "\n".join(_render(sections)) + "\n"


def _subsys(atoms: Atoms, kinds: dict[str, dict]) -> dict:
    """Cell, coordinates, and the kinds of the frame's elements."""
    symbols = atoms.get_chemical_symbols()
    elements = list(dict.fromkeys(symbols))
    for element in elements:
        if element not in kinds:
            raise ValueError(
                f"the frame has {element}, but the system file has no cp2k.kinds.{element}: "
                "give it a basis_set and a potential"
            )
    cell = {
        axis: " ".join(f"{x:.12f}" for x in vector)
        for axis, vector in zip("ABC", atoms.cell[:], strict=True)
    }
    coordinates = [
        f"{symbol} " + " ".join(f"{x:.10f}" for x in position)
        for symbol, position in zip(symbols, atoms.positions, strict=True)
    ]
    named = {
        f"KIND {element}": {key.upper(): value for key, value in kinds[element].items()}
        for element in elements
    }
    return {"CELL": cell, "COORD": coordinates, **named}


def _dft(settings: dict[str, Any], safe: bool, preliminary: bool, reuse: bool) -> dict:
    dispersion = "none" if preliminary else settings["dispersion"]
    from_file = reuse or dispersion == "rvv10"
    keep = preliminary or settings["reuse_wave_functions"]
    dft: dict[str, Any] = {
        "BASIS_SET_FILE_NAME": settings["basis_set_file"],
        "POTENTIAL_FILE_NAME": settings["potential_file"],
        "CHARGE": settings["charge"],
        "QS": {"METHOD": settings["method"], "EPS_DEFAULT": float(settings["eps_default"])},
        "MGRID": {"CUTOFF": settings["cutoff_Ry"], "REL_CUTOFF": settings["rel_cutoff_Ry"]},
        "SCF": _scf(settings, safe, "RESTART" if from_file else "ATOMIC", keep),
        "XC": {f"XC_FUNCTIONAL {settings['functional']}": {}, **_dispersion(dispersion)},
    }
    if from_file:
        dft["WFN_RESTART_FILE_NAME"] = WAVE_FUNCTION
    return dft


def _scf(settings: dict[str, Any], safe: bool, guess: str, keep_wave_function: bool) -> dict:
    if safe:
        minimiser = {
            "MINIMIZER": "CG",
            "LINESEARCH": "2PNT",
            "PRECONDITIONER": "FULL_SINGLE_INVERSE",
        }
    else:
        minimiser = {"MINIMIZER": "DIIS", "PRECONDITIONER": "FULL_ALL", "ENERGY_GAP": 0.1}
    eps_scf = float(settings["eps_scf"])
    outer_loops = settings["max_outer_scf"] * (2 if safe else 1)
    return {
        "SCF_GUESS": guess,
        "EPS_SCF": eps_scf,
        "MAX_SCF": settings["max_scf"],
        "OT": minimiser,
        "OUTER_SCF": {"EPS_SCF": eps_scf, "MAX_SCF": outer_loops},
        "PRINT": {
            f"RESTART {'ON' if keep_wave_function else 'OFF'}": {"BACKUP_COPIES": 0},
            "RESTART_HISTORY OFF": {},
        },
    }


def _dispersion(name: str) -> dict:
    if name == "d3":
        pairs = {
            "TYPE": "DFTD3",
            "PARAMETER_FILE_NAME": "dftd3.dat",
            "REFERENCE_FUNCTIONAL": "PBE",
            "R_CUTOFF": "[angstrom] 15",
        }
        return {"VDW_POTENTIAL": {"POTENTIAL_TYPE": "PAIR_POTENTIAL", "PAIR_POTENTIAL": pairs}}
    if name == "rvv10":
        # b and C of the original rVV10; CP2K's default kernel file is that of another functional
        kernel = {
            "TYPE": "RVV10",
            "PARAMETERS": "6.3 0.0093",
            "KERNEL_FILE_NAME": "rVV10_kernel_table.dat",
        }
        return {"VDW_POTENTIAL": {"POTENTIAL_TYPE": "NON_LOCAL", "NON_LOCAL": kernel}}
    return {}


def _render(section: dict | list, indent: str = "") -> Iterator[str]:
    """Lines of an input section: dictionaries are sections, lists raw lines, the rest keywords."""
    if isinstance(section, list):
        yield from (indent + line for line in section)
        return
    for name, value in section.items():
        if isinstance(value, (dict, list)):
            yield f"{indent}&{name}"
            yield from _render(value, indent + "  ")
            yield f"{indent}&END {name.split()[0]}"
        else:
            yield f"{indent}{name} {value}"
