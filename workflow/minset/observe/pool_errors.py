"""Errors of a model on all frames of a pool, whose own energies and forces are the truth."""

from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from minset.observe.errors import error_row, predictions
from minset.observe.record import Observable, Table
from minset.pool.store import pool_size, read_frames

PARTS = 5  # of the frames, by their energies


def observe_pool_errors(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables ``pool_energies`` and ``pool_errors`` of a model, see `Observable`.

    Raises
    ------
    ValueError
        If frames of the pool do not know their energies or forces.
    """
    frames = _frames(Path(source["pool"]))
    known = [
        {"energy", "forces"} <= set(frame.calc.results if frame.calc else ()) for frame in frames
    ]
    if not all(known):
        raise ValueError(
            f"{known.count(False)} of {len(known)} frames of {source['pool']} do not know their energies "
            "and forces; pool_errors needs a pool of molecular dynamics with a potential"
        )
    for number, frame in enumerate(frames):
        frame.info["frame"] = number
    forces, energies = predictions(source["model"], frames, threads)
    row = {"pool_frames": len(frames)} | error_row(forces, energies)
    row.pop("test_frames")
    return {"pool_energies": energies, "pool_errors": pd.DataFrame([row | by_energy(energies)])}


def _frames(path: Path) -> list[Atoms]:
    import ase.io

    if path.suffix == ".h5":
        return read_frames(path, range(pool_size(path)))
    return ase.io.read(path, index=":")


def by_energy(energies: pd.DataFrame) -> dict[str, float]:
    """Mean signed and absolute errors of the fifths of frames of lowest and highest label, meV/atom."""
    ordered = energies.sort_values("label_eV_atom", kind="stable")
    difference = 1000 * (ordered["model_eV_atom"] - ordered["label_eV_atom"]).to_numpy()
    row = {}
    parts = np.array_split(difference, PARTS)
    for name, part in (("lowest", parts[0]), ("highest", parts[-1])):
        row[f"energy_bias_{name}_fifth_meV_atom"] = float(part.mean())
        row[f"energy_mae_{name}_fifth_meV_atom"] = float(np.abs(part).mean())
    return row


RECORD = Observable(
    of="pool",
    tables={"pool_energies": Table(), "pool_errors": Table("pool_errors")},
    observe=observe_pool_errors,
    caption="Errors of each model on all frames of a pool, also those it was trained on: force "
    "components in eV/A, energies in meV/atom, against what the pool knows. Bias and mean absolute "
    "error of the energy also over the fifths of frames of lowest and highest energy.",
    options={
        "path": {
            "type": "string",
            "minLength": 1,
            "description": "Another pool, or a file of frames with energies and forces, relative to the "
            "repository; the study's own pool when absent",
        }
    },
    seconds=lambda ions: 0.0,
)
