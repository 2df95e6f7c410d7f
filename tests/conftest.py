"""Shared fixtures: systems, a small melt, an untrained model on disk."""

from pathlib import Path

import numpy as np
import pytest
from records import small_registries  # noqa: F401
from studies import CONFIG, config  # noqa: F401

# its checks are asserted for the tests that call them
pytest.register_assert_rewrite("conformance.force_calls")
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


@pytest.fixture(scope="session")
def kcl() -> dict:
    return read_system("kcl")


@pytest.fixture(scope="session")
def nacl() -> dict:
    return read_system("nacl")


@pytest.fixture(scope="session")
def al() -> dict:
    return read_system("al")


@pytest.fixture(scope="session")
def melt32(kcl):
    """32 ions of molten KCl at 1200 K with velocities."""
    from minset.md.melt import melt

    return melt(kcl, 32, 1.436, 1200.0, duration_ps=1.0, seed=3)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A small SchNet with random weights, saved, and its compressed form."""
    import torch

    from minset.model.schnet.architecture import build_model, hyper_of, save_model
    from minset.model.schnet.compressed import save_compressed, tabulate

    folder = tmp_path_factory.mktemp("model")
    hyper = hyper_of({"size": "small"})
    torch.manual_seed(5)
    offsets = {"19": -1.5, "17": -2.5}
    model, description = build_model(hyper), {"hyper": hyper, "energy_offsets_eV": offsets}
    save_model(folder, model, description)
    save_compressed(folder / "compressed.npz", tabulate(model, description, segments=1024))
    return folder


@pytest.fixture(scope="session")
def small_pool(tmp_path_factory, kcl):
    """A pool of 40 frames of 32 ions from one run, on disk, its frames, and the run."""
    from minset.pool.npt import run_npt
    from minset.pool.npt_ramp import plan
    from minset.pool.store import join_runs, write_pool
    from minset.system import start_density_g_cm3

    settings = {
        "ions": 32,
        "temperature_K": [1700, 1100],
        "pressure_bar": 5000,
        "timestep_fs": 2.0,
        "equilibration_ps": 2,
        "duration_ps": 10,
        "frames": 40,
        "seed": 1,
    }
    folder = tmp_path_factory.mktemp("pool")
    (run,) = plan(settings)
    run["density_g_cm3"] = start_density_g_cm3(kcl["reference"]["density"], 1700)
    frames, _ = run_npt(kcl, run, folder / "work")
    write_pool(folder / "ramp.h5", frames)
    join_runs(folder / "pool.h5", {0: folder / "ramp.h5"})
    return folder / "pool.h5", frames, run


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
