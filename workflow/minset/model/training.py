"""Training of a network on energies, forces and, if wanted, stresses; exactly resumable.

A plain torch loop over frames that are all in memory, the same for every kind of network: what a kind
brings is its batches and how it predicts them.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import torch

from minset.files import read_checkpoint, write_checkpoint

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_SECONDS, REPORT_SECONDS = 15.0, 5.0
HELD = 0.75  # of the epochs, before the learning rate falls
COLUMNS = [
    "epoch",
    "train_loss",
    "validation_loss",
    "validation_energy_rmse_meV_atom",
    "validation_force_rmse_eV_A",
    "learning_rate",
    "seconds",
]


class Batches(Protocol):
    """Frames that are all in memory."""

    parts: list
    """One of each frame"""

    def of(self, indices: np.ndarray) -> dict:
        """Some frames as one batch: what the prediction needs, and the labels ``energy`` (m,), ``forces``
        (n, 3), ``stress`` (m, 3, 3), NaN where it is not known, ``volume`` (m,) and ``atoms`` (m,)."""


Predict = Callable[[torch.nn.Module, dict], dict]
"""``predict(model, batch)``: ``energy`` (m,) in eV, ``forces`` (n, 3) in eV/A, ``virial`` (m, 3, 3);
differentiable in the weights unless torch's gradients are off"""


def fit(
    model: torch.nn.Module,
    predict: Predict,
    batches: Batches,
    checks: Batches,
    training: dict,
    seed: int,
    folder: Path,
) -> tuple[dict, pd.DataFrame]:
    """Train a network, or go on from its last checkpoint; afterwards it has its best weights.

    The loss is the sum of mean squared errors of energy per atom, force components and stress
    components, each times its weight. The learning rate is held for ``HELD`` of the epochs and then falls
    to zero as half a cosine, so that the last epochs agree; the best one on the validation set is kept.

    Parameters
    ----------
    model
        With the weights to begin with.
    predict
        Of the kind of network.
    batches, checks
        Training and validation frames.
    training
        ``batch_size``, ``learning_rate`` (Adam, of the first epoch), ``max_epochs``, ``energy_weight``,
        ``force_weight``, ``stress_weight``. With ``patience`` the learning rate is halved instead, after
        a third of so many epochs without improvement, and training stops after all of them.
    seed
        Of the order of the frames.
    folder
        Holds ``checkpoint.pt`` on the way; who has written the model takes it away.

    Returns
    -------
    summary, history
        ``epochs``, ``best_epoch``, ``stopped`` (why); and a row of ``COLUMNS`` for each epoch.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=training["learning_rate"])
    fit = _Fit(model, optimizer, _schedule(optimizer, training))
    state = {"epoch": 0, "best": float("inf"), "best_epoch": 0, "history": [], "weights": None}
    if saved := read_checkpoint(folder / CHECKPOINT, vars(fit), "training"):
        state |= saved
        print(f"continuing after epoch {state['epoch']}", flush=True)
    print(_schedule_in_words(training), flush=True)
    written = reported = time.monotonic()
    while not (stopped := _finished(state, training)):
        began = time.monotonic()
        train_loss = _train_epoch(fit, predict, batches, training, [seed, state["epoch"]])
        loss, errors = _validate(fit, predict, checks, training, state["epoch"] + 1)
        rate = fit.optimizer.param_groups[0]["lr"]
        fit.scheduler.step(*[loss] if "patience" in training else [])
        _keep(state, fit.model, loss)
        seconds = time.monotonic() - began
        state["history"].append([state["epoch"], train_loss, loss, *errors, rate, seconds])
        if time.monotonic() - written > CHECKPOINT_SECONDS:
            write_checkpoint(folder / CHECKPOINT, state, vars(fit))
            written = time.monotonic()
        often = time.monotonic() - reported > REPORT_SECONDS
        if often or state["epoch"] in (1, training["max_epochs"]):
            reported = time.monotonic()
            _report(state["history"][-1])
    fit.model.load_state_dict(state["weights"])
    print(f"stopped: {stopped}; best epoch {state['best_epoch']}", flush=True)
    summary = {"epochs": state["epoch"], "best_epoch": state["best_epoch"], "stopped": stopped}
    return summary, pd.DataFrame(state["history"], columns=COLUMNS)


def description_of(
    hyper: dict,
    training: dict,
    offsets: dict[int, float],
    left: dict[int, float],
    provenance: dict,
) -> dict:
    """What a trained network says of itself, beside its kind.

    Parameters
    ----------
    hyper
        Its hyper-parameters.
    training
        Options, seed and summary of the training.
    offsets, left
        Energies in eV by atomic number: taken off before the training, and what that left.
    provenance
        As it is.
    """
    return {
        "hyper": hyper,
        "training": training,
        "energy_offsets_eV": {str(z): energy + left[z] for z, energy in offsets.items()},
        "units": {"energy": "eV", "length": "A"},
        "provenance": provenance,
    }


def energies_left(model: torch.nn.Module, predict: Predict, batches: Batches) -> np.ndarray:
    """What a trained network leaves of the energies of its training frames in eV, shape (m,).

    Forces decide the weights; a constant that energies are off by would stay.
    """
    model.eval()
    left = []
    with torch.no_grad():
        for number in range(len(batches.parts)):
            batch = batches.of(np.array([number]))
            left.append(float(batch["energy"] - predict(model, batch)["energy"]))
    return np.array(left)


@dataclass(frozen=True)
class _Fit:
    """What changes while a network is trained; a checkpoint holds the state of each."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler


