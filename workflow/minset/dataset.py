"""Datasets: labelled frames as extended XYZ with ``energy``, ``forces`` and ``stress`` in ASE's units."""

from itertools import islice
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import key_val_str_to_dict

from minset.files import written_aside
from minset.label.store import read_label


def labels_table(tables: list[pd.DataFrame], failed_share: float) -> pd.DataFrame:
    """All rows of a study's label batches, by frame.

    Raises
    ------
    ValueError
        If a larger share than ``failed_share`` failed; with the reasons.
    """
    rows = pd.concat([t for t in tables if len(t)]).sort_values("frame", ignore_index=True)
    failed = rows[rows["status"] == "failed"]
    if len(failed) > failed_share * len(rows):
        reasons = "\n".join(f"  frame {r.frame}: {r.reason}" for r in failed.head(5).itertuples())
        raise ValueError(
            f"{len(failed)} of {len(rows)} frames have no label, the study allows "
            f"{failed_share:.0%} (labels.failed_share). The first of them:\n{reasons}"
        )
    return rows


def labelled(frames: list[int], labels: pd.DataFrame, store: Path, origin: str) -> list[Atoms]:
    """Frames with their labels from the store, in the order asked for, without those that failed.

    Parameters
    ----------
    frames
        Pool indices.
    labels
        From ``labels_table``.
    store
        Label store.
    origin
        File that named the frames, a selection or a pool; kept with each frame.

    Raises
    ------
    ValueError
        If a label that the table knows is gone from the store, if labels of different settings
        meet, or if nothing is left.
    """
    by_frame = labels.set_index("frame")
    atoms, settings = [], None
    for frame in frames:
        row = by_frame.loc[frame]
        if row["status"] != "labelled":
            print(f"frame {frame} is left out: {row['reason']}")
            continue
        label = read_label(Path(store), row["key"])
        if label is None:
            raise ValueError(
                f"the label of frame {frame} ({row['key']}) is no longer in {store}; "
                "run `snakemake --forcerun label` to compute it again"
            )
        settings = settings or label.provenance["settings"]
        if label.provenance["settings"] != settings:
            raise ValueError(f"frame {frame} was labelled with other settings than those before it")
        image = label.atoms.copy()
        image.info = {
            "origin": origin,
            "frame": frame,
            "label_key": label.key,
            "labeler": label.provenance["labeler"],
        }
        image.calc = SinglePointCalculator(
            image,
            energy=label.energy_eV,
            forces=label.forces_eV_A,
            stress=label.stress_eV_A3,
        )
        atoms.append(image)
    if not atoms:
        raise ValueError(f"none of the {len(frames)} frames has a label; see the labels table")
    return atoms


def write_dataset(path: Path, atoms: list[Atoms]) -> None:
    """Write extended XYZ in one step."""
    with written_aside(path) as aside:
        ase.io.write(aside, atoms, format="extxyz")


def read_dataset(path: Path) -> list[Atoms]:
    """Read extended XYZ; energies, forces and stresses are on each frame's calculator.

    Raises
    ------
    ValueError
        If the file is damaged or cut short, or a frame has no finite positions, cell, energy or forces.
    """
    try:
        _require_whole_frames(path)
        frames = ase.io.read(path, index=":", format="extxyz")
        for number, frame in enumerate(frames):
            _require_label(frame, number)
    except Exception as error:  # ASE raises many kinds
        raise ValueError(
            f"the dataset {path} cannot be read ({error}); remove it, and it is written again"
        ) from error
    return frames


def _require_whole_frames(path: Path) -> None:
    """Of numbers of lines or columns that are too large, ASE's reader would wait or fill the memory.

    It takes an empty line for the end of the file, and leaves out words beyond the columns.
    """
    with open(path, encoding="utf-8") as file:
        number = 0
        while count := file.readline():
            lines = list(islice(file, int(count) + 1))
            if len(lines) != int(count) + 1 or not lines[-1].endswith("\n"):
                raise ValueError(f"frame {number} is cut short")
            columns = key_val_str_to_dict(lines[0])["Properties"].split(":")[2::3]
            width = sum(map(int, columns))
            if min(map(int, columns)) < 1 or any(len(row.split()) != width for row in lines[1:]):
                raise ValueError(f"frame {number} has lines that are not of {width} words")
            number += 1
    if not number:
        raise ValueError("it is empty")


def _require_label(frame: Atoms, number: int) -> None:
    results = frame.calc.results if frame.calc else {}
    n = len(frame)
    shapes = {"energy": (), "forces": (n, 3)} | ({"stress": (6,)} if "stress" in results else {})
    for name, shape in shapes.items():
        value = np.asarray(results.get(name))
        numeric = value.dtype.kind in "fi" and value.shape == shape
        if not (numeric and np.isfinite(value).all()):
            raise ValueError(f"frame {number} has no {name} that could be used")
    volume = abs(np.linalg.det(frame.cell))
    if not (np.isfinite(frame.positions).all() and 0 < volume < np.inf and frame.pbc.all()):
        raise ValueError(f"frame {number} has positions or a cell that could not be used")
    if not frame.numbers.all():
        raise ValueError(f"frame {number} has an atom of no element")
