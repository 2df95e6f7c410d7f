"""Training: time per epoch of schnetpack's Lightning trainer and of minset's loop; loss curves.

Run by bench.py. Both train the same network from the same weights on the same frames with the same
loss, 0.01 (E - E')^2 + 0.99 mean (F - F')^2, the weights of schnetpack's own example for forces.
"""

import contextlib
import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
import torchmetrics
from ase import Atoms
from frames import POOL_IONS, SEED, database, hyper_parameters, pool, schnetpack_model, spk
from measure import append_rows, denormals_flushed, interleaved, missing, spread, with_threads

from minset.model.schnet import HISTORY
from minset.model.schnet.architecture import build_model
from minset.model.schnet.train import train_network
from minset.pool.store import read_frames

TRAIN_FRAMES, BATCH, LEARNING_RATE = 32, 4, 1e-3
ENERGY_WEIGHT, FORCE_WEIGHT = 0.01, 0.99
ROUND_EPOCHS = 4  # of each turn, of which the first is not counted
CURVE_COLUMNS = ["epoch", "seconds", "energy_rmse_meV_atom", "force_rmse_eV_A"]


class _Clock(pl.Callback):
    """Times epochs of a Lightning trainer and keeps what it finds on the validation frames."""

    def __init__(self):
        self.training_s, self.rows = [], []

    def on_train_start(self, trainer, task):
        self.began = time.perf_counter()

    def on_train_epoch_start(self, trainer, task):
        self.epoch_began = time.perf_counter()

    def on_train_batch_end(self, trainer, task, outputs, batch, batch_idx):
        self.batches_done = time.perf_counter()

    def on_train_epoch_end(self, trainer, task):
        # validation lies between the last batch and here
        self.training_s.append(self.batches_done - self.epoch_began)
        found = {k: float(v) for k, v in trainer.callback_metrics.items()}
        self.rows.append(
            [
                trainer.current_epoch + 1,
                time.perf_counter() - self.began,
                1000 * found["val_energy_rmse"] / POOL_IONS,
                found["val_forces_rmse"],
            ]
        )


def spktrain(
    size: str, train: list[Atoms], validation: list[Atoms], epochs: int, work: Path
) -> tuple[list[float], pd.DataFrame]:
    """What schnetpack's command ``spktrain`` builds for energies and forces, with its defaults.

    Left out are the logger with its monitor of the learning rate, the progress bar, and the eight
    worker processes of its loader, which cost more than they save on so few frames.

    Returns
    -------
    seconds, curve
        Per epoch, without validation; and what it finds on the validation frames.
    """
    pl.seed_everything(SEED, verbose=False)
    hyper = hyper_parameters(size)
    path = database(work / "training.db", train + validation)
    indices = np.arange(len(train) + len(validation))
    split = {"train_idx": indices[: len(train)], "val_idx": indices[len(train) :]}
    np.savez(work / "split.npz", **split, test_idx=indices[:0])
    data = spk.data.AtomsDataModule(
        str(path),
        batch_size=BATCH,
        num_train=len(train),
        num_val=len(validation),
        split_file=str(work / "split.npz"),
        transforms=[
            spk.transform.SubtractCenterOfMass(),
            spk.transform.RemoveOffsets("energy", remove_mean=True),
            spk.transform.MatScipyNeighborList(cutoff=hyper["cutoff_A"]),
            spk.transform.CastTo32(),
        ],
        num_workers=0,
        pin_memory=False,
    )
    torch.manual_seed(SEED)
    model = schnetpack_model(
        hyper,
        build_model(hyper),
        postprocessors=[
            spk.transform.CastTo64(),
            spk.transform.AddOffsets("energy", add_mean=True),
        ],
    )
    task = spk.AtomisticTask(
        model,
        outputs=[_output("energy", ENERGY_WEIGHT), _output("forces", FORCE_WEIGHT)],
        optimizer_cls=torch.optim.AdamW,
        optimizer_args={"lr": LEARNING_RATE, "weight_decay": 0.0},
        # schnetpack's own hands the newest torch an argument it no longer has; without smoothing,
        # its default, it is this one
        scheduler_cls=torch.optim.lr_scheduler.ReduceLROnPlateau,
        scheduler_args={
            "mode": "min",
            "factor": 0.5,
            "patience": 75,
            "threshold": 0.0,
            "cooldown": 10,
        },
        scheduler_monitor="val_loss",
    )
    clock = _Clock()
    checkpoint = spk.train.ModelCheckpoint(
        model_path=str(work / "best_model"),
        monitor="val_loss",
        save_top_k=1,
        save_last=True,
        dirpath=str(work / "checkpoints"),
        filename="{epoch:02d}",
    )
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=[
            checkpoint,
            pl.callbacks.EarlyStopping("val_loss", patience=200, check_on_train_epoch_end=False),
            spk.train.ExponentialMovingAverage(decay=0.995),
            clock,
        ],
        num_sanity_val_steps=0,
        inference_mode=False,
        log_every_n_steps=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=str(work),
    )
    with contextlib.chdir(work):  # schnetpack leaves a lock where it is
        trainer.fit(task, datamodule=data)
    return clock.training_s, pd.DataFrame(clock.rows, columns=CURVE_COLUMNS)


