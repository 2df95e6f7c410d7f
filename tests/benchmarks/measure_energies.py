"""Where published models differ from their labels: energies, forces, pressures, waves of forces.

    PYTHONPATH=workflow python tests/benchmarks/measure_energies.py

For each model that is published with DFT labels of KCl, on the test frames and on those of its own run:
what labels gain where the model gains one (slopes of a linear fit), for energies of frames, for force
components and for the longest waves of the forces, along and across the wave vector, for all ions alike
and with the sign of their charge. A model that is too soft somewhere has a slope above one there. Prints
a table.
"""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms

from minset.model import evaluator_of
from minset.published.frames import label_of_block, read_blocks

STUDIES = ("kcl-dft-laptop", "kcl-certified-laptop")
PUBLISHED = Path("results/published")
BAR = 1.602176634e6  # in an eV/A^3
SHELLS = (1, 2, 3)  # squares of the wave vectors, in units of 2 pi / edge
CHARGES = {"K": 1.0, "Cl": -1.0}


def frame_sets(study: Path, run: str) -> dict[str, list]:
    """Labels of the test frames and of the frames of a model's own run."""
    rows = pd.read_csv(study / "selection.csv")
    own = rows["set"].str.startswith("certificate/") & rows["set"].str.endswith(f"/{run}")
    keys = {"test": rows.loc[rows["role"] == "test", "key"], "own run": rows.loc[own, "key"]}
    path = study / "labels.extxyz"
    blocks = read_blocks(path)
    return {
        name: [label_of_block(path, key, blocks[key]) for key in of if key in blocks]
        for name, of in keys.items()
    }


def waves_of(atoms: Atoms, forces: np.ndarray) -> dict[str, np.ndarray]:
    """Amplitudes of the forces of the longest waves of a cubic cell, by kind, in eV/A."""
    signs = np.array([CHARGES[symbol] for symbol in atoms.symbols])
    found = {}
    for n in itertools.product(range(-1, 2), repeat=3):
        if sum(k * k for k in n) not in SHELLS or n < tuple(-k for k in n):
            continue
        q = 2 * np.pi * np.array(n) / atoms.cell.lengths()
        phases, along = np.exp(1j * atoms.positions @ q), q / np.linalg.norm(q)
        for kind, weights in (("number", np.ones(len(atoms))), ("charge", signs)):
            wave = (weights * phases) @ forces
            parts = {"along": [wave @ along], "across": wave - (wave @ along) * along}
            for direction, values in parts.items():
                found.setdefault(f"{kind}_{direction}", []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def slope(model: np.ndarray, label: np.ndarray) -> float:
    """Of a linear fit through the origin, of numbers that may be complex."""
    return float((model.conj() * label).real.sum() / (abs(model) ** 2).sum())


def row_of(labels: list, folder: Path) -> dict:
    """Errors and slopes of a model on labelled frames."""
    call = evaluator_of(folder, labels[0].atoms.numbers, 1)
    results = [call(x.atoms.positions, np.array(x.atoms.cell)) for x in labels]
    energies = np.array(
        [
            (x.energy_eV / len(x.atoms), r.energy_eV / len(x.atoms))
            for x, r in zip(labels, results, strict=True)
        ]
    )
    left = 1000 * (energies[:, 0] - energies[:, 1])
    forces = [np.concatenate([x.forces_eV_A for x in labels]).ravel()]
    forces.append(np.concatenate([r.forces_eV_A for r in results]).ravel())
    pressures = [
        (np.trace(r.virial_eV) / x.atoms.cell.volume - np.trace(x.stress_eV_A3)) / 3
        for x, r in zip(labels, results, strict=True)
    ]
    waves = [
        (waves_of(x.atoms, r.forces_eV_A), waves_of(x.atoms, x.forces_eV_A))
        for x, r in zip(labels, results, strict=True)
    ]
    row = {
        "frames": len(labels),
        "force_rmse_eV_A": np.sqrt(np.mean((forces[0] - forces[1]) ** 2)),
        "energy_bias_meV_atom": -left.mean(),
        "energy_scatter_meV_atom": left.std(),
        "pressure_offset_bar": -BAR * np.mean(pressures),
        "slope_energy": 1 + np.polyfit(energies[:, 1], left / 1000, 1)[0],
        "slope_force": slope(forces[1], forces[0]),
    }
    for name in waves[0][0]:
        of_all = [np.concatenate([pair[k][name] for pair in waves]) for k in (0, 1)]
        row[f"slope_{name}"] = slope(*of_all)
    return row


def main() -> None:
    rows = []
    for study in STUDIES:
        for folder in sorted((PUBLISHED / study / "models").iterdir()):
            for name, labels in frame_sets(PUBLISHED / study, folder.name).items():
                if labels:
                    about = {"study": study, "model": folder.name, "set": name}
                    rows.append(about | row_of(labels, folder))
    print(pd.DataFrame(rows).round(4).T.to_string(header=False))


if __name__ == "__main__":
    main()
