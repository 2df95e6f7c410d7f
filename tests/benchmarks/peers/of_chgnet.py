"""CHGNet, a universal potential: with the weights of its wheel, or fine-tuned by its own trainer."""

import random
from pathlib import Path

import ase.units
import numpy as np

from peers.in_ase import verlet

PACKAGES = ["chgnet", "torch"]
WEIGHTS = "weights.pt"


def train(frames, validation, folder: Path, seed: int, options: dict) -> None:
    """Fine-tune all weights after the atoms' reference energies have been moved to the labels'.

    Which epoch is best is not looked for: the learning rate falls, and the last one is kept.
    """
    import torch
    from chgnet.model import CHGNet
    from chgnet.trainer import Trainer

    torch.manual_seed(seed)
    random.seed(seed)  # of the order in chgnet's datasets
    model = CHGNet.load(verbose=False, use_device="cpu")
    move_reference(model, frames)
    trainer = Trainer(
        model,
        targets="efs",
        use_device="cpu",
        epochs=options["visits"] // len(frames),
        learning_rate=options["learning_rate"],
        print_freq=10**9,
    )
    loaders = [_batches(each, options["batch_size"]) for each in (frames, validation)]
    trainer.train(*loaders, save_dir="")
    torch.save(model.as_dict(), folder / WEIGHTS)


def move_reference(model, frames) -> None:
    """Add the labels' mean difference (eV/atom) to the reference energy of every element."""
    structures = _structures(frames)
    found = model.predict_structure(structures, task="e", batch_size=8)
    labels = [frame.get_potential_energy() / len(frame) for frame in frames]
    shift = np.mean(labels) - np.mean([each["e"] for each in found])
    model.composition_model.fc.weight.data += float(shift)


def _structures(frames) -> list:
    from pymatgen.io.ase import AseAtomsAdaptor

    return [AseAtomsAdaptor.get_structure(frame) for frame in frames]


def _batches(frames, size: int):
    """Loader of labelled frames; stresses in VASP's units and sign, as CHGNet's dataset takes them."""
    from chgnet.data.dataset import StructureData, collate_graphs
    from torch.utils.data import DataLoader

    data = StructureData(
        _structures(frames),
        [frame.get_potential_energy() / len(frame) for frame in frames],
        [frame.get_forces() for frame in frames],
        stresses=[-10 * frame.get_stress(voigt=False) / ase.units.GPa for frame in frames],
    )
    return DataLoader(data, batch_size=size, collate_fn=collate_graphs, shuffle=True)


def calculator(folder: Path):
    """CHGNet's own calculator."""
    import torch
    from chgnet.model import CHGNet
    from chgnet.model.dynamics import CHGNetCalculator

    weights = folder / WEIGHTS
    model = CHGNet.from_dict(torch.load(weights, weights_only=False)) if weights.exists() else None
    return CHGNetCalculator(model, use_device="cpu")


def steps(folder: Path, atoms):
    """MD in ASE, as CHGNet's own dynamics do it."""
    return verlet(calculator(folder), atoms)
