"""The `cp2k` labeler: energy, forces and stress from density functional theory in CP2K.

A calculation is tried with the fast minimiser, and once more with the safe one if its SCF does
not converge. CP2K's own verdict decides; CP2K 2023 ends normally even where it did not converge.
"""

import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from minset.label.store import LabelFailed, RawLabel
from minset.units import GPA_EV_A3, HARTREE_BOHR_EV_A, HARTREE_EV

# how a label is reached, not what it is: these settings are not part of its key
_EFFORT = {"command", "timeout_s", "max_scf", "max_outer_scf"}
_PHYSICS = {
    *("method", "functional", "dispersion", "cutoff_Ry", "rel_cutoff_Ry", "eps_default"),
    *("eps_scf", "kinds", "charge", "basis_set_file", "potential_file"),
}
_CHOICES = {
    "method": ("GPW", "GAPW"),
    "functional": ("PBE",),
    "dispersion": ("none", "d3", "rvv10"),
}
_LAUNCHERS = {"mpirun", "mpiexec", "mpiexec.hydra", "srun"}
_PROJECT = "minset"
_STRESS_UNITS_EV_A3 = {"GPa": GPA_EV_A3, "bar": 1e-4 * GPA_EV_A3}
_NUMBER = r"([-+]?(?:\d+\.?\d*(?:[EDed][-+]?\d+)?|NaN|Infinity))"
_THREE_NUMBERS = r"\s+".join([_NUMBER] * 3)
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def physics_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that change a label, without command, time limit and numbers of SCF steps."""
    return {key: value for key, value in settings.items() if key not in _EFFORT}


def label(atoms: Atoms, settings: dict[str, Any], workdir: Path, threads: int) -> RawLabel:
    """Label one frame with CP2K.

    Parameters
    ----------
    atoms : frame, periodic in three directions (A).
    settings : the `cp2k` settings of system and study; `timeout_s` holds for the whole frame.
    workdir : folder of this frame alone; inputs and outputs stay there.
    threads : cores; they take the place of `{threads}` in the command, else OpenMP threads.

    Raises
    ------
    LabelFailed : no converged result; permanent unless CP2K crashed, was killed or ran too long.
    ValueError : a setting or an element's kind is missing or unknown.
    FileNotFoundError : CP2K is not installed.
    """
    _check_settings(settings)
    argv, environment = _command(settings["command"], threads)
    workdir = Path(workdir).resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + settings["timeout_s"]
    # rVV10 costs four times as much per step, so it starts from PBE's wave function
    stages = (True, False) if settings["dispersion"] == "rvv10" else (False,)
    try:
        for attempt, safe in enumerate((False, True), start=1):
            steps = 0
            for preliminary in stages:
                name = f"attempt-{attempt}" + ("-pbe" if preliminary else "")
                source = cp2k_input(atoms, settings, safe=safe, preliminary=preliminary)
                (workdir / f"{name}.inp").write_text(source)
                output = workdir / f"{name}.out"
                text = _run(argv, output, environment, deadline, settings["timeout_s"])
                converged, stage_steps = scf_verdict(text)
                steps += stage_steps
                if not converged:
                    break
            else:
                energy, forces, stress, version = parse_output(text, len(atoms), output)
                info = {
                    "scf_steps": steps,
                    "attempts": attempt,
                    "version": f"CP2K {version}",
                    "command": shlex.join(argv),
                }
                return RawLabel(energy, forces, stress, info)
    finally:
        # wave functions are the only large files, and of no use to the next frame
        for path in workdir.glob("*.wfn*"):
            path.unlink()
    raise LabelFailed(
        f"SCF not converged in {steps} steps, nor before with the faster minimiser",
        permanent=True,
        output=output,
    )


def cp2k_input(
    atoms: Atoms, settings: dict[str, Any], *, safe: bool = False, preliminary: bool = False
) -> str:
    """CP2K's input for one frame.

    Parameters
    ----------
    atoms : frame (A), any cell.
    settings : the `cp2k` settings.
    safe : conjugate gradients with a line search and twice the outer loops, for a second try.
    preliminary : energy without dispersion, leaving the wave function from which the calculation
        with rVV10 starts.

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
    from_file = dispersion == "rvv10"
    dft: dict[str, Any] = {
        "BASIS_SET_FILE_NAME": settings["basis_set_file"],
        "POTENTIAL_FILE_NAME": settings["potential_file"],
        "CHARGE": settings["charge"],
        "QS": {"METHOD": settings["method"], "EPS_DEFAULT": float(settings["eps_default"])},
        "MGRID": {"CUTOFF": settings["cutoff_Ry"], "REL_CUTOFF": settings["rel_cutoff_Ry"]},
        "SCF": _scf(settings, safe, "RESTART" if from_file else "ATOMIC", preliminary),
        "XC": {f"XC_FUNCTIONAL {settings['functional']}": {}, **_dispersion(dispersion)},
    }
    if from_file:
        dft["WFN_RESTART_FILE_NAME"] = f"{_PROJECT}-RESTART.wfn"
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


