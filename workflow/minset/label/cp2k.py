"""The `cp2k` labeler: energy, forces and stress from density functional theory in CP2K.

A calculation starts from the wave function of the frame before it and, if that leads nowhere or
there is none, from atoms; if its SCF does not converge, once more with the safe minimiser. CP2K's
own verdict decides; CP2K 2023 ends normally even where it did not converge.
"""

import hashlib
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ase import Atoms

from minset.label.cp2k_output import parse_output, scf_verdict
from minset.label.cp2k_run import launch_command, run_cp2k
from minset.label.store import LabelFailed, RawLabel, canonical_json

# What a system file and a study need not say.
DEFAULTS = {
    "functional": "PBE",
    "dispersion": "rvv10",
    "eps_default": 1e-12,
    "eps_scf": 1e-6,
    # each outer loop renews the preconditioner: short inner loops need half the steps in all
    "max_scf": 5,
    "max_outer_scf": 20,
    "charge": 0,
    "basis_set_file": "BASIS_MOLOPT",
    "potential_file": "GTH_POTENTIALS",
    "reuse_wave_functions": True,
    "timeout_s": 14400,
    "command": "cp2k.psmp",
}
# how a label is reached, not what it is: these settings are not part of its key
_EFFORT = {"command", "timeout_s", "max_scf", "max_outer_scf", "reuse_wave_functions"}
_PHYSICS = {
    *("method", "functional", "dispersion", "cutoff_Ry", "rel_cutoff_Ry", "eps_default"),
    *("eps_scf", "kinds", "charge", "basis_set_file", "potential_file"),
}
# all but what belongs to the system
STUDY_SETTINGS = frozenset(_EFFORT | _PHYSICS - {"method", "kinds"})
_CHOICES = {
    "method": ("GPW", "GAPW"),
    "functional": ("PBE",),
    "dispersion": ("none", "d3", "rvv10"),
}
_PROJECT = "minset"
_WAVE_FUNCTION = f"{_PROJECT}-RESTART.wfn"


