"""Test a model on frames that no selection saw."""

from pathlib import Path

import pandas as pd
import torch

from minset.analyse.errors import error_row, predictions
from minset.dataset import read_dataset
from minset.files import write_csv
from minset.model.architecture import load_model


def main(test, weights, description, forces, energies, errors, threads: int = 1) -> None:
    """Write predictions beside labels, and their errors."""
    torch.set_num_threads(threads)
    model, about = load_model(Path(weights).parent)
    force_table, energy_table = predictions(model, about, read_dataset(test))
    write_csv(forces, force_table)
    write_csv(energies, energy_table)
    write_csv(errors, pd.DataFrame([error_row(force_table, energy_table)]))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