def _output(name: str, weight: float) -> spk.task.ModelOutput:
    return spk.task.ModelOutput(
        name=name,
        loss_fn=torch.nn.MSELoss(),
        loss_weight=weight,
        metrics={
            "mae": torchmetrics.regression.MeanAbsoluteError(),
            "rmse": torchmetrics.regression.MeanSquaredError(squared=False),
        },
    )


def minset_train(
    size: str, train: list[Atoms], validation: list[Atoms], epochs: int, work: Path
) -> tuple[list[float], pd.DataFrame]:
    """minset's training; its seconds per epoch contain the validation."""
    training = {
        "batch_size": BATCH,
        "learning_rate": LEARNING_RATE,
        "max_epochs": epochs,
        "patience": 225,  # halves the learning rate at a third of it, schnetpack's 75
        "energy_weight": ENERGY_WEIGHT * POOL_IONS**2,  # of the energy per atom
        "force_weight": FORCE_WEIGHT,
        "stress_weight": 0.0,
    }
    settings = {"size": size, "repulsion": "none"}
    with contextlib.redirect_stdout(io.StringIO()):
        threads = torch.get_num_threads()
        train_network(train, validation, settings, training, SEED, work, threads, {})
    history = pd.read_csv(work / HISTORY)
    curve = pd.DataFrame(
        {
            "epoch": history["epoch"],
            "seconds": history["seconds"].cumsum(),
            "energy_rmse_meV_atom": history["validation_energy_rmse_meV_atom"],
            "force_rmse_eV_A": history["validation_force_rmse_eV_A"],
        }
    )
    return list(history["seconds"]), curve


def spktrain_flushed(*arguments) -> tuple[list[float], pd.DataFrame]:
    """The same with denormal numbers flushed."""
    with denormals_flushed():
        return spktrain(*arguments)


CONTESTANTS = {"spktrain": spktrain, "spktrain, flushed": spktrain_flushed, "minset": minset_train}
CURVES = ["spktrain", "minset"]  # flushing changes no loss


def run_aside(train: Callable, *arguments):
    """Call a contestant with a folder of its own, removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        return train(*arguments, Path(folder))


def measure(size: str, frames: list[Atoms], names: list[str], budget_s: float) -> dict[str, dict]:
    """Columns of the table for each contestant."""
    epochs = {name: [] for name in names}

    def turn(name: str) -> float:
        # one validation frame: next to nothing beside the training frames
        train, validation = frames[1 : 1 + TRAIN_FRAMES], frames[:1]
        seconds, _ = run_aside(CONTESTANTS[name], size, train, validation, ROUND_EPOCHS)
        epochs[name] += seconds[1:]
        return sum(seconds)

    interleaved({name: lambda name=name: turn(name) for name in names}, budget_s)
    return {
        name: spread(seconds, "epoch_s") | {"epochs": len(seconds)}
        for name, seconds in epochs.items()
    }


def curves(plan: dict, frames: list[Atoms]) -> None:
    """Loss curves of both on eight validation frames, for the medium model."""
    path = Path(plan["results"]) / "curves.csv"
    for name in missing(path, CURVES, epoch=plan["curves"]):
        train, validation = frames[8 : 8 + TRAIN_FRAMES], frames[:8]
        print(f"curve of {name}, {plan['curves']} epochs", flush=True)
        _, curve = run_aside(CONTESTANTS[name], "medium", train, validation, plan["curves"])
        append_rows(path, [{"contestant": name} | row for row in curve.to_dict("records")])
        print(f"    {curve.iloc[-1].to_dict()}", flush=True)


def main(plan: dict) -> None:
    """Measure what the plan asks for and has no rows yet."""
    table, threads = Path(plan["results"]) / "training.csv", plan["threads"]
    torch.set_num_threads(threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # frames from all over the ramp, the same ones for both
    frames = read_frames(pool(Path(plan["work"])))[:: 200 // (TRAIN_FRAMES + 8)]
    for size in plan["models"]:
        key = {"model": size, "frames": TRAIN_FRAMES, "batch": BATCH, "threads": threads}
        names = missing(table, with_threads(list(CONTESTANTS), threads), **key)
        if not names:
            continue
        print(f"training, {size} model, {threads} thread{'s' * (threads > 1)}", flush=True)
        columns = measure(size, frames, names, 5 * plan["budget_s"])
        append_rows(table, [{"contestant": n, **key, **columns[n]} for n in names])
        for name in names:
            c = columns[name]
            print(
                f"    {name:18s} {c['epoch_s']:9.4g} s an epoch; {c['epochs']} epochs", flush=True
            )
    if plan["curves"]:
        curves(plan, frames)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
