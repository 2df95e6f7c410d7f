"""The ``ase`` labeler: energy, forces and stress from any ASE calculator, in a process of its own.

The calculator is named by ``module:name`` of a class or a function that returns one, and runs by the
interpreter of its own environment. It is made once in each process of a batch and kept.
"""

import atexit
import os
import re
from pathlib import Path
from typing import Any

from ase import Atoms

from minset.calculators import (
    Calculation,
    CalculatorDied,
    CalculatorProcess,
    CalculatorRaised,
    CalculatorTimeout,
)
from minset.files import file_hash
from minset.interpreters import CalculatorUnusable, one_line, package_version
from minset.label.record import Labeler
from minset.label.store import LabelerUnusable, LabelFailed, RawLabel, canonical_json

DEFAULTS = {"parameters": {}, "python": None, "files": [], "timeout_s": 14400}
# how a label is reached, not what it is; files count by their hash
_EFFORT = frozenset({"python", "files", "timeout_s"})
# classes of exceptions that the same calculation would raise again
_PERMANENT = re.compile("Convergence|SCF|CalculationFailed|NotImplemented")
_FACTORY = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
OPTIONS = {
    "calculator": {
        "type": "string",
        "pattern": f"^{_FACTORY}$",
        "description": "Class or function that returns an ASE calculator, as module:name, such as "
        "tblite.ase:TBLite; a module of your own is looked for in the repository too",
    },
    "parameters": {
        "type": "object",
        "description": "Its keyword arguments; a value that is one of `files` counts by its content",
    },
    "python": {
        "type": "string",
        "pattern": r"^[^\x00-\x1f\x7f]+$",
        "description": "Interpreter that has the module and ASE: a path from the repository or a name "
        "on the PATH; minset's own when absent",
    },
    "files": {
        "type": "array",
        "uniqueItems": True,
        "items": {"type": "string", "minLength": 1},
        "description": "What the labels depend on beside the package and the parameters, from the "
        "repository: weights, pseudopotentials, a module of your own; they count by their content",
    },
    "timeout_s": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Time limit of a frame, and of making the calculator; 14400 when absent",
    },
}
# the one calculator of this process, and for what it was made
_KEPT: dict[str, CalculatorProcess] = {}


def settings_of(system: dict, given: dict) -> dict[str, Any]:
    """Complete settings, with the hashes of the files and the version of the calculator's package.

    Parameters
    ----------
    system
        Content of a system file; nothing in it counts.
    given
        The study's ``labels.settings``, in which ``mistakes`` finds none.
    """
    settings = DEFAULTS | given
    hashes = {file: file_hash(Path(file)) for file in settings["files"]}
    try:
        version = package_version(_module(settings), settings["python"])
    except CalculatorUnusable:
        # told by the first job that needs it; labels of other jobs may all be there
        version = None
    return settings | {
        "parameters": _replaced(settings["parameters"], {f: _named(h) for f, h in hashes.items()}),
        "files_sha256": sorted(hashes.values()),
        "version": version,
    }


def mistakes(system: dict, given: dict) -> list[str]:
    """What is wrong with the study's ``labels.settings``, files that are not named among it."""
    settings, where = DEFAULTS | given, f"for the labels of {system.get('name', 'the system')}"
    found = [
        f"labels.settings.files: there is no file {file} {where}; paths are from {Path.cwd()}"
        for file in settings["files"]
        if not Path(file).is_file()
    ]
    own = Path(_module(settings).replace(".", "/")).with_suffix(".py")
    if own.is_file() and str(own) not in map(os.path.normpath, settings["files"]):
        found.append(
            f"labels.settings.files: name {own} here, the module of the calculator {where}, so that "
            "labels of its changed content are others"
        )
    found += [
        f"labels.settings.files: name {value} here, a file that `parameters` gives the calculator "
        f"{where}, so that labels of its changed content are others"
        for value in _texts(settings["parameters"])
        if value not in settings["files"] and "/" in value and Path(value).is_file()
    ]
    return found


def physics(settings: dict[str, Any], atoms: Atoms) -> dict[str, Any]:
    """Factory, parameters, version of the package and hashes of the files."""
    return {key: value for key, value in settings.items() if key not in _EFFORT}


