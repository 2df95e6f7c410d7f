"""Training of SchNet on energies, forces and, if wanted, stresses; exactly resumable.

A plain torch loop over frames that are all in memory, with their pairs placed in the filter tables
once (``minset.model.schnet.tabulated``).
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from minset.files import read_checkpoint, write_checkpoint, write_csv
from minset.model.schnet.architecture import build_model, hyper_of, save_model
from minset.model.schnet.batches import Batches
from minset.model.schnet.tabulated import tabulated_predict

CHECKPOINT, HISTORY = "checkpoint.pt", "history.csv"
CHECKPOINT_SECONDS = 15.0
SEGMENTS = 256  # of the filter tables in training: gradients are the network's to 1e-5


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
    """Train one model, or go on with the training that a kill interrupted.

    The loss is the sum of mean squared errors of energy per atom, force components and stress
    components, each times its weight. The best epoch on the validation set is kept.

    Parameters
    ----------
    train, validation
        Frames with energy, forces and (if its weight is not zero) stress.
    settings
        ``size`` and what it overrides, see ``minset.model.schnet.architecture.hyper_of``.
    training
        ``batch_size``, ``learning_rate`` (Adam), ``max_epochs``, ``patience`` (epochs without
        improvement after which training stops; the learning rate is halved at a third of it),
        ``energy_weight``, ``force_weight``, ``stress_weight``.
    seed
        Of the initial weights and the order of the frames.
    folder
        Gets ``model.pt``, ``model.json``, ``history.csv``; holds ``checkpoint.pt`` on the way.
    provenance
        Written into ``model.json`` as it is.

    Returns
    -------
    dict
        ``epochs``, ``best_epoch``, ``stopped`` (why).

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    torch.set_num_threads(threads)
    folder = Path(folder)
    hyper = hyper_of(settings)
    offsets = energy_offsets(train)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    options = (offsets, hyper, SEGMENTS, training["stress_weight"] > 0, device)
    batches, checks = Batches(train, *options), Batches(validation, *options)
    torch.manual_seed(seed)
    model = build_model(hyper).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=training["learning_rate"])
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=max(1, training["patience"] // 3)
    )
    state = {"epoch": 0, "best": float("inf"), "best_epoch": 0, "history": [], "weights": None}
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    if saved := read_checkpoint(folder / CHECKPOINT, parts, "training"):
        state |= saved
        print(f"continuing after epoch {state['epoch']}", flush=True)
    written = reported = time.monotonic()
    stopped = ""
    while not (stopped := _finished(state, training)):
        began = time.monotonic()
        model.train()
        order = np.random.default_rng([seed, state["epoch"]]).permutation(len(train))
        losses = []
        for begin in range(0, len(order), training["batch_size"]):
            chosen = order[begin : begin + training["batch_size"]]
            optimizer.zero_grad()
            loss = _loss(model, batches.of(chosen), training)[0]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            losses.append(float(loss.detach()) * len(chosen))
        model.eval()
        with torch.no_grad():
            value, errors = _loss(model, checks.of(np.arange(len(validation))), training)
        value = float(value)
        if not np.isfinite(value):
            raise ValueError(
                f"training diverged in epoch {state['epoch'] + 1}; lower training.learning_rate "
                f"({training['learning_rate']:g})"
            )
        rate = optimizer.param_groups[0]["lr"]
        scheduler.step(value)
        state["epoch"] += 1
        if value < state["best"]:
            weights = {k: v.clone() for k, v in model.state_dict().items()}
            state |= {"best": value, "best_epoch": state["epoch"], "weights": weights}
        seconds = time.monotonic() - began
        row = [state["epoch"], sum(losses) / len(order), value, *errors, rate, seconds]
        state["history"].append(row)
        if time.monotonic() - written > CHECKPOINT_SECONDS:
            write_checkpoint(folder / CHECKPOINT, state, parts)
            written = time.monotonic()
        if time.monotonic() - reported > 5 or state["epoch"] in (1, training["max_epochs"]):
            reported = time.monotonic()
            print(
                f"epoch {row[0]}: training loss {row[1]:.3e}, validation {value:.3e}, energy RMSE "
                f"{errors[0]:.2f} meV/atom, force RMSE {errors[1]:.4f} eV/A, {seconds:.2f} s",
                flush=True,
            )
    model.load_state_dict(state["weights"])
    summary = {"epochs": state["epoch"], "best_epoch": state["best_epoch"], "stopped": stopped}
    columns = [
        "epoch",
        "train_loss",
        "validation_loss",
        "validation_energy_rmse_meV_atom",
        "validation_force_rmse_eV_A",
        "learning_rate",
        "seconds",
    ]
    write_csv(folder / HISTORY, pd.DataFrame(state["history"], columns=columns))
    description = {
        "hyper": hyper,
        "training": training | {"seed": seed} | summary,
        "energy_offsets_eV": {str(z): e for z, e in offsets.items()},
        "units": {"energy": "eV", "length": "A"},
        "provenance": provenance,
    }
    save_model(folder, model.cpu(), description)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    print(f"stopped: {stopped}; best epoch {state['best_epoch']}", flush=True)
    return summary


def energy_offsets(frames: list[Atoms]) -> dict[int, float]:
    """Energy per atom of each species, least squares over frames (eV, by atomic number).

    With one composition only the sum is determined; the smallest offsets are taken.
    """
    species = sorted({int(z) for f in frames for z in f.numbers})
    counts = np.array([[np.sum(f.numbers == z) for z in species] for f in frames], dtype=float)
    energies = np.array([f.get_potential_energy() for f in frames])
    solution = np.linalg.lstsq(counts, energies, rcond=None)[0]
    return dict(zip(species, solution.tolist(), strict=True))


def _loss(model, batch: dict, training: dict) -> tuple[torch.Tensor, tuple[float, float]]:
    """Weighted loss, and energy RMSE in meV/atom and force RMSE in eV/A."""
    result = tabulated_predict(model, SEGMENTS, batch)
    energy = ((result["energy"] - batch["energy"]) / batch["atoms"]).square().mean()
    force = (result["forces"] - batch["forces"]).square().mean()
    loss = training["energy_weight"] * energy + training["force_weight"] * force
    if training["stress_weight"] > 0:
        stress = result["virial"] / batch["volume"][:, None, None] - batch["stress"]
        loss = loss + training["stress_weight"] * stress.square().mean()
    return loss, (1000 * float(energy.detach()) ** 0.5, float(force.detach()) ** 0.5)


def _finished(state: dict, training: dict) -> str:
    if state["epoch"] >= training["max_epochs"]:
        return f"{training['max_epochs']} epochs done"
    if state["epoch"] - state["best_epoch"] >= training["patience"]:
        return f"no better validation loss in {training['patience']} epochs"
    return ""
