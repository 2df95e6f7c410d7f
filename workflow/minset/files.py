"""Writing files so that a crash never leaves a partial one: write aside, flush, rename."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder that takes the name ``path`` on success.

    On an exception the temporary file is removed and what stood at ``path`` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield aside
        with open(aside, "rb") as written:
            os.fsync(written.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with written_aside(path) as aside:
        aside.write_text(text)


def write_json(path: Path, content) -> None:
    """Write a JSON file in one step; NaN is refused because JSON has none."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_csv(path: Path, table) -> None:
    """Write a pandas table as CSV in one step, without its index."""
    with written_aside(path) as aside:
        table.to_csv(aside, index=False)


def write_torch(path: Path, content) -> None:
    """Write tensors and plain values with torch in one step."""
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    # torch itself does not say that a disk is full
    with written_aside(path) as aside:
        aside.write_bytes(buffer.getbuffer())


def write_checkpoint(path: Path, state: dict, parts: dict) -> None:
    """Write plain values and the states of torch objects (``state_dict``) by name, in one step."""
    write_torch(path, state | {name: part.state_dict() for name, part in parts.items()})


def read_torch(path: Path):
    """Tensors and plain values of a file of ``write_torch``, on the processor; no code in it can run.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    import torch

    try:
        # torch itself does not look at the file's checksums; what it gets has passed them
        checked = io.BytesIO()
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(checked, "w") as target:
            for name in source.namelist():
                target.writestr(name, source.read(name))
        checked.seek(0)
        return torch.load(checked, weights_only=True, map_location="cpu")
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, pickle and torch raise many kinds
        raise ValueError(f"{path.name} is damaged ({error})") from error


def read_checkpoint(path: Path, parts: dict, work: str) -> dict | None:
    """Give the objects their states back and return the plain values; None without a checkpoint.

    A damaged one is reported, with what ``work`` has to start again, and left out.
    """
    try:
        saved = read_torch(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        print(f"{error}; {work} starts again", flush=True)
        return None
    for name, part in parts.items():
        part.load_state_dict(saved.pop(name))
    return saved


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def working_folder(folder: Path, identity: dict) -> Path:
    """Folder of a computation that can be continued, emptied if it is from another computation.

    Parameters
    ----------
    folder
        Made if it is not there.
    identity
        Everything that determines the result, as JSON values: settings, and hashes of input files.
        A killed run with the same identity goes on; half of a result for other settings is not
        mistaken for this one's.
    """
    folder, note = Path(folder), Path(folder) / "identity.json"
    content = json.dumps(identity, indent=1, sort_keys=True, default=str)
    if folder.exists() and not (note.exists() and note.read_bytes() == content.encode()):
        shutil.rmtree(folder)
    write_text(note, content)
    return folder
