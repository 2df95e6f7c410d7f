"""What the contestants work on: molten NaCl, a pool of labelled frames, models with random weights.

Everything is kept in the working folder and made once.
"""

import json
import shutil
import sys
from pathlib import Path

import ase.io
import numpy as np
import torch
import yaml
from ase import Atoms
from ase.md.velocitydistribution import Stationary, thermalize_momenta

from minset.files import written_aside
from minset.md.melt import melt
from minset.model.schnet.architecture import (
    build_model,
    build_representation,
    hyper_of,
    load_model,
    save_model,
)
from minset.model.schnet.compress import compress
from minset.pool.npt import run_npt
from minset.pool.npt_ramp import plan
from minset.pool.store import read_frames, write_pool
from minset.system import start_density_g_cm3

# isort: split
# after minset.model.schnet.architecture, which mends schnetpack's import with newer torch
import schnetpack as spk

SYSTEM = Path(__file__).parents[2] / "config" / "systems" / "nacl.yaml"
TEMPERATURE_K, DENSITY_G_CM3 = 1400.0, 1.42
LARGEST_MELT = 1000  # ions; larger frames are made of copies
POOL_IONS, POOL_FRAMES = 100, 200
SEED = 7


def nacl() -> dict:
    """Content of the system file, with the potential of Tosi and Fumi as its potential value."""
    system = yaml.safe_load(SYSTEM.read_text())
    return system | {"potential": {"published_sign": False} | system["potentials"]["bmhtf"]}


def hyper_parameters(size: str) -> dict:
    """Of a model that schnetpack can represent too: the plain network, nothing under it."""
    return hyper_of({"size": size, "repulsion": "none"})


def liquid(work: Path, ions: int) -> Atoms:
    """A frame of molten NaCl with velocities, about as dense as the liquid at 1400 K.

    Up to a thousand ions it is a melt of the classical potential; larger ones are copies of a melt
    in all directions, shaken so that no two are alike.
    """
    path = work / f"liquid-{ions}.extxyz"
    if not path.exists():
        copies = copies_along_an_edge(ions)
        print(f"frame of {ions} ions", flush=True)
        atoms = melt(
            nacl(), ions // copies**3, DENSITY_G_CM3, TEMPERATURE_K, duration_ps=0.5, seed=SEED
        )
        rng = np.random.default_rng(SEED)
        if copies > 1:
            atoms = atoms.repeat(copies)
            atoms.positions += 0.1 * rng.normal(size=(ions, 3))
            atoms.wrap()
        thermalize_momenta(atoms, TEMPERATURE_K, rng=rng)
        Stationary(atoms)
        with written_aside(path) as aside:
            ase.io.write(aside, atoms)
    return ase.io.read(path)


def copies_along_an_edge(ions: int) -> int:
    """How many copies of a melt make a cube of so many ions.

    Raises
    ------
    ValueError
        If no melt does.
    """
    for copies in range(1, 12):
        each, rest = divmod(ions, copies**3)
        if not rest and each % 2 == 0 and each <= LARGEST_MELT:
            return copies
    raise ValueError(f"{ions} ions are no cube of copies of an even number up to {LARGEST_MELT}")


def pool(work: Path) -> Path:
    """Pool of labelled frames from a short ramp of the classical potential."""
    path = work / "pool.h5"
    if not path.exists():
        settings = {
            "ions": POOL_IONS,
            "temperature_K": [1700, 1100],
            "pressure_bar": 5000,
            "timestep_fs": 2.0,
            "equilibration_ps": 1.0,
            "duration_ps": 20.0,
            "frames": POOL_FRAMES,
            "seed": SEED,
        }
        print(f"pool of {POOL_FRAMES} frames of {POOL_IONS} ions", flush=True)
        (run,) = plan(settings)
        run["density_g_cm3"] = start_density_g_cm3(nacl()["reference"]["density"], 1700)
        write_pool(path, run_npt(nacl(), run, work / "ramp").frames)
        shutil.rmtree(work / "ramp")
    return path


def large_pool(work: Path, frames: int) -> Path:
    """Pool of so many frames, no two alike: those of `pool` in turns, cells and all.

    Each time all lengths are scaled by up to 3 % and ions shaken by normal numbers of up to 0.2 A. They
    have no energies and forces.
    """
    path = work / f"pool-{frames}.h5"
    if not path.exists():
        print(f"pool of {frames} frames", flush=True)
        base, rng = read_frames(pool(work)), np.random.default_rng(SEED)

        def made():
            for k in range(frames):
                atoms = base[k % len(base)].copy()
                atoms.set_cell(atoms.cell * rng.uniform(0.97, 1.03), scale_atoms=True)
                atoms.positions += rng.uniform(0, 0.2) * rng.normal(size=atoms.positions.shape)
                yield atoms

        write_pool(path, made())
    return path


def database(path: Path, frames: list[Atoms]) -> Path:
    """Frames with energies and forces as schnetpack's database, made anew."""
    path.unlink(missing_ok=True)
    units = {"energy": "eV", "forces": "eV/Ang"}
    data = spk.data.ASEAtomsData.create(str(path), "Ang", units)
    labels = [
        {"energy": np.array([f.get_potential_energy()]), "forces": f.get_forces()} for f in frames
    ]
    data.add_systems(labels, frames)
    return path


def model_folder(work: Path, size: str) -> Path:
    """Folder of a model with random weights, in minset's form and in schnetpack's (a pickle)."""
    folder = work / f"model-{size}"
    if not (folder / "schnetpack.pt").exists():
        hyper = hyper_parameters(size)
        torch.manual_seed(SEED)
        model = build_model(hyper)
        offsets = {"11": 0.0, "17": 0.0}
        save_model(folder, model, {"hyper": hyper, "energy_offsets_eV": offsets})
        with written_aside(folder / "schnetpack.pt") as aside:
            torch.save(schnetpack_model(hyper, model), aside)
    return folder


def schnetpack_model(hyper: dict, model: torch.nn.Module, **options) -> torch.nn.Module:
    """The same network with the same weights as schnetpack's own tools want it.

    Parameters
    ----------
    hyper, model
        Of minset's model.
    options
        Of ``schnetpack.model.NeuralNetworkPotential``, such as postprocessors.
    """
    readout = spk.atomistic.Atomwise(
        n_in=hyper["features"],
        n_hidden=hyper["hidden"],
        n_layers=len(hyper["hidden"]) + 1,
        output_key="energy",
    )
    readout.load_state_dict(model.output_modules[0].state_dict())
    representation = build_representation(hyper)
    representation.load_state_dict(model.representation.state_dict())
    return spk.model.NeuralNetworkPotential(
        representation=representation,
        input_modules=[spk.atomistic.PairwiseDistances()],
        output_modules=[readout, spk.atomistic.Forces()],
        **options,
    )


def export_compressed(work: Path, size: str) -> None:
    """Compress a model, anew each time: it is quick, and the code may have changed."""
    folder = model_folder(work, size)
    compress(*load_model(folder), read_frames(pool(work), range(4)), folder / "compressed.npz")


def main(plan: dict) -> None:
    """Make what is missing of all that the plan needs."""
    work = Path(plan["work"])
    work.mkdir(parents=True, exist_ok=True)
    pool(work)
    for ions in plan["sizes"]:
        liquid(work, ions)
    for size in plan["models"]:
        export_compressed(work, size)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
