"""Entropy-maximised frames of tungsten, chosen among three times as many, against frames as they come.

    PYTHONPATH=workflow python tests/benchmarks/measure_entropy_surplus.py <pool.h5> <table.csv> [xyz]

The pool is that of study `w-entropy-laptop`, or one of the same kind. Sets of `TRAIN` biased frames: how
far environments of other sets are from theirs, in standard deviations of the unbiased ones, and errors of
models as in `measure_entropy.py`. Frames of a file are one more set to cover. Writes the table after
each set.
"""

import os

# before numpy and torch are imported
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

import sys
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from measure_entropy import BATCH, EPOCHS, TEST, VALIDATE, kinds_of
from measure_entropy_settings import environments

from minset.model import MODELS
from minset.observe.coverage_sets import standardised
from minset.observe.distances import nearest_distances
from minset.observe.errors import error_row, predictions
from minset.pool.store import write_pool
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.candidates import Candidates
from minset.study import read_study

TRAIN = 64
CUTOFF_A = 4.0
SEEDS = (1, 2, 3)
OF_FILE = 1000  # frames


def gained(frames: list, seed: int) -> list[int]:
    """Numbers of the frames that `entropy_gain` takes, by components of the bispectrum."""
    with tempfile.TemporaryDirectory() as work:
        pool, atoms = Path(work) / "pool.h5", Path(work) / "atoms.npy"
        write_pool(pool, frames)
        found = environments(frames, CUTOFF_A).x.reshape(len(frames), -1, 6)
        np.save(atoms, found.astype(np.float32))
        numbers = np.arange(len(frames))
        candidates = Candidates(numbers, None, np.zeros(len(frames)), pool, Path(work), atoms)
        record = SELECTORS["entropy_gain"]
        options = defaults_of(record.options) | {"environments": "descriptors"}
        return record.select(candidates, TRAIN, seed, options)["frame"].tolist()


def main(pool: str, table: str, file: str = "") -> None:
    """Choose, measure and write."""
    system = read_study("w-entropy-laptop").md_system("w", "zhou")
    kinds = kinds_of(Path(pool), system, 3 * TRAIN)
    sets = {name: frames[-TEST:] for name, frames in kinds.items()}
    if file:
        frames = ase.io.read(file, ":")
        chosen = np.random.default_rng(1).permutation(len(frames))[:OF_FILE]
        sets["file"] = [frames[k] for k in chosen]
    sets = {name: environments(frames, CUTOFF_A) for name, frames in sets.items()}
    biased = kinds["biased"][:-TEST]
    validation, surplus = biased[:VALIDATE], biased[VALIDATE:]
    record, rows = MODELS["acsf"], []
    settings = defaults_of(record.options) | {"repulsion": "floor"}
    training = defaults_of(record.training) | {"max_epochs": EPOCHS, "batch_size": BATCH}
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(len(surplus))[:TRAIN].tolist()
        for name, picks in (("random", order), ("entropy_gain", gained(surplus, seed))):
            train = [surplus[k] for k in picks]
            scaled = standardised(sets | {"train": environments(train, CUTOFF_A)}, "unbiased")
            row = {"selector": name, "seed": seed}
            for other in sets:
                distances = nearest_distances(scaled["train"], scaled[other])
                row |= {f"{other}_mean": distances.mean(), f"{other}_max": distances.max()}
            with tempfile.TemporaryDirectory() as work:
                record.train(train, validation, settings, training, seed, Path(work), 1, {})
                for test, frames in kinds.items():
                    errors = error_row(*predictions(Path(work), frames[-TEST:]))
                    row[f"{test}_force_rmse_eV_A"] = errors["force_rmse_eV_A"]
            rows.append(row)
            pd.DataFrame(rows).to_csv(table, index=False, float_format="%.5g")
            print(row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