def _command(command: str, threads: int) -> tuple[list[str], dict[str, str]]:
    """Words of the command and the environment for it; FileNotFoundError where it is missing."""
    words = shlex.split(command.replace("{threads}", str(threads)))
    launched = bool(words) and Path(words[0]).name in _LAUNCHERS
    in_container = {"apptainer", "singularity"} & {Path(word).name for word in words}
    programs = words[:1]
    if launched and not in_container:
        programs += [word for word in words[1:] if Path(word).name.startswith("cp2k")]
    for program in programs or [""]:
        if shutil.which(program) is None:
            raise FileNotFoundError(
                f"cp2k.command is {command!r}, but there is no program {program!r} here. "
                "Install CP2K with `apt-get install cp2k`, through the conda environment "
                "envs/cp2k.yaml or with `module load`, or run a study whose labeler is lammps"
            )
    # CP2K runs in the frame's folder, where a relative path would lead nowhere
    words[0] = os.path.abspath(shutil.which(words[0]))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1" if launched or "{threads}" in command else str(threads),
        # Open MPI refuses to run as root otherwise, as in a container
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        # two batches on one machine would both be bound to its first cores
        "OMPI_MCA_hwloc_base_binding_policy": "none",
    }
    return words, environment


def _run(
    argv: list[str], output: Path, environment: dict, deadline: float, timeout_s: float
) -> str:
    """Run CP2K on the input beside `output`; return what it wrote.

    Raises
    ------
    LabelFailed : not permanent; killed, crashed, or past the deadline.
    """
    errors = output.with_suffix(".err")
    argv = [*argv, "-i", output.with_suffix(".inp").name]
    with output.open("wb") as out, errors.open("wb") as err, _sigterm_raises():
        process = subprocess.Popen(
            argv,
            cwd=output.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise LabelFailed(
                f"CP2K stopped at the time limit of {timeout_s:g} s (cp2k.timeout_s)", False, output
            ) from None
        finally:
            _end_session(process)
    text = output.read_text(errors="replace")
    if "SCF run NOT converged" in text or (code == 0 and "PROGRAM ENDED AT" in text):
        return text
    ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    raise LabelFailed(f"CP2K {ending}: {_complaint(text, errors)}", False, output)


def _complaint(text: str, errors: Path) -> str:
    """CP2K's message in its [ABORT] box, else the last line it wrote."""
    if "[ABORT]" in text:
        box = text.rpartition("[ABORT]")[2].partition("=====")[0]
        words = re.sub(r"[*|\\/]|\bO/?\s", " ", box).split()
        return " ".join(word for word in words if word not in ("___", "O"))
    lines = (text + errors.read_text(errors="replace")).split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output at all")


def _die_with(parent: int):
    """For the child: SIGTERM when the parent dies, so that even SIGKILL leaves nothing running."""

    def ask_kernel() -> None:
        if _LIBC is not None:
            # not SIGKILL: mpirun passes SIGTERM on to its ranks
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

    return ask_kernel


def _end_session(process: subprocess.Popen) -> None:
    """Kill what still runs of a child and its session; mpirun puts ranks in groups of their own."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == process.pid:
                os.kill(int(entry.name), signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the child is killed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)
