"""Writing files so that a crash never leaves a partial one: write aside, flush, rename."""

import contextlib
import json
import os
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

    with written_aside(path) as aside:
        torch.save(content, aside)
