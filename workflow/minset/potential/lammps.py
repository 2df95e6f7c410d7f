"""Any potential of LAMMPS, by the user's own lines and files."""

import re

from minset.md.session import quoted
from minset.potential.files import SHA256, found, require_same
from minset.potential.record import Potential
from minset.system import species_of

COMMANDS = (
    *("pair_style", "pair_coeff", "pair_modify", "kspace_style", "kspace_modify", "dielectric"),
    *("special_bonds",),
)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
OPTIONS = {
    "lines": {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$"},
        "description": f"LAMMPS commands in metal units ({', '.join(COMMANDS)}); {{K}} becomes the "
        "atom type of K, {species} all elements in the order of their types, and the name of one of "
        "the files its path",
    },
    "files": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "default": [],
        "description": "Files that the lines name: paths from the repository, or names in LAMMPS's own "
        "potentials folder",
    },
    "sha256": SHA256,
}


def commands(system: dict) -> list[str]:
    """The user's lines for a system, with types and paths in their places.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If it is another one than that the system was read with, or a line cannot be used.
    """
    value, species = system["potential"], species_of(system)
    require_same(value, files(value))
    if wrong := mistakes(value, species):
        raise ValueError(wrong[0])
    paths = {name: quoted(found(name)) for name in value["files"]}
    lines = []
    for line in value["lines"]:
        words = [paths.get(word, _filled(word, species)) for word in line.split()]
        lines.append(" ".join(words))
    # some files hold masses, which would replace the system's
    return lines + [
        f"mass {k} {system['species'][s]['mass_u']:.17g}" for k, s in enumerate(species, 1)
    ]


def _filled(word: str, species: list[str]) -> str:
    types = {symbol: str(k) for k, symbol in enumerate(species, 1)} | {"species": " ".join(species)}
    return _PLACEHOLDER.sub(lambda match: types[match[1]], word)


def mistakes(value: dict, species: list[str]) -> list[str]:
    """Commands that say more than a potential, placeholders of nothing, and files that are not there."""
    wrong = []
    for number, line in enumerate(value["lines"]):
        command = line.split()[0] if line.split() else ""
        if command not in COMMANDS:
            wrong.append(f"lines.{number}: {command!r} is none of {', '.join(COMMANDS)}")
        for name in _PLACEHOLDER.findall(line):
            if name != "species" and name not in species:
                wrong.append(
                    f"lines.{number}: {{{name}}} is no species; there are {', '.join(species)}, and "
                    "{species} for all of them"
                )
    if not any(line.split()[:1] == ["pair_style"] for line in value["lines"]):
        wrong.append("lines: there is no pair_style")
    for name in value["files"]:
        try:
            found(name)
        except FileNotFoundError as error:
            wrong.append(f"files: {error}")
    return wrong


def files(value: dict) -> list[str]:
    """Paths of the files."""
    return [str(found(name)) for name in value["files"]]


RECORD = Potential(
    options=OPTIONS,
    required=("lines",),
    commands=commands,
    files=files,
    mistakes=mistakes,
    aside=frozenset({"files"}),
)
