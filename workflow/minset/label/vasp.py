"""The ``vasp`` labeler: energy, forces and stress from VASP.

VASP's own words on its SCF decide. POTCAR files count by their content.
"""

import os
import re
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from minset.label.input_files import content_hashes, require_unchanged
from minset.label.kpoints import GRID_OPTIONS, grid_mistake, grid_of
from minset.label.program import (
    Program,
    command_mistake,
    crash,
    launch_command,
    program_options,
    run_program,
)
from minset.label.record import Labeler
from minset.label.store import LabelFailed, RawLabel
from minset.label.vasp_input import HOW, merged, order_of, tag_mistakes, write_inputs
from minset.label.vasp_output import (
    complaint,
    ended,
    parse_vasprun,
    scf_steps,
    scf_verdict,
    unusable,
    version_of,
)

VASP = Program(
    name="VASP",
    begins="vasp",
    keys="labels.settings",
    remedy="`module load` it, or give the path of VASP in labels.settings.command, such as "
    "`mpirun -np {threads} /opt/vasp/bin/vasp_std`",
)
DEFAULTS = {"command": "vasp_std", "timeout_s": 14400}
# how a label is reached, not what it is; POTCAR files count by their hash
_EFFORT = frozenset({"command", "timeout_s", "how", "potcar_files"})
# large, or under VASP's licence: not kept with a calculation that failed
_NOT_KEPT = ("WAVECAR", "CHG", "CHGCAR", "TMPCAR", "PROCAR", "POTCAR")
_PRINTED = "vasp.out"
OPTIONS = {
    "incar": {
        "type": "object",
        "additionalProperties": {"type": ["number", "string", "boolean", "array"]},
        "description": "Tags of INCAR on top of the system file's",
    },
    **GRID_OPTIONS,
    "potcar_folder": {
        "type": "string",
        "minLength": 1,
        "description": "Folder with <name>/POTCAR of each of the system file's potcars; that of "
        "VASP_PP_PATH when absent",
    },
    **program_options("VASP", "vasp_std"),
}


def settings_of(system: dict, given: dict) -> dict[str, Any]:
    """Complete settings, with the hashes of the POTCAR files.

    Parameters
    ----------
    system
        Content of a system file.
    given
        The study's ``labels.settings``, in which ``mistakes`` finds none.
    """
    section = system["vasp"]
    tags = merged(section["incar"], given.get("incar", {}))
    files = _potcar_files(system, given)
    return {
        "incar": {tag: value for tag, value in tags.items() if tag not in HOW},
        "how": {tag: value for tag, value in tags.items() if tag in HOW},
        **grid_of(section, given),
        "potcars": content_hashes(files),
        "potcar_files": files,
        "command": given.get("command", DEFAULTS["command"]),
        "timeout_s": given.get("timeout_s", DEFAULTS["timeout_s"]),
    }


def mistakes(system: dict, given: dict) -> list[str]:
    """What is wrong with the study's ``labels.settings`` in view of a system file."""
    where = f"the file of {system.get('name', 'the system')}"
    if "vasp" not in system:
        return [f"labels.labeler: vasp needs the section `vasp` in {where}"]
    section = system["vasp"]
    tags = merged(section["incar"], given.get("incar", {}))
    found = [f"labels.settings.incar.{mistake} ({where})" for mistake in tag_mistakes(tags)]
    of_command = command_mistake(given.get("command", "vasp_std"), DEFAULTS["command"])
    found += [m for m in (grid_mistake(section, given, where), of_command) if m]
    return found + _potcar_mistakes(system, given, where)


def _folder(given: dict) -> str:
    return given.get("potcar_folder") or os.environ.get("VASP_PP_PATH", "")


def _potcar_files(system: dict, given: dict) -> dict[str, str]:
    """POTCAR file of each species that has a name."""
    names = system["vasp"]["potcars"]
    folder = os.path.abspath(_folder(given))
    return {
        e: str(Path(folder, name, "POTCAR")) for e, name in names.items() if e in system["species"]
    }


def _potcar_mistakes(system: dict, given: dict, where: str) -> list[str]:
    """POTCAR files that are not named, not there, or of another element."""
    found = [
        f"labels.labeler: vasp needs vasp.potcars.{species} in {where}"
        for species in system["species"]
        if species not in system["vasp"]["potcars"]
    ]
    if not _folder(given):
        return [
            *found,
            f"labels.settings.potcar_folder: name the folder of the POTCAR files of {where}, here or in "
            "the environment variable VASP_PP_PATH",
        ]
    for element, file in _potcar_files(system, given).items():
        if not Path(file).is_file():
            found.append(
                f"labels.settings.potcar_folder: there is no {file}, vasp.potcars.{element} of {where}; "
                "name the folder that has it, or another POTCAR"
            )
        elif (other := _element_of(file)) not in (element, None):
            found.append(f"labels.settings.potcar_folder: {file} is of {other}, not of {element}")
    return found


