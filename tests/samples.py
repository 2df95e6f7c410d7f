"""Systems, labelled frames and derivatives that tests of several folders take.

Not in a conftest.py: there are several, and which one an import finds depends on the tests that run.
"""

from pathlib import Path

import numpy as np
from studies import CONFIG

# a study of each system, and the potential that tests take
SYSTEMS = {
    "kcl": ("demo-classical", "bmhtf"),
    "nacl": ("nacl-selectors", "bmhtf"),
    "al": ("demo-metal", "mendelev"),
    "ni": ("nickel", "zhang"),
    "au": ("gold", "foiles"),
}


def read_system(name: str, **options) -> dict:
    """A system of config/systems as jobs get it, with its potential's options, some of them changed."""
    from minset.study import read_study

    of_study, potential = SYSTEMS[name]
    study = read_study(of_study, CONFIG)
    system = study.systems[name] | study.md_system(name, potential)
    return system | {"potential": system["potential"] | options}


def numerical_force(energy, positions: np.ndarray, atom: int, axis: int, step=1e-3) -> float:
    """Central difference of ``energy(positions)``."""
    moved = positions.copy()
    moved[atom, axis] += step
    up = energy(moved)
    moved[atom, axis] -= 2 * step
    return -(up - energy(moved)) / (2 * step)


def batch_of(atoms, cutoff: float, dtype=None) -> dict:
    """One structure as input of ``architecture.predict``, with matscipy's neighbours."""
    import torch
    from matscipy.neighbours import neighbour_list

    i, j, vectors = neighbour_list("ijD", atoms, cutoff)
    return {
        "_atomic_numbers": torch.as_tensor(atoms.numbers, dtype=torch.long),
        "_idx_i": torch.as_tensor(i, dtype=torch.long),
        "_idx_j": torch.as_tensor(j, dtype=torch.long),
        "_idx_m": torch.zeros(len(atoms), dtype=torch.long),
        "_n_atoms": torch.tensor([len(atoms)]),
        "_Rij": torch.as_tensor(vectors, dtype=dtype or torch.float64),
    }


def label_settings(system: dict) -> dict:
    """Settings of the labeler that is the system's own potential."""
    from minset.label.potential import settings_of

    return settings_of(system | {"potentials": {"its own": system["potential"]}}, {})


def classically_labelled(frames, system: dict, folder) -> list:
    """Frames with energy, forces and stress of the system's classical potential."""
    from ase.calculators.singlepoint import SinglePointCalculator

    from minset.label import potential

    labelled = []
    for frame in frames:
        raw = potential.label(frame, label_settings(system), folder, 1)
        copy = frame.copy()
        copy.calc = SinglePointCalculator(
            copy, energy=raw.energy_eV, forces=raw.forces_eV_A, stress=raw.stress_eV_A3
        )
        labelled.append(copy)
    return labelled


def write_random_pool(path, frames: int, seed: int = 0, scale: float = 1.0):
    """A pool whose energies and forces are random numbers."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    from minset.pool.store import write_pool

    atoms_per_frame = 6
    rng = np.random.default_rng(seed)
    written = []
    for _ in range(frames):
        atoms = Atoms(
            "K3Cl3", positions=rng.random((atoms_per_frame, 3)) * 8, cell=[8] * 3, pbc=True
        )
        atomic = -3 + scale * rng.normal(size=atoms_per_frame)
        forces = scale * rng.normal(size=(atoms_per_frame, 3))
        atoms.calc = SinglePointCalculator(
            atoms, energy=atomic.sum(), forces=forces, energies=atomic
        )
        atoms.info |= {"run": 0, "time_ps": 0.0}
        written.append(atoms)
    write_pool(path, written)
    return path


def gold_committee(tmp_path_factory, segments: int) -> tuple[Path, ...]:
    """Three networks of gold that differ in their random weights alone, with so fine tables."""
    import torch

    from minset.model.schnet.architecture import build_model, hyper_of, save_model
    from minset.model.schnet.compressed import save_compressed, tabulate

    folders, hyper = [], hyper_of({"size": "small"})
    for seed in (1, 2, 3):
        folders.append(tmp_path_factory.mktemp("member"))
        torch.manual_seed(seed)
        model = build_model(hyper)
        about = {"kind": "schnet", "hyper": hyper, "energy_offsets_eV": {"79": -3.9}}
        save_model(folders[-1], model, about)
        save_compressed(folders[-1] / "compressed.npz", tabulate(model, about, segments=segments))
    return tuple(folders)
