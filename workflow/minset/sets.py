"""Sets.

Lists of frames known at one moment, to be labelled. Exact frames in H5MD, and a table with a row
for each.
"""

from pathlib import Path

import pandas as pd
from ase import Atoms

from minset.files import write_csv, write_text
from minset.pool.store import read_frames, write_pool


def write_set(frames: Path, table: Path, atoms: list[Atoms], rows: pd.DataFrame) -> None:
    """Write the frames of a set and the table that says where they are from.

    Parameters
    ----------
    frames, table
        Files to write. A set without frames has an empty file of frames.
    atoms
        Frames, in the order of the rows.
    rows
        ``origin`` (file that a frame is from), ``frame`` (its number there) and more.
    """
    if atoms:
        write_pool(frames, atoms)
    else:
        write_text(frames, "")
    write_csv(table, rows)


def read_part(frames: Path, table: Path, part: int, size: int) -> tuple[list[Atoms], pd.DataFrame]:
    """Frames and rows of the part of a set that one job labels.

    Rows part * size to (part + 1) * size.

    Raises
    ------
    ValueError
        If the file of frames is damaged.
    OSError
        If it is not there, locked, or may not be read.
    """
    rows = pd.read_csv(table).iloc[part * size : (part + 1) * size]
    try:
        return (read_frames(frames, rows.index.tolist()) if len(rows) else []), rows
    except ValueError as error:
        raise ValueError(
            f"the set {frames} cannot be read ({error.__cause__ or error}); remove it and run again, "
            "its frames are taken from the pool again"
        ) from error


def frames_of_set(frames: Path, table: Path, rows: pd.DataFrame) -> list[Atoms]:
    """Frames of a set by ``origin`` and ``frame``, in the order of the rows; to the last bit the same."""
    listed = pd.MultiIndex.from_frame(pd.read_csv(table)[["origin", "frame"]])
    places = listed.get_indexer(pd.MultiIndex.from_frame(rows[["origin", "frame"]]))
    return read_frames(frames, places) if len(rows) else []