def physics_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that change a label, without command, time limit and numbers of SCF steps."""
    return {key: value for key, value in settings.items() if key not in _EFFORT}


def label(atoms: Atoms, settings: dict[str, Any], workdir: Path, threads: int) -> RawLabel:
    """Label one frame with CP2K.

    Parameters
    ----------
    atoms : frame, periodic in three directions (A).
    settings : the `cp2k` settings of system and study; `timeout_s` holds for the whole frame.
    workdir : folder of this frame alone; inputs and outputs stay there. Its parent holds the
        wave function for the next frame.
    threads : cores; they take the place of `{threads}` in the command, else OpenMP threads.

    Raises
    ------
    LabelFailed : no converged result; permanent unless CP2K crashed, was killed or ran too long.
    ValueError : a setting or an element's kind is missing or unknown.
    FileNotFoundError : CP2K is not installed.
    """
    _check_settings(settings)
    argv, environment = launch_command(settings["command"], threads)
    workdir = Path(workdir).resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + settings["timeout_s"]
    # rVV10 costs four times as much per step, so it starts from PBE's wave function
    stages = (True, False) if settings["dispersion"] == "rvv10" else (False,)
    wave_function = workdir / _WAVE_FUNCTION
    previous = workdir.parent / _shared_name(atoms, settings)
    # minimiser and start: safe or not, from the previous frame or from atoms
    attempts = [(False, False), (True, False)]
    if settings["reuse_wave_functions"] and previous.exists():
        shutil.copyfile(previous, wave_function)
        attempts.insert(0, (False, True))

    def scf(attempt: int, safe: bool, reuse: bool) -> tuple[bool, int, str, Path]:
        """Whether an attempt converged, its steps, and the last output with its place."""
        steps = 0
        for preliminary in stages:
            output = workdir / f"attempt-{attempt}{'-pbe' if preliminary else ''}.out"
            source = cp2k_input(atoms, settings, safe=safe, preliminary=preliminary, reuse=reuse)
            output.with_suffix(".inp").write_text(source)
            text = run_cp2k(argv, output, environment, deadline, settings["timeout_s"])
            converged, stage_steps = scf_verdict(text)
            steps += stage_steps
            if not converged:
                break
        return converged, steps, text, output

    try:
        for attempt, (safe, reuse) in enumerate(attempts, start=1):
            try:
                converged, steps, text, output = scf(attempt, safe, reuse)
            except LabelFailed:
                # a damaged wave function of another frame is not this one's fault
                if not reuse:
                    raise
                previous.unlink(missing_ok=True)
                continue
            if converged:
                energy, forces, stress, version = parse_output(text, len(atoms), output)
                if settings["reuse_wave_functions"] and wave_function.exists():
                    wave_function.replace(previous)
                info = {
                    "scf_steps": steps,
                    "attempts": attempt,
                    "guess": "previous frame" if reuse else "atoms",
                    "version": f"CP2K {version}",
                    "command": shlex.join(argv),
                }
                return RawLabel(energy, forces, stress, info)
    finally:
        # wave functions are the only large files; the one for the next frame has been moved
        for path in workdir.glob("*.wfn*"):
            path.unlink()
    raise LabelFailed(
        f"SCF not converged in {steps} steps, nor before with the faster minimiser",
        permanent=True,
        output=output,
    )


def _shared_name(atoms: Atoms, settings: dict[str, Any]) -> str:
    """Name of the wave function that frames of the same atoms and settings hand on."""
    owner = canonical_json([atoms.numbers.tolist(), physics_settings(settings)])
    return f"{hashlib.sha256(owner.encode()).hexdigest()[:16]}.wfn"


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
    atoms : frame (A), any cell.
    settings : the `cp2k` settings.
    safe : conjugate gradients with a line search and twice the outer loops, for a second try.
    preliminary : energy without dispersion, leaving the wave function from which the calculation
        with rVV10 starts.
    reuse : start from the wave function in the frame's folder.

    Raises
    ------
    ValueError : the frame is not periodic, or an element has no kind.
    """
    if not all(atoms.pbc):
        raise ValueError("CP2K labels need a frame that is periodic in three directions")
    elements = list(dict.fromkeys(atoms.get_chemical_symbols()))
    for element in elements:
        if element not in settings["kinds"]:
            raise ValueError(
                f"the frame has {element}, but the system file has no cp2k.kinds.{element}: "
                "give it a basis_set and a potential"
            )
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
        dft["WFN_RESTART_FILE_NAME"] = _WAVE_FUNCTION
    cell = {
        axis: " ".join(f"{x:.12f}" for x in vector)
        for axis, vector in zip("ABC", atoms.cell[:], strict=True)
    }
    coordinates = [
        f"{symbol} " + " ".join(f"{x:.10f}" for x in position)
        for symbol, position in zip(atoms.get_chemical_symbols(), atoms.positions, strict=True)
    ]
    kinds = {
        f"KIND {element}": {key.upper(): value for key, value in settings["kinds"][element].items()}
        for element in elements
    }
    sections = {
        "GLOBAL": {
            "PROJECT": _PROJECT,
            "RUN_TYPE": "ENERGY" if preliminary else "ENERGY_FORCE",
            "PRINT_LEVEL": "LOW",
        },
        "FORCE_EVAL": {
            "METHOD": "QS",
            "STRESS_TENSOR": "NONE" if preliminary else "ANALYTICAL",
            "DFT": dft,
            "SUBSYS": {"CELL": cell, "COORD": coordinates, **kinds},
            "PRINT": {} if preliminary else {"FORCES": {"NDIGITS": 12}, "STRESS_TENSOR": {}},
        },
    }
    return "\n".join(_render(sections)) + "\n"


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


def _check_settings(settings: dict[str, Any]) -> None:
    for key in sorted(_EFFORT | _PHYSICS):
        if key not in settings:
            raise ValueError(f"the setting cp2k.{key} is missing")
    for key in settings:
        if key not in _EFFORT | _PHYSICS:
            raise ValueError(f"cp2k.{key} is not a setting of the cp2k labeler")
    for key, choices in _CHOICES.items():
        if settings[key] not in choices:
            raise ValueError(f"cp2k.{key} is {settings[key]!r}; it can be {', '.join(choices)}")
