"""Errors of a model on labelled frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from minset.model import evaluator_of


def predictions(
    files: Sequence[Path], frames: list[Atoms], threads: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and predictions side by side.

    Parameters
    ----------
    files
        Of the model, all in its folder.
    frames
        Labelled frames.
    threads
        For the force calls.

    Returns
    -------
    forces, energies
        ``frame, atom, species, component, label_eV_A, model_eV_A`` and
        ``frame, label_eV_atom, model_eV_atom``.
    """
    evaluators = {}
    forces, energies = [], []
    for frame in frames:
        species = frame.numbers.tobytes()
        if species not in evaluators:
            evaluators[species] = evaluator_of(Path(files[0]).parent, frame.numbers, threads)
        result = evaluators[species](frame.positions, np.array(frame.cell))
        number, n = frame.info["frame"], len(frame)
        forces.append(
            pd.DataFrame(
                {
                    "frame": number,
                    "atom": np.repeat(np.arange(n), 3),
                    "species": np.repeat(frame.get_chemical_symbols(), 3),
                    "component": np.tile(list("xyz"), n),
                    "label_eV_A": frame.get_forces().ravel(),
                    "model_eV_A": result.forces_eV_A.ravel(),
                }
            )
        )
        energies.append((number, frame.get_potential_energy() / n, result.energy_eV / n))
    columns = ["frame", "label_eV_atom", "model_eV_atom"]
    return pd.concat(forces, ignore_index=True), pd.DataFrame(energies, columns=columns)


def metrics(difference: np.ndarray) -> dict[str, float]:
    """RMSE, MAE, L4 and largest absolute value of differences.

    L4 is the fourth root of the mean fourth power (Finkbeiner et al. 2024): it weighs outliers,
    which break simulations, more than the RMSE does.
    """
    size = np.abs(np.asarray(difference, dtype=float))
    return {
        "rmse": float(np.sqrt(np.mean(size**2))),
        "mae": float(np.mean(size)),
        "l4": float(np.mean(size**4) ** 0.25),
        "max": float(size.max()),
    }


def error_row(forces: pd.DataFrame, energies: pd.DataFrame) -> dict[str, float]:
    """One row of the error table: forces in eV/A (per component), energies in meV/atom."""
    force = metrics(forces["model_eV_A"] - forces["label_eV_A"])
    energy = metrics(1000 * (energies["model_eV_atom"] - energies["label_eV_atom"]))
    spread = float(forces["label_eV_A"].std(ddof=0))
    return (
        {"test_frames": len(energies)}
        | {f"force_{k}_eV_A": v for k, v in force.items()}
        | {"force_label_rms_eV_A": spread}
        | {f"energy_{k}_meV_atom": energy[k] for k in ("rmse", "mae", "max")}
    )
