"""Generator ``files``: frames that the user has, with or without labels.

Of anything that ASE reads, of H5MD, and of LAMMPS dumps; compositions and cells may be mixed.
"""

import glob
import re
from collections import Counter
from pathlib import Path

from minset.pool.record import Generator, Sampled

_KEY = {"type": "string", "minLength": 1}
OPTIONS = {
    "path": {
        "oneOf": [_KEY, {"type": "array", "minItems": 1, "uniqueItems": True, "items": _KEY}],
        "description": "A file or a pattern like data/*.xyz, or several of them, relative to the "
        "repository; each makes one run of the pool",
    },
    "format": _KEY
    | {"description": "ASE's name of the format, or h5md; by the file itself when absent"},
    "every": {
        "type": "integer",
        "minimum": 1,
        "default": 1,
        "description": "Takes each n-th frame of a file",
    },
    "elements": {
        "type": "array",
        "minItems": 1,
        "items": _KEY,
        "description": "Of the atom types 1, 2, ... of LAMMPS dumps without a column `element`",
    },
    "energy_key": _KEY
    | {"description": "Where files keep the energy in eV, like REF_energy; ASE's when absent"},
    "forces_key": _KEY | {"description": "The same of forces in eV/A"},
    "stress_key": _KEY | {"description": "The same of the stress in eV/A^3, positive for tension"},
    "virial_key": _KEY
    | {"description": "Of the virial, minus stress times volume, in eV, instead"},
}


def plan(settings: dict) -> list[dict]:
    """A run for each path or pattern.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    paths = settings["path"]
    reading = {key: settings[key] for key in OPTIONS if key != "path" and key in settings}
    runs, names = [], Counter()
    for pattern in [paths] if isinstance(paths, str) else paths:
        found = sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())
        if not found:
            raise FileNotFoundError(f"path: there is no file {pattern}, seen from {Path.cwd()}")
        name = re.sub(r"[^A-Za-z0-9]+", "-", pattern).strip("-")[-40:].strip("-") or "files"
        names[name.lower()] += 1
        number = f"-{names[name.lower()]}" if names[name.lower()] > 1 else ""
        runs.append({"name": name + number, "paths": found} | reading)
    return runs


def sample(system: dict, run: dict, work: Path) -> Sampled:
    """Frames of the files of a run, see ``minset.pool.reading.read_run``."""
    from minset.pool.reading import read_run

    return read_run(system, run)


RECORD = Generator(
    options=OPTIONS,
    required=("path",),
    plan=plan,
    sample=sample,
    advice="Correct or take away the files, or the keys of `pool` that say how they are read",
    files=lambda run: run["paths"],
    has_labels=True,
)
