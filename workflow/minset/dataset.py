"""Datasets: labelled frames as extended XYZ with ``energy``, ``forces`` and ``stress`` in ASE's units."""

import re
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from minset.files import written_aside
from minset.label import LABELERS
from minset.label.access import access_told
from minset.label.store import read_label

_ELEMENTS = re.compile("[A-Z][a-z]?(-[A-Z][a-z]?)*")


def read_label_tables(paths: list[Path]) -> pd.DataFrame:
    """All rows of tables of label jobs, in their order, each with its file as ``table``."""
    tables = [pd.read_csv(path).assign(table=str(path)) for path in paths]
    # empty tables have no types of columns to keep
    return pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)


def labelled(table: pd.DataFrame, store: Path, failed_share: float) -> list[Atoms]:
    """Frames with their labels from the store, in the order of a table, without those that failed.

    Parameters
    ----------
    table
        One row per frame: origin (the file that the frame is from), frame (its number there), key,
        status, reason and, for what errors advise, table. Compositions, sizes and cells of the
        frames may differ.
    store
        Label store.
    failed_share
        Largest share of the frames that may have failed.

    Returns
    -------
    list of Atoms
        With energy, forces and stress; `info` has origin, frame, label_key and labeler.

    Raises
    ------
    ValueError
        If a larger share failed, if a label that the table knows is gone from the store, if labels
        of different settings meet, or if nothing is left.
    OSError
        If there is no access to the store.
    """
    _require_labels(table, failed_share)
    atoms, known = [], None
    for row in table.itertuples():
        if row.status != "labelled":
            print(f"{_named(row)} is left out: {row.reason}")
            continue
        image, provenance = _labelled_image(row, store)
        settings = {"labeler": provenance["labeler"], "settings": _common(provenance)}
        known = settings if known is None else known
        if not _agree(known, settings):
            raise ValueError(f"{_named(row)} was labelled with other settings than those before it")
        atoms.append(image)
    if not atoms:
        raise ValueError(f"none of the {len(table)} frames has a label; see the labels table")
    return atoms


def _require_labels(rows: pd.DataFrame, failed_share: float) -> None:
    failed = rows[rows["status"] == "failed"]
    if len(failed) > failed_share * len(rows):
        reasons = "\n".join(f"  {_named(row)}: {row.reason}" for row in failed.head(5).itertuples())
        raise ValueError(
            f"{len(failed)} of {len(rows)} frames have no label, the study allows "
            f"{failed_share:.0%} (labels.failed_share). The first of them:\n{reasons}\n"
            "With other labels.settings they are tried again by "
            f"`{_again(failed.get('table', ['label']))}`"
        )


def _again(tables) -> str:
    """Command that runs the label jobs of some tables again; without their files, of all."""
    return " ".join(["snakemake --forcerun", *dict.fromkeys(tables)])


def _named(row) -> str:
    """A row's frame in words."""
    origin = getattr(row, "origin", None)
    return f"frame {row.frame} of {origin}" if origin else f"frame {row.frame}"


def _labelled_image(row, store: Path) -> tuple[Atoms, dict]:
    """Frame of a row with its label, and where the label is from."""
    label = read_label(Path(store), row.key)
    if label is None and not Path(store).exists():
        raise ValueError(f"there is no label store {store}; run `snakemake --forcerun label`")
    if label is None:
        raise ValueError(
            f"the label of {_named(row)} ({row.key}) is no longer in {store}; run "
            f"`{_again([getattr(row, 'table', 'label')])}` to compute it again"
        )
    image = label.atoms.copy()
    image.info = {
        "origin": row.origin,
        "frame": row.frame,
        "label_key": label.key,
        "labeler": label.provenance["labeler"],
    }
    results = {"energy": label.energy_eV, "forces": label.forces_eV_A}
    if label.stress_eV_A3 is not None:
        results["stress"] = label.stress_eV_A3
    image.calc = SinglePointCalculator(image, **results)
    return image, label.provenance


def _common(provenance: dict) -> dict:
    """Settings of a label that must be those of the others."""
    record = LABELERS.get(provenance["labeler"])  # None for one of another version
    own = record.of_frame if record else ()
    return {key: value for key, value in provenance["settings"].items() if key not in own}


def _agree(known: dict, settings: dict) -> bool:
    """Whether a label's settings go with those of the labels before; adds to these what is new.

    Settings of an element or a pair are there only where the frame has them.
    """
    if any(not _ELEMENTS.fullmatch(key) for key in set(known) ^ set(settings)):
        return False
    for key, value in settings.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            if not _agree(known[key], value):
                return False
        elif known.setdefault(key, value) != value:
            return False
    return True


def write_dataset(path: Path, atoms: list[Atoms]) -> None:
    """Write extended XYZ in one step."""
    import ase.io

    with written_aside(path) as aside:
        ase.io.write(aside, atoms, format="extxyz")


def read_dataset(path: Path) -> list[Atoms]:
    """Read extended XYZ; energies, forces and stresses are on each frame's calculator.

    Raises
    ------
    ValueError
        If the file is damaged or cut short, or a frame has no finite positions, cell, energy or forces.
    OSError
        If there is no file, or no access to it.
    """
    import ase.io

    try:
        with access_told(path):
            _require_whole_frames(path)
            frames = ase.io.read(path, index=":", format="extxyz")
        for number, frame in enumerate(frames):
            _require_label(frame, number)
    except OSError:
        raise
    except Exception as error:  # ASE raises many kinds
        raise ValueError(
            f"the dataset {path} cannot be read ({error}); remove it, and it is written again"
        ) from error
    return frames


def _require_whole_frames(path: Path) -> None:
    """Of numbers of lines or columns that are too large, ASE's reader would wait or fill the memory.

    It takes an empty line for the end of the file, and leaves out words beyond the columns.
    """
    from ase.io.extxyz import key_val_str_to_dict

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
