"""Files that decide labels, such as pseudopotentials: they count by their content."""

from pathlib import Path

from minset.files import file_hash
from minset.label.store import LabelerUnusable


def content_hashes(files: dict[str, str]) -> dict[str, str]:
    """SHA-256 of each of some files, by the files' own keys."""
    return {key: file_hash(Path(file)) for key, file in files.items()}


def require_unchanged(files: dict[str, str], sha256: dict[str, str]) -> None:
    """Raise LabelerUnusable if a file is not the one whose hash is in the keys of labels."""
    for key, expected in sha256.items():
        try:
            found = file_hash(Path(files[key]))
        except OSError as error:
            raise LabelerUnusable(f"{files[key]} cannot be read: {error.strerror}") from error
        if found != expected:
            raise LabelerUnusable(
                f"{files[key]} has changed since the run began: run again, its labels will be others"
            )
