"""Export of a trained model with tabulated filters, and the proof that it is the same potential."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from minset.model.schnet.compressed import save_compressed, tabulate
from minset.model.schnet.evaluator import compressed_evaluator, schnetpack_evaluator

# Largest differences to the network that are exported; beyond a force of 3 eV/A relative to it. On
# strongly compressed gold (forces to 55 eV/A) tables in float32 differ by 1e-4 to 4e-4 eV/A, finer ones
# by more, where the same network in float32 differs by 3e-5 already.
FORCE_TARGET_EV_A = 1e-4
ENERGY_TARGET_EV_ATOM = 1e-5
LARGE_FORCE_EV_A = 3.0
SEGMENTS = (1024, 2048, 4096, 8192, 16384)
CHECK_FRAMES = 16  # of the training set on which a trained model is checked
SQUEEZE = 0.85  # of all lengths, for the check on strongly compressed frames


def compress(
    model: torch.nn.Module,
    description: dict,
    frames: list[Atoms],
    path: Path,
    force_target_eV_A: float = FORCE_TARGET_EV_A,
    energy_target_eV_atom: float = ENERGY_TARGET_EV_ATOM,
    resolutions: tuple[int, ...] = SEGMENTS,
) -> pd.DataFrame:
    """Tabulate the filters of a model, as finely as the targets ask, check it, and write it.

    The check compares energies and forces with those of the network in double precision, on frames
    as they are and with all lengths times ``SQUEEZE``.

    Parameters
    ----------
    model, description
        From ``minset.model.schnet.architecture.load_model``.
    frames
        On which the model is checked; a handful of typical ones.
    path
        Of the compressed model.
    force_target_eV_A
        Largest difference of a force component.
    energy_target_eV_atom
        Largest difference of a frame's energy.
    resolutions
        Segments of the tables to try, from coarse to fine.

    Returns
    -------
    pd.DataFrame
        One row per resolution tried: ``segments``, ``force_error_eV_A``, ``energy_error_eV_atom``
        and ``target_share``, the larger of the two errors relative to its target.

    Raises
    ------
    ValueError
        If no resolution meets the targets; nothing is written.
    """
    exact = copy.deepcopy(model).double()
    checks = [_scaled(frame, scale) for frame in frames for scale in (1.0, SQUEEZE)]
    references = [
        schnetpack_evaluator(exact, description, f.numbers)(f.positions, np.array(f.cell))
        for f in checks
    ]
    rows = []
    for segments in resolutions:
        compressed = tabulate(model, description, segments)
        force = energy = share = 0.0
        for frame, reference in zip(checks, references, strict=True):
            evaluate = compressed_evaluator(compressed, frame.numbers)
            result = evaluate(frame.positions, np.array(frame.cell))
            scale = max(1.0, np.abs(reference.forces_eV_A).max() / LARGE_FORCE_EV_A)
            difference = np.abs(result.forces_eV_A - reference.forces_eV_A).max()
            per_atom = abs(result.energy_eV - reference.energy_eV) / len(frame)
            force, energy = max(force, difference), max(energy, per_atom)
            shares = (
                difference / force_target_eV_A / scale,
                per_atom / energy_target_eV_atom / scale,
            )
            share = float(np.max([share, *shares]))  # NaN stays NaN, and is not exported
        rows.append((segments, force, energy, share))
        print(
            f"{segments} segments: force error {force:.1e} eV/A, energy error {energy:.1e} eV/atom",
            flush=True,
        )
        if share <= 1:
            save_compressed(path, compressed)
            columns = ["segments", "force_error_eV_A", "energy_error_eV_atom", "target_share"]
            return pd.DataFrame(rows, columns=columns)
    raise ValueError(_complaint(rows, force_target_eV_A, energy_target_eV_atom))


def _scaled(frame: Atoms, scale: float) -> Atoms:
    scaled = frame.copy()
    scaled.set_cell(frame.cell * scale, scale_atoms=True)
    return scaled


def _complaint(rows: list, force_target: float, energy_target: float) -> str:
    """What misses the target by how much, and what would do."""
    segments, force, energy, share = rows[-1]
    message = (
        f"the tabulated model misses its error target {share:.1f} times over with {segments} segments "
        f"(forces {force:.1e} eV/A, target {force_target:.1e}; energy {energy:.1e} eV/atom, target "
        f"{energy_target:.1e}), so it is not exported; "
    )
    remedy = "train it with a lower training.learning_rate, from which come smoother networks"
    # the error of the forces falls with the third power of the spacing until rounding dominates
    if len(rows) > 1 and not share <= 0.5 * rows[-2][3]:
        return message + f"finer tables do not help, float32 is the limit: {remedy}"
    needed = 2 ** int(np.ceil(np.log2(segments * share ** (1 / 3))))
    return message + f"about {needed} segments would do: {remedy}"