def label(atoms: Atoms, settings: dict[str, Any], workdir: Path, threads: int) -> RawLabel:
    """Label one frame with the calculator, which is made where this process has none yet.

    Parameters
    ----------
    atoms
        Frame (A).
    settings
        From ``settings_of``; ``timeout_s`` holds for each frame.
    workdir
        Folder of this frame alone, the calculator's working directory. What the calculator prints
        goes to a file in its parent, and for a frame that fails to ``calculator.log``.
    threads
        Cores of the calculator.

    Raises
    ------
    LabelFailed
        If the calculator raises or says that it is not converged; permanent where an exception of its
        class comes again: of convergence, or of what is not implemented.
    LabelerUnusable
        If there is no such interpreter, module or factory, or something is missing that it needs.
    """
    workdir = Path(workdir).resolve()
    workdir.mkdir(parents=True, exist_ok=True)
    log = workdir.parent / f"calculator-{os.getpid()}.log"
    try:
        process = _kept(settings, threads, workdir.parent, log)
        printed = log.stat().st_size if log.exists() else 0
        frame = (atoms.numbers, atoms.positions, atoms.cell[:], atoms.pbc)
        result = process.calculate(*frame, timeout_s=settings["timeout_s"], folder=workdir)
        if result.converged is False:
            raise LabelFailed("the calculator says that it is not converged", permanent=True)
    except CalculatorUnusable as error:
        raise LabelerUnusable(f"{error} (labels.settings.calculator)") from None
    except (CalculatorRaised, CalculatorDied, CalculatorTimeout, LabelFailed) as error:
        if isinstance(error, CalculatorDied | CalculatorTimeout):
            _KEPT.clear()
        raise _failure(error, _printed_since(log, printed, workdir)) from None
    return _raw(result, process)


def _failure(error: Exception, output: Path | None) -> LabelFailed:
    """What became of a frame, with what the calculator printed."""
    if isinstance(error, LabelFailed):
        return LabelFailed(error.reason, error.permanent, output)
    reason = one_line(error)[:300]
    if isinstance(error, CalculatorRaised):
        permanent = any(_PERMANENT.search(kind) for kind in error.kinds)
        return LabelFailed(f"the calculator raised {reason}", permanent, output)
    if isinstance(error, CalculatorTimeout):
        return LabelFailed(f"the calculator {reason} (labels.settings.timeout_s)", False, output)
    return LabelFailed(f"the calculator ended: {reason}", False, output)


def _raw(result: Calculation, process: CalculatorProcess) -> RawLabel:
    beside = f"ase {process.ase_version}"
    version = process.version if process.version == beside else f"{process.version}, {beside}"
    return RawLabel(
        energy_eV=result.energy_eV,
        forces_eV_A=result.forces_eV_A,
        stress_eV_A3=result.stress_eV_A3,
        info={"version": version},
    )


def _kept(settings: dict[str, Any], threads: int, folder: Path, log: Path) -> CalculatorProcess:
    """The calculator of this process; a process that was forked from another has none yet."""
    made_for = canonical_json([os.getpid(), threads, str(folder), settings])
    if made_for in _KEPT:
        return _KEPT[made_for]
    _close()
    hashes = {os.path.abspath(file): file_hash(Path(file)) for file in settings["files"]}
    if sorted(hashes.values()) != settings["files_sha256"]:
        raise CalculatorUnusable(
            f"of the files {', '.join(settings['files'])} one has changed since the run began: run again"
        )
    files = {_named(sha256): file for file, sha256 in hashes.items()}
    process = CalculatorProcess(
        settings["calculator"],
        _replaced(settings["parameters"], files),
        python=settings["python"],
        threads=threads,
        folder=folder,
        log=log,
        timeout_s=settings["timeout_s"],
    )
    _KEPT[made_for] = process
    if process.version != settings["version"]:
        _close()
        raise CalculatorUnusable(
            f"the package of {settings['calculator']} is {process.version}, and was "
            f"{settings['version'] or 'not there'} when the run began: run again"
        )
    return process


@atexit.register
def _close() -> None:
    for process in _KEPT.values():
        process.close()
    _KEPT.clear()


def _printed_since(log: Path, begin: int, workdir: Path) -> Path | None:
    """What was printed from a place on, in the frame's own folder; None where that is nothing."""
    with log.open("rb") as file:
        file.seek(begin)
        printed = file.read()
    if not printed:
        return None
    kept = workdir / "calculator.log"
    kept.write_bytes(printed)
    return kept


def _module(settings: dict[str, Any]) -> str:
    return settings["calculator"].partition(":")[0]


def _named(sha256: str) -> str:
    """What stands for a file in the parameters, by its content."""
    return f"sha256:{sha256}"


def _replaced(value, table: dict[str, str]):
    """Plain data with other texts for those in a table."""
    if isinstance(value, dict):
        return {key: _replaced(each, table) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, table) for each in value]
    return table.get(value, value) if isinstance(value, str) else value


def _texts(value) -> list[str]:
    """All texts in plain data."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [text for each in inner for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def seconds(settings: dict[str, Any], ions: int) -> float:
    """Time of one frame: of a DFT code, since nobody knows; ``labels.seconds_per_frame`` says better."""
    return 80 * (ions / 32) ** 2


def megabytes(settings: dict[str, Any], ions: int) -> float:
    """Memory of one calculation, of which nobody knows more."""
    return 1000 + 10 * ions


RECORD = Labeler(
    name="ase",
    label=label,
    options=OPTIONS,
    settings_of=settings_of,
    physics=physics,
    mistakes=mistakes,
    environment="minset",
    seconds=seconds,
    megabytes=megabytes,
    effort=_EFFORT,
    required=("calculator",),
)