def _schedule(
    optimizer: torch.optim.Optimizer, training: dict
) -> torch.optim.lr_scheduler.LRScheduler:
    """How the learning rate falls from epoch to epoch."""
    schedulers, epochs = torch.optim.lr_scheduler, training["max_epochs"]
    if "patience" in training:
        patience = max(1, training["patience"] // 3)
        return schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=patience)
    return schedulers.LambdaLR(optimizer, lambda epoch: _share_of_rate(epoch / epochs))


def _share_of_rate(progress: float) -> float:
    """Learning rate relative to the first one, after a share of the epochs."""
    fallen = max(0.0, progress - HELD) / (1 - HELD)
    return 0.5 * (1 + math.cos(math.pi * fallen))


def _schedule_in_words(training: dict) -> str:
    rate = f"learning rate {training['learning_rate']:g}"
    if "patience" not in training:
        falling = round((1 - HELD) * training["max_epochs"])
        return f"{rate}, falling to zero in the last {falling} of {training['max_epochs']} epochs"
    return (
        f"{rate}, halved on plateaus; stops after {training['patience']} epochs without improvement"
    )


def _train_epoch(
    fit: _Fit, predict: Predict, batches: Batches, training: dict, seed: list[int]
) -> float:
    """One pass over all training frames in random order; mean loss of a frame."""
    fit.model.train()
    order = np.random.default_rng(seed).permutation(len(batches.parts))
    losses = []
    for begin in range(0, len(order), training["batch_size"]):
        chosen = order[begin : begin + training["batch_size"]]
        fit.optimizer.zero_grad()
        loss = loss_of(fit.model, predict, batches.of(chosen), training)[0]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(fit.model.parameters(), 10.0)
        fit.optimizer.step()
        losses.append(float(loss.detach()) * len(chosen))
    return sum(losses) / len(order)


def _validate(
    fit: _Fit, predict: Predict, checks: Batches, training: dict, epoch: int
) -> tuple[float, tuple[float, float]]:
    """Loss, and errors as of ``_loss``, on all validation frames; an error if it is not finite."""
    fit.model.eval()
    batch = checks.of(np.arange(len(checks.parts)))
    with torch.no_grad():
        value, errors = loss_of(fit.model, predict, batch, training)
    value = float(value)
    if not np.isfinite(value):
        raise ValueError(
            f"training diverged in epoch {epoch}; lower training.learning_rate "
            f"({training['learning_rate']:g})"
        )
    return value, errors


def _keep(state: dict, model: torch.nn.Module, loss: float) -> None:
    """Count the epoch, and keep its weights if they are the best so far."""
    state["epoch"] += 1
    if loss < state["best"]:
        weights = {k: v.clone() for k, v in model.state_dict().items()}
        state |= {"best": loss, "best_epoch": state["epoch"], "weights": weights}


def _report(row: list) -> None:
    epoch, train_loss, loss, energy, force, _, seconds = row
    print(
        f"epoch {epoch}: training loss {train_loss:.3e}, validation {loss:.3e}, energy RMSE "
        f"{energy:.2f} meV/atom, force RMSE {force:.4f} eV/A, {seconds:.2f} s",
        flush=True,
    )


def loss_of(
    model: torch.nn.Module, predict: Predict, batch: dict, training: dict
) -> tuple[torch.Tensor, tuple[float, float]]:
    """Weighted loss, and energy RMSE in meV/atom and force RMSE in eV/A."""
    result = predict(model, batch)
    energy = ((result["energy"] - batch["energy"]) / batch["atoms"]).square().mean()
    force = (result["forces"] - batch["forces"]).square().mean()
    loss = training["energy_weight"] * energy + training["force_weight"] * force
    if training["stress_weight"] > 0:
        stress = result["virial"] / batch["volume"][:, None, None] - batch["stress"]
        known = ~batch["stress"][:, 0, 0].isnan()
        if known.any():
            loss = loss + training["stress_weight"] * stress[known].square().mean()
    return loss, (1000 * float(energy.detach()) ** 0.5, float(force.detach()) ** 0.5)


def _finished(state: dict, training: dict) -> str:
    """Why training ends, or nothing."""
    if state["epoch"] >= training["max_epochs"]:
        return f"{training['max_epochs']} epochs done"
    if state["epoch"] - state["best_epoch"] >= training.get("patience", math.inf):
        return f"no better validation loss in {training['patience']} epochs"
    return ""
