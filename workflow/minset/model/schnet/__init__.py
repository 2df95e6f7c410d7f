"""SchNet: the network, its training, and force calls with tabulated filters."""

from pathlib import Path

import numpy as np

from minset.evaluation import Evaluator
from minset.model.record import DESCRIPTION, REPULSION, TRAINING, Model

WEIGHTS, HISTORY = "model.pt", "history.csv"
COMPRESSED, COMPRESSION = "compressed.npz", "compression.csv"

_positive = {"type": "number", "exclusiveMinimum": 0}
OPTIONS = {
    "size": {
        "enum": ["small", "medium", "large"],
        "description": 'Of the network, "Efficient data selection methods" (2021), Table 1',
    },
    "gaussians": {
        "type": "integer",
        "minimum": 2,
        "maximum": 1000,
        "description": "Radial basis functions instead of the size's",
    },
    "cutoff_A": _positive | {"default": 6.0, "description": "Of interactions, in A"},
    "repulsion": REPULSION,
}


def _train(*arguments, **named) -> dict:
    from minset.model.schnet.train import train_schnet

    return train_schnet(*arguments, **named)


def _tabulated(folder: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    """Force calls with tabulated filters, on a GPU where there is one."""
    import torch

    from minset.model.schnet.compressed import load_compressed
    from minset.model.schnet.device import device_evaluator
    from minset.model.schnet.evaluator import compressed_evaluator

    compressed = load_compressed(folder / COMPRESSED)
    if torch.cuda.is_available():
        return device_evaluator(compressed, numbers, torch.device("cuda"))
    return compressed_evaluator(compressed, numbers, threads)


def _network(folder: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    """Force calls by schnetpack's layers."""
    import torch

    from minset.model.schnet.architecture import load_model
    from minset.model.schnet.evaluator import schnetpack_evaluator

    torch.set_num_threads(threads)
    return schnetpack_evaluator(*load_model(folder), numbers)


def _export(folder: Path, baseline: dict | None, target: Path) -> str:
    from minset.model.schnet.export import export_schnet

    return export_schnet(folder, baseline, target)


RECORD = Model(
    options=OPTIONS,
    required=("size",),
    training=TRAINING,
    train=_train,
    evaluator=_tabulated,
    reference=_network,
    export=_export,
    files=(WEIGHTS, DESCRIPTION, COMPRESSED, COMPRESSION, HISTORY),
    history=True,
    gpu=True,
    environment="minset",
    seconds=lambda training, settings, atoms: training["max_epochs"] * atoms * 1e-4,
    megabytes=lambda training, settings, atoms: atoms / 50,
    seconds_per_atom_call=2e-5,
    reference_seconds_per_atom_call=5e-4,
)
