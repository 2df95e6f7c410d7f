"""Training of SchNet on energies, forces and, if wanted, stresses; exactly resumable.

A plain torch loop over frames that are all in memory, with their pairs placed in the filter tables
once (``minset.model.schnet.tabulated``). The trained network is then compressed for simulations.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from minset.files import read_checkpoint, write_checkpoint, write_csv
from minset.model.offsets import energy_offsets, require_trained, species_energies
from minset.model.record import DESCRIPTION
from minset.model.repulsion import with_floor
from minset.model.schnet import COMPRESSED, COMPRESSION, HISTORY, WEIGHTS
from minset.model.schnet.architecture import build_model, hyper_of, load_model, save_model
from minset.model.schnet.batches import Batches
from minset.model.schnet.compress import CHECK_FRAMES, compress
from minset.model.schnet.tabulated import tabulated_predict

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_SECONDS, REPORT_SECONDS = 15.0, 5.0
HELD = 0.75  # of the epochs, before the learning rate falls
SEGMENTS = 256  # of the filter tables in training: gradients are the network's to 1e-5
COLUMNS = [
    "epoch",
    "train_loss",
    "validation_loss",
    "validation_energy_rmse_meV_atom",
    "validation_force_rmse_eV_A",
    "learning_rate",
    "seconds",
]


def train_schnet(
    train: list[Atoms],
    validation: list[Atoms],
    settings: dict,
    training: dict,
    seed: int,
    folder: Path,
    threads: int,
    provenance: dict,
) -> dict:
    """Train and compress one model, or go on with what a kill interrupted or an error ended.

    Parameters
    ----------
    train, validation, settings, training, seed, threads, provenance
        As of ``train_network``.
    folder
        Gets ``model.pt``, ``model.json``, ``history.csv``, ``compressed.npz`` and ``compression.csv``;
        holds ``checkpoint.pt`` on the way. A network trained there is not trained again.

    Returns
    -------
    dict
        ``epochs``, ``best_epoch``, ``stopped`` (why).

    Raises
    ------
    ValueError
        As ``train_network``, or if no tables are the same potential as the network, see ``compress``.
    """
    folder = Path(folder)
    if not all((folder / name).exists() for name in (WEIGHTS, DESCRIPTION, HISTORY)):
        train_network(train, validation, settings, training, seed, folder, threads, provenance)
    torch.set_num_threads(threads)
    model, description = load_model(folder)
    check = compress(model, description, train[:CHECK_FRAMES], folder / COMPRESSED)
    write_csv(folder / COMPRESSION, check)
    return {key: description["training"][key] for key in ("epochs", "best_epoch", "stopped")}


def train_network(
    train: list[Atoms],
    validation: list[Atoms],
    settings: dict,
    training: dict,
    seed: int,
    folder: Path,
    threads: int,
    provenance: dict,
) -> dict:
    """Train one network, or go on from its last checkpoint.

    The loss is the sum of mean squared errors of energy per atom, force components and stress
    components, each times its weight. The learning rate is held for ``HELD`` of the epochs and then falls
    to zero as half a cosine, so that the last epochs agree; the best one on the validation set is kept.

    Parameters
    ----------
    train, validation
        Frames with energy, forces and, where it is known, stress, each of any composition.
    settings
        ``size`` and what it overrides, see ``minset.model.schnet.architecture.hyper_of``.
    training
        ``batch_size``, ``learning_rate`` (Adam, of the first epoch), ``max_epochs``, ``energy_weight``,
        ``force_weight``, ``stress_weight``. With ``patience`` the learning rate is halved instead, after
        a third of so many epochs without improvement, and training stops after all of them.
    seed
        Of the initial weights and the order of the frames.
    folder
        Gets ``model.pt``, ``model.json``, ``history.csv``; holds ``checkpoint.pt`` on the way.
    threads
        Of torch, on the processor.
    provenance
        Written into ``model.json`` as it is.

    Returns
    -------
    dict
        ``epochs``, ``best_epoch``, ``stopped`` (why).

    Raises
    ------
    ValueError
        If the loss is no longer finite, or a validation frame has an element that no training frame
        has.
    """
    torch.set_num_threads(threads)
    folder = Path(folder)
    offsets = energy_offsets(train)
    require_trained(offsets, validation)
    hyper = with_floor(hyper_of(settings), [*train, *validation])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options = (offsets, hyper, SEGMENTS, training["stress_weight"] > 0, device)
    batches, checks = Batches(train, *options), Batches(validation, *options)
    fit = _begin(hyper, training, seed, device)
    state = {"epoch": 0, "best": float("inf"), "best_epoch": 0, "history": [], "weights": None}
    if saved := read_checkpoint(folder / CHECKPOINT, vars(fit), "training"):
        state |= saved
        print(f"continuing after epoch {state['epoch']}", flush=True)
    print(_schedule_in_words(training), flush=True)
    written = reported = time.monotonic()
    while not (stopped := _finished(state, training)):
        began = time.monotonic()
        train_loss = _train_epoch(fit, batches, training, [seed, state["epoch"]])
        loss, errors = _validate(fit, checks, training, state["epoch"] + 1)
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
    # forces decide the weights; a constant that energies are off by would stay
    left = species_energies(train, _energies_left(fit.model, batches))
    offsets = {z: energy + left[z] for z, energy in offsets.items()}
    summary = {"epochs": state["epoch"], "best_epoch": state["best_epoch"], "stopped": stopped}
    description = {
        "hyper": hyper,
        "training": training | {"seed": seed} | summary,
        "energy_offsets_eV": {str(z): e for z, e in offsets.items()},
        "units": {"energy": "eV", "length": "A"},
        "provenance": provenance,
    }
    write_csv(folder / HISTORY, pd.DataFrame(state["history"], columns=COLUMNS))
    save_model(folder, fit.model.cpu(), description)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    print(f"stopped: {stopped}; best epoch {state['best_epoch']}", flush=True)
    return summary


@dataclass(frozen=True)
class _Fit:
    """What changes while a network is trained; a checkpoint holds the state of each."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler


