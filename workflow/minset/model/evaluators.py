"""Force calls of any trained model, from its files: the same for tests and for simulations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from minset.evaluation import Evaluator
from minset.model.gap import gap_evaluator, load_gap
from minset.model.schnet.architecture import load_model
from minset.model.schnet.compressed import load_compressed
from minset.model.schnet.device import device_evaluator
from minset.model.schnet.evaluator import compressed_evaluator, schnetpack_evaluator


def evaluator_of(files: Sequence[Path], numbers: np.ndarray, threads: int = 1) -> Evaluator:
    """Force calls of a trained model.

    Parameters
    ----------
    files
        As in ``minset.model.MODELS``; the first one's name is a key of ``EVALUATORS``.
    numbers
        Atomic numbers, shape (n,).
    threads
        For the force calls.

    Raises
    ------
    ValueError
        If no model has a file of that name, or the model cannot be read.
    """
    path = Path(files[0])
    if path.name not in EVALUATORS:
        known = ", ".join(EVALUATORS)
        raise ValueError(f"{path} is not the file of a model; these are named {known}")
    return EVALUATORS[path.name](path, numbers, threads)


def _compressed(path: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    compressed = load_compressed(path)
    if torch.cuda.is_available():
        return device_evaluator(compressed, numbers, torch.device("cuda"))
    return compressed_evaluator(compressed, numbers, threads)


def _schnetpack(path: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    torch.set_num_threads(threads)
    return schnetpack_evaluator(*load_model(path.parent), numbers)


def _gap(path: Path, numbers: np.ndarray, threads: int) -> Evaluator:
    return gap_evaluator(*load_gap(path.parent), numbers, threads)


# SchNet with tabulated filters, its network as the reference, and GAP.
EVALUATORS = {"compressed.npz": _compressed, "model.pt": _schnetpack, "gap.xml": _gap}
