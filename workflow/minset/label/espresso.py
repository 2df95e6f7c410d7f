"""The ``espresso`` labeler: energy, forces and stress from pw.x of Quantum ESPRESSO.

pw.x's own verdict on its SCF decides. Pseudopotentials count by their content.
"""

import os
import shlex
import shutil
import time
from pathlib import Path
from typing import Any

from ase import Atoms

from minset.label.espresso_input import input_mistakes, merged, parted, pw_input
from minset.label.espresso_output import (
    complaint,
    parse_output,
    scf_steps,
    scf_verdict,
    version_of,
)
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

PW = Program(
    name="pw.x",
    begins="pw",
    keys="labels.settings",
    remedy="Install Quantum ESPRESSO with `apt-get install quantum-espresso` or `module load` it, or "
    "give the path of pw.x in labels.settings.command",
)
DEFAULTS = {"command": "pw.x", "timeout_s": 14400}
# how a label is reached, not what it is; pseudopotentials count by their hash
_EFFORT = frozenset({"command", "timeout_s", "how", "pseudo_folder", "pseudo_files"})
_SECTIONS = ("control", "system", "electrons", "ions", "cell", "fcp", "rism")
OPTIONS = {
    "input": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": {"type": ["number", "string", "boolean"]},
        },
        "description": "Keys of pw.x by section, in its units, on top of the system file's",
    },
    **GRID_OPTIONS,
    "pseudo_folder": {
        "type": "string",
        "minLength": 1,
        "description": "Folder of the pseudopotentials; that of ESPRESSO_PSEUDO when absent",
    },
    **program_options("pw.x", "pw.x"),
}


def settings_of(system: dict, given: dict) -> dict[str, Any]:
    """Complete settings, with the hashes of the pseudopotentials.

    Parameters
    ----------
    system
        Content of a system file.
    given
        The study's ``labels.settings``, in which ``mistakes`` finds none.
    """
    section = system["espresso"]
    decides, how = parted(merged(section["input"], given.get("input", {})))
    folder, names = _pseudo_folder(given), section["pseudopotentials"]
    files = {element: name for element, name in names.items() if element in system["species"]}
    paths = {element: str(Path(folder, name)) for element, name in files.items()}
    return {
        "input": decides,
        "how": how,
        **grid_of(section, given),
        "pseudopotentials": content_hashes(paths),
        "pseudo_files": files,
        "pseudo_folder": folder,
        "command": given.get("command", DEFAULTS["command"]),
        "timeout_s": given.get("timeout_s", DEFAULTS["timeout_s"]),
    }


def mistakes(system: dict, given: dict) -> list[str]:
    """What is wrong with the study's ``labels.settings`` in view of a system file."""
    where = f"the file of {system.get('name', 'the system')}"
    if "espresso" not in system:
        return [f"labels.labeler: espresso needs the section `espresso` in {where}"]
    section = system["espresso"]
    inputs = section["input"], given.get("input", {})
    sections = {name for each in inputs for name in each}
    if unknown := sorted(sections - set(_SECTIONS)):
        known = ", ".join(_SECTIONS)
        return [f"labels.settings.input: no section {unknown[0]} in pw.x; known are {known}"]
    found = [f"labels.settings.input.{m} ({where})" for m in input_mistakes(merged(*inputs))]
    of_command = command_mistake(given.get("command", "pw.x"), DEFAULTS["command"])
    found += [m for m in (grid_mistake(section, given, where), of_command) if m]
    return found + _pseudo_mistakes(system, given, where)


def _pseudo_folder(given: dict) -> str:
    return given.get("pseudo_folder") or os.environ.get("ESPRESSO_PSEUDO", "")


def _pseudo_mistakes(system: dict, given: dict, where: str) -> list[str]:
    """Pseudopotentials that are not named, or not there."""
    names, folder = system["espresso"]["pseudopotentials"], _pseudo_folder(given)
    found = [
        f"labels.labeler: espresso needs espresso.pseudopotentials.{species} in {where}"
        for species in system["species"]
        if species not in names
    ]
    if not folder:
        return [
            *found,
            f"labels.settings.pseudo_folder: name the folder of the pseudopotentials of {where}, here "
            "or in the environment variable ESPRESSO_PSEUDO",
        ]
    return found + [
        f"labels.settings.pseudo_folder: there is no {name} in {folder}, espresso.pseudopotentials."
        f"{species} of {where}; put it there, or name another folder or file"
        for species, name in names.items()
        if species in system["species"] and not Path(folder, name).is_file()
    ]