def _begin(hyper: dict, training: dict, seed: int, device: torch.device) -> _Fit:
    torch.manual_seed(seed)
    model = build_model(hyper).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=training["learning_rate"])
    return _Fit(model, optimizer, _schedule(optimizer, training))


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


def _train_epoch(fit: _Fit, batches: Batches, training: dict, seed: list[int]) -> float:
    """One pass over all training frames in random order; mean loss of a frame."""
    fit.model.train()
    order = np.random.default_rng(seed).permutation(len(batches.parts))
    losses = []
    for begin in range(0, len(order), training["batch_size"]):
        chosen = order[begin : begin + training["batch_size"]]
        fit.optimizer.zero_grad()
        loss = _loss(fit.model, batches.of(chosen), training)[0]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(fit.model.parameters(), 10.0)
        fit.optimizer.step()
        losses.append(float(loss.detach()) * len(chosen))
    return sum(losses) / len(order)


def _validate(
    fit: _Fit, checks: Batches, training: dict, epoch: int
) -> tuple[float, tuple[float, float]]:
    """Loss, and errors as of ``_loss``, on all validation frames; an error if it is not finite."""
    fit.model.eval()
    with torch.no_grad():
        value, errors = _loss(fit.model, checks.of(np.arange(len(checks.parts))), training)
    value = float(value)
    if not np.isfinite(value):
        raise ValueError(
            f"training diverged in epoch {epoch}; lower training.learning_rate "
            f"({training['learning_rate']:g})"
        )
    return value, errors


def _energies_left(model: torch.nn.Module, batches: Batches) -> np.ndarray:
    """What a trained network leaves of the energies of its training frames in eV, shape (m,)."""
    model.eval()
    left = []
    with torch.no_grad():
        for number in range(len(batches.parts)):
            batch = batches.of(np.array([number]))
            predicted = tabulated_predict(model, SEGMENTS, batch)["energy"]
            left.append(float(batch["energy"] - predicted))
    return np.array(left)


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


def _loss(model, batch: dict, training: dict) -> tuple[torch.Tensor, tuple[float, float]]:
    """Weighted loss, and energy RMSE in meV/atom and force RMSE in eV/A."""
    result = tabulated_predict(model, SEGMENTS, batch)
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