def _element_of(potcar: str) -> str | None:
    """Element that a POTCAR file names."""
    found = re.search(r"VRHFIN\s*=\s*([A-Z][a-z]?)\s*:", Path(potcar).read_text(errors="replace"))
    return found[1] if found else None


def physics(settings: dict[str, Any], atoms: Atoms) -> dict[str, Any]:
    """Tags that decide the result, and the hashes of the POTCAR files of the frame's elements."""
    kept = {key: value for key, value in settings.items() if key not in _EFFORT}
    elements = set(atoms.get_chemical_symbols())
    kept["potcars"] = {e: sha256 for e, sha256 in kept["potcars"].items() if e in elements}
    return kept


def label(atoms: Atoms, settings: dict[str, Any], workdir: Path, threads: int) -> RawLabel:
    """Label one frame with VASP.

    Parameters
    ----------
    atoms
        Frame, periodic in three directions (A); VASP gets its atoms sorted by element.
    settings
        From ``settings_of``.
    workdir
        Folder of this frame alone; inputs and outputs stay there.
    threads
        Cores; they take the place of ``{threads}`` in the command, else OpenMP threads.

    Raises
    ------
    LabelFailed
        If there is no converged result; permanent unless VASP crashed, was killed or ran too long.
    LabelerUnusable
        If a POTCAR file has changed, or VASP's results cannot be read.
    FileNotFoundError
        If VASP is not installed.
    """
    argv, environment = launch_command(VASP, settings["command"], threads)
    potcars = settings["potcar_files"]
    require_unchanged(potcars, physics(settings, atoms)["potcars"])
    workdir = Path(workdir).resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    grid = settings["kpoints"], settings["kspacing_inverse_A"]
    write_inputs(workdir, atoms, settings["incar"] | settings["how"], potcars, *grid)
    printed, limit_s = workdir / _PRINTED, settings["timeout_s"]
    try:
        deadline = time.monotonic() + limit_s
        code, text = run_program(VASP, argv, printed, environment, deadline, limit_s)
    finally:
        for name in _NOT_KEPT:
            (workdir / name).unlink(missing_ok=True)
    raw = judged(code, text, atoms, workdir)
    raw.info["command"] = shlex.join(argv)
    return raw


def judged(code: int, printed: str, atoms: Atoms, workdir: Path) -> RawLabel:
    """Label of a frame from VASP's exit code, what it printed and its files; raises as ``label``."""
    outcar = workdir / "OUTCAR"
    said = outcar.read_text(errors="replace") if outcar.exists() else ""
    if code != 0 or not ended(said):
        raise crash(VASP, code, complaint(printed), workdir / _PRINTED)
    version, converged = version_of(said), scf_verdict(said)
    if converged is None:
        raise unusable(outcar, version, "it says nothing on the convergence of the SCF")
    if not converged:
        reason = f"SCF not converged in {scf_steps(said)} steps"
        raise LabelFailed(reason, permanent=True, output=outcar)
    order = order_of(atoms)
    symbols = atoms[order].get_chemical_symbols()
    energy, sorted_forces, stress = parse_vasprun(workdir / "vasprun.xml", symbols, version)
    forces = np.empty_like(sorted_forces)
    forces[order] = sorted_forces
    info = {"scf_steps": scf_steps(said), "version": f"VASP {version}"}
    return RawLabel(energy, forces, stress, info)


def seconds(settings: dict[str, Any], ions: int) -> float:
    """Time of one frame on one core, by the square of the ions; a guess from Quantum ESPRESSO's."""
    return 10 * (ions / 8) ** 2 * float(np.prod(settings["kpoints"] or [1, 1, 1]))


def megabytes(settings: dict[str, Any], ions: int) -> float:
    """Memory of one calculation; a guess."""
    return 200 + 30 * ions


RECORD = Labeler(
    name="vasp",
    label=label,
    options=OPTIONS,
    settings_of=settings_of,
    physics=physics,
    mistakes=mistakes,
    environment="minset",
    seconds=seconds,
    megabytes=megabytes,
    effort=_EFFORT,
)
