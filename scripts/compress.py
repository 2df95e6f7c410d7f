"""Compress a trained model for simulations."""

from pathlib import Path

import torch

from minset.dataset import read_dataset
from minset.files import write_csv
from minset.model.schnet.architecture import load_model
from minset.model.schnet.compress import compress

CHECK_FRAMES = 16


def main(train, weights, description, compressed, check, threads: int = 1) -> None:
    """Write tabulated filters, checked on some of the training frames."""
    torch.set_num_threads(threads)
    model, about = load_model(Path(weights).parent)
    frames = read_dataset(train)
    write_csv(check, compress(model, about, frames[:CHECK_FRAMES], compressed))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
