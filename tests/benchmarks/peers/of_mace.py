"""MACE, trained from scratch by its own command."""

import sys
from pathlib import Path

from minset.export.datasets import write_ref_extxyz
from peers.environments import run_logged
from peers.in_ase import verlet

PACKAGES = ["mace-torch", "e3nn", "torch"]
MODEL = "model_stagetwo.model"


def train(frames, validation, folder: Path, seed: int, options: dict) -> None:
    """Train by ``mace_run_train``; the model after the second stage is kept."""
    write_ref_extxyz({"train": frames, "validation": validation}, folder)
    given = dict(options)
    epochs = given.pop("steps") * given["batch_size"] // len(frames)
    given |= {
        "name": "model",
        "train_file": folder / "train-ref.extxyz",
        "valid_file": folder / "validation-ref.extxyz",
        "energy_key": "REF_energy",
        "forces_key": "REF_forces",
        "E0s": "average",
        "model": "MACE",
        "max_num_epochs": epochs,
        "start_swa": 3 * epochs // 4,
        "eval_interval": max(epochs // 20, 1),
        "ema_decay": 0.99,
        "default_dtype": "float32",
        "device": "cpu",
        "seed": seed,
        "work_dir": folder,
    }
    words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    command = [sys.executable, "-m", "mace.cli.run_train", *words, "--swa", "--ema", "--amsgrad"]
    run_logged(command, folder)


def calculator(folder: Path):
    """MACE's own calculator."""
    from mace.calculators import MACECalculator

    return MACECalculator(folder / MODEL, device="cpu", default_dtype="float32")


def steps(folder: Path, atoms):
    """MD in ASE."""
    return verlet(calculator(folder), atoms)