def physics(settings: dict[str, Any], atoms: Atoms) -> dict[str, Any]:
    """The input without what only says how the SCF gets there, and the hashes of the pseudopotentials
    of the frame's elements."""
    kept = {key: value for key, value in settings.items() if key not in _EFFORT}
    elements = set(atoms.get_chemical_symbols())
    kept["pseudopotentials"] = {e: h for e, h in kept["pseudopotentials"].items() if e in elements}
    return kept


def label(atoms: Atoms, settings: dict[str, Any], workdir: Path, threads: int) -> RawLabel:
    """Label one frame with pw.x.

    Parameters
    ----------
    atoms
        Frame, periodic in three directions (A).
    settings
        From ``settings_of``.
    workdir
        Folder of this frame alone; input and output stay there.
    threads
        Cores; they take the place of ``{threads}`` in the command, else OpenMP threads.

    Raises
    ------
    LabelFailed
        If there is no converged result; permanent unless pw.x crashed, was killed or ran too long.
    LabelerUnusable
        If a pseudopotential has changed, or pw.x's words are not known.
    FileNotFoundError
        If pw.x is not installed.
    """
    argv, environment = launch_command(PW, settings["command"], threads)
    elements = set(atoms.get_chemical_symbols())
    names = {e: name for e, name in settings["pseudo_files"].items() if e in elements}
    folder = os.path.abspath(settings["pseudo_folder"])
    paths = {element: os.path.join(folder, name) for element, name in names.items()}
    require_unchanged(paths, physics(settings, atoms)["pseudopotentials"])
    workdir = Path(workdir).resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    output = workdir / "pw.out"
    sections = merged(settings["input"], settings["how"])
    grid = settings["kpoints"], settings["kspacing_inverse_A"]
    output.with_suffix(".in").write_text(pw_input(atoms, sections, names, folder, *grid))
    limit_s = settings["timeout_s"]
    started = time.monotonic()
    try:
        code, text = run_program(
            PW, [*argv, "-in", "pw.in"], output, environment, started + limit_s, limit_s
        )
    finally:
        # wave functions, the only large files
        shutil.rmtree(workdir / "out", ignore_errors=True)
    raw = judged(code, text, len(atoms), output)
    raw.info["command"] = shlex.join(argv)
    return raw


def judged(code: int, text: str, n_atoms: int, output: Path) -> RawLabel:
    """Label of a frame of some atoms from pw.x's exit code and what it wrote; raises as ``label``."""
    converged = scf_verdict(text)
    # it ends with status 2 then
    if converged is False:
        reason = f"SCF not converged in {scf_steps(text)} steps"
        raise LabelFailed(reason, permanent=True, output=output)
    if code != 0 or "JOB DONE" not in text or converged is None:
        raise crash(PW, code, complaint(text), output)
    energy, forces, stress = parse_output(text, n_atoms, output)
    info = {"scf_steps": scf_steps(text), "version": f"pw.x {version_of(text)}"}
    return RawLabel(energy, forces, stress, info)


def seconds(settings: dict[str, Any], ions: int) -> float:
    """Time of one frame on one core, by the square of the ions: 7 s for 8 ions of KCl at 60 Ry, Gamma."""
    cutoff = (settings["input"].get("system", {}).get("ecutwfc", 60) / 60) ** 1.5
    grid = settings["kpoints"] or [1, 1, 1]
    points = max(1, grid[0] * grid[1] * grid[2])
    return 7 * (ions / 8) ** 2 * cutoff * points


def megabytes(settings: dict[str, Any], ions: int) -> float:
    """Memory of one calculation."""
    return 100 + 30 * ions


RECORD = Labeler(
    name="espresso",
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
