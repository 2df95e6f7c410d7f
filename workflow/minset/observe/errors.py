"""Errors of a model on labelled frames."""

from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from minset.dataset import read_dataset
from minset.observe.record import Observable, Table


def observe_errors(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables ``forces``, ``energies`` and ``errors`` of a model on its test set, see `Observable`."""
    forces, energies = predictions(source["model"], read_dataset(source["test"]), threads)
    errors = pd.DataFrame([error_row(forces, energies)])
    return {"forces": forces, "energies": energies, "errors": errors}


def predictions(
    folder: Path, frames: list[Atoms], threads: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and predictions side by side.

    Parameters
    ----------
    folder
        Of the model.
    frames
        Labelled frames, each of any species, order and cell; ``info["frame"]`` is its number, its
        place in the list where it has none.
    threads
        For the force calls.

    Returns
    -------
    forces, energies
        ``frame, atom, species, component, label_eV_A, model_eV_A`` and
        ``frame, label_eV_atom, model_eV_atom``.

    Raises
    ------
    ValueError
        If the model cannot be read or does not know an element.
    """
    from minset.model import evaluator_of

    evaluators = {}
    forces, energies = [], []
    for place, frame in enumerate(frames):
        species = frame.numbers.tobytes()
        if species not in evaluators:
            evaluators[species] = evaluator_of(folder, frame.numbers, threads)
        result = evaluators[species](frame.positions, np.array(frame.cell))
        number, n = frame.info.get("frame", place), len(frame)
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


RECORD = Observable(
    of="model",
    tables={"forces": Table(), "energies": Table(), "errors": Table("errors")},
    observe=observe_errors,
    caption="Errors of each model on the test set: force components in eV/A, energies in meV/atom, "
    "and the root mean square of the labelled forces for scale.",
    seconds=lambda ions: 0.0,
)
