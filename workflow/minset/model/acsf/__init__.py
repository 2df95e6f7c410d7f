"""Atom-centred symmetry functions, ANI's or Behler's, with a network for each element.

Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007); Behler, J. Chem. Phys. 134, 074106 (2011);
ANI: Smith, Isayev and Roitberg, Chem. Sci. 8, 3192 (2017). Functions and networks are torchani's (MIT
licence), which is also the reference; training and simulations have compiled loops of their own.

A model on disk is ``model.pt`` (the networks' weights) and ``model.json``.
"""

from pathlib import Path

import numpy as np

from minset.evaluation import Evaluator
from minset.model.record import DESCRIPTION, REPULSION, TRAINING, Model

WEIGHTS, HISTORY = "model.pt", "history.csv"

_positive = {"type": "number", "exclusiveMinimum": 0}
_count = {"type": "integer", "minimum": 1, "maximum": 100}
OPTIONS = {
    "functions": {
        "enum": ["ani", "behler"],
        "default": "ani",
        "description": "Whose symmetry functions: ANI's radial and angular ones, or Behler's G2 and G5",
    },
    "cutoff_A": _positive | {"default": 6.0, "description": "Of pairs, in A"},
    "angular_cutoff_A": _positive
    | {"default": 4.5, "description": "Of triples, in A; shorter than that of pairs"},
    "start_A": _positive
    | {"default": 1.5, "description": "Where the functions of the distance begin, in A"},
    "radial": _count | {"default": 16, "description": "Functions of a pair"},
    "angular": _count | {"default": 6, "description": "Functions of the distances in a triple"},
    "sections": _count
    | {
        "default": 4,
        "description": "Functions of its angle: ANI's directions; of Behler's the exponents 1, 2, 4 ..., "
        "each for both signs",
    },
    "hidden": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 1000},
        "minItems": 1,
        "maxItems": 8,
        "default": [64, 48],
        "description": "Widths of the hidden layers of each element's network",
    },
    "repulsion": REPULSION,
}

LEARNING_RATE = TRAINING["learning_rate"] | {"default": 2e-3}


def _train(*arguments, **named) -> dict:
    from minset.model.acsf.train import train_acsf

    return train_acsf(*arguments, **named)


def _compiled(folder: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    from minset.model.acsf.architecture import load_model
    from minset.model.acsf.evaluator import compiled_evaluator

    return compiled_evaluator(*load_model(folder), numbers, threads)


def _network(folder: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    """Force calls by torchani's modules."""
    import torch

    from minset.model.acsf.architecture import load_model
    from minset.model.acsf.evaluator import torchani_evaluator

    torch.set_num_threads(threads)
    return torchani_evaluator(*load_model(folder), numbers)


def _export(folder: Path, baseline: dict | None, target: Path) -> str:
    from minset.model.acsf.export import export_acsf

    return export_acsf(folder, baseline, target)


RECORD = Model(
    options=OPTIONS,
    required=(),
    training=TRAINING | {"learning_rate": LEARNING_RATE},
    train=_train,
    evaluator=_compiled,
    reference=_network,
    export=_export,
    files=(WEIGHTS, DESCRIPTION, HISTORY),
    history=True,
    gpu=False,
    environment="minset",
    seconds=lambda training, settings, atoms: training["max_epochs"] * atoms * 2e-4,
    megabytes=lambda training, settings, atoms: atoms / 10,
    seconds_per_atom_call=2e-4,
    reference_seconds_per_atom_call=3e-3,
)
