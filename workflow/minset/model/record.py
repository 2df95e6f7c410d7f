"""The record of a kind of model."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minset.evaluation import Evaluator

DESCRIPTION = "model.json"  # in the folder of every model; its ``kind`` is a name of ``MODELS``
REPULSION = {
    "enum": ["floor", "none", "zbl"],
    "default": "floor",
    "description": "Universal repulsion under the model, against collapse: zbl up to the cutoff, floor "
    "below the shortest labelled distance of each pair of elements alone; none as in the papers",
}
"""Option of every kind of model"""


class BeyondTool(ValueError):
    """A model stands on a potential that the own tool of its kind cannot compute."""


_positive = {"type": "number", "exclusiveMinimum": 0}
_weight = {"type": "number", "minimum": 0}
TRAINING = {
    "batch_size": {
        "type": "integer",
        "minimum": 1,
        "default": 4,
        "description": "Frames of each step",
    },
    "learning_rate": _positive
    | {
        "default": 5e-4,
        "description": "Of Adam; it falls to zero in the last quarter of the epochs",
    },
    "max_epochs": {
        "type": "integer",
        "minimum": 1,
        "default": 2000,
        "description": "Passes over the training frames; the learning rate is zero after the last",
    },
    "patience": {
        "type": "integer",
        "minimum": 1,
        "description": "When given, the learning rate is halved instead, whenever the validation loss "
        "stays for a third of so many epochs, and training stops when it stays for all",
    },
    "energy_weight": _weight
    | {"default": 1.0, "description": "In the loss, of squared errors in (eV/atom)^2"},
    "force_weight": _weight | {"default": 1.0, "description": "The same in (eV/A)^2"},
    "stress_weight": _weight
    | {"default": 1e3, "description": "The same in (eV/A^3)^2, where frames know their stress"},
}
"""``training`` of every kind of network, see ``minset.model.training``"""


@dataclass(frozen=True)
class Model:
    """What is to be known of a kind of model.

    A trained model is a folder. Importing a record loads none of the libraries that train or run it.
    """

    options: dict
    """JSON schema ``properties`` of a model in a study, without ``model`` and ``training``"""
    required: tuple[str, ...]
    """Options that have no default and must be given"""
    training: dict
    """JSON schema ``properties`` of its ``training`` section"""
    train: Callable[..., dict]
    """``train(train, validation, settings, training, seed, folder, threads, provenance)``: fit to
    labelled frames (``list[Atoms]``), write ``files`` into the folder, return a summary. Called again
    after a kill, with the folder as it was left, it goes on as far as it can."""
    evaluator: Callable[[Path, np.ndarray, int], Evaluator]
    """``evaluator(folder, numbers, threads)``: what tests and simulations use"""
    reference: Callable[[Path, np.ndarray, int], Evaluator]
    """The same without approximations made for speed"""
    export: Callable[[Path, dict | None, Path], str]
    """``export(folder, baseline, target)``: write into a folder what the kind's own tool reads, with the
    ``baseline`` (a system with its potential) if there is one; return how it is used, as Markdown with
    paths from where ``target`` lies. Raises BeyondTool for a baseline that the tool cannot have."""
    files: tuple[str, ...]
    """All files of a trained model"""
    history: bool
    """Whether ``history.csv``, losses by epoch, is among them"""
    gpu: bool
    """Whether training and force calls use a GPU where there is one"""
    environment: str
    """Name of the conda environment"""
    seconds: Callable[[dict, dict, int], float]
    """``seconds(training, settings, atoms)``: a training on one core, generously; ``atoms`` of all
    training frames together"""
    megabytes: Callable[[dict, dict, int], float]
    """``megabytes(training, settings, atoms)``: memory of a training beside its libraries"""
    seconds_per_atom_call: float
    """Of a force call by ``evaluator`` on one core, rounded up"""
    reference_seconds_per_atom_call: float
    """Of one by ``reference``"""
