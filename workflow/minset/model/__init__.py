"""Models: potentials trained from a dataset.

A new one is a module with a ``RECORD`` (`minset.model.record.Model`) and one line here.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from minset.evaluation import Evaluator
from minset.model import acsf, gap, schnet
from minset.model.baseline import BASELINE, with_baseline
from minset.model.record import DESCRIPTION

MODELS = {"schnet": schnet.RECORD, "gap": gap.RECORD, "acsf": acsf.RECORD}


def evaluator_of(
    folder: Path,
    numbers: np.ndarray,
    threads: int = 1,
    reference: bool = False,
    fine: bool = False,
) -> Evaluator:
    """Force calls of a trained model with its baseline: the same for tests and for simulations.

    Parameters
    ----------
    folder
        Of the model.
    numbers
        Atomic numbers, shape (n,).
    threads
        For the force calls.
    reference
        Without what the model approximates for speed: of a SchNet the network itself.
    fine
        With the baseline as exact as it can be, and ready for call after call, as of other programs.

    Returns
    -------
    callable
        ``evaluate(positions_A (n, 3), cell_A (3, 3)) -> Evaluation``. Any cell, also one smaller than
        the cutoff; positions may be wrapped or not. Raises ``minset.evaluation.Unusable`` for a
        configuration of which no force call can be made.

    Raises
    ------
    ValueError
        If the folder holds no model that can be read, or the model does not know an element.
    """
    learned = learned_evaluator(folder, numbers, threads, reference)
    baseline = baseline_of(folder)
    return with_baseline(learned, baseline, numbers, threads, fine) if baseline else learned


def learned_evaluator(
    folder: Path, numbers: np.ndarray, threads: int = 1, reference: bool = False
) -> Evaluator:
    """Force calls of what a model has learned, see ``evaluator_of``: without its baseline."""
    model = MODELS[kind_of(folder)]
    return (model.reference if reference else model.evaluator)(Path(folder), numbers, threads)


def baseline_of(folder: Path) -> dict | None:
    """System whose potential is the baseline of a trained model: ``species`` and ``potential``; or None.

    Raises
    ------
    ValueError
        As ``kind_of``.
    """
    return _description(folder).get(BASELINE)


def kind_of(folder: Path) -> str:
    """Name in ``MODELS`` of a trained model.

    Raises
    ------
    ValueError
        If there is no model, its description is damaged, or its kind is not known.
    """
    kind = _description(folder)["kind"]
    if not isinstance(kind, str) or kind not in MODELS:
        raise ValueError(
            f"the model in {folder} is of kind {kind!r}, and this version knows {', '.join(MODELS)}; "
            "use the version that trained it, or remove the folder and train it again"
        )
    return kind


def _description(folder: Path) -> dict:
    """What a trained model says of itself, at least its ``kind``."""
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text())
        if not isinstance(description, dict):
            raise ValueError("it does not describe a model")
        return description if "kind" in description else {"kind": _kind_by_files(path.parent)}
    except FileNotFoundError:
        raise ValueError(f"{folder} holds no trained model (no {DESCRIPTION}); train it") from None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the model in {folder} cannot be read ({DESCRIPTION}: {error}); remove the folder and "
            "train it again"
        ) from error


def _kind_by_files(folder: Path) -> str:
    """Kind of a model of version 0.1, whose description does not say it."""
    for kind, file in {"schnet": "model.pt", "gap": "gap.xml"}.items():
        if (folder / file).exists():
            return kind
    raise ValueError("it does not say the kind of the model")


def member_seed(seed: int, member: int) -> int:
    """Seed of one member of a committee of models.

    Parameters
    ----------
    seed
        Of the repetition; the seed of member 1 itself, so that a model alone is the first of a committee.
    member
        From 1.

    Returns
    -------
    int
        Between 1 and 2^31 - 1.
    """
    if member == 1:
        return seed
    digest = hashlib.sha256(f"{seed} {member}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % (2**31 - 1) + 1
