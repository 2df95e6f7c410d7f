"""Entropy-maximised frames of tungsten, chosen among three times as many, against frames as they come.

    PYTHONPATH=workflow python tests/benchmarks/measure_entropy_surplus.py <pool.h5> <table.csv> [xyz]

The pool is that of study `w-entropy-laptop`, or one of the same kind. `TAKEN` biased frames, at random or
by `entropy_gain` on components of the bispectrum: how far environments of frames that were not to be had
are from theirs, in standard deviations of the unbiased ones. Frames of a file are one more set to cover.
"""

import os

# before numpy is imported
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

import sys
import tempfile
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
from measure_entropy_settings import environments

from minset.observe.coverage_sets import standardised
from minset.observe.distances import nearest_distances, set_row
from minset.pool.store import read_frames, write_pool
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.select.candidates import Candidates

CUTOFF_A = 4.0
TAKEN, SURPLUS, TEST = 64, 192, 48
SEEDS = (1, 2, 3)
OF_FILE = 1000


def gained(frames: list, seed: int) -> list[int]:
    """Numbers of the frames that `entropy_gain` takes."""
    with tempfile.TemporaryDirectory() as work:
        pool, atoms = Path(work) / "pool.h5", Path(work) / "atoms.npy"
        write_pool(pool, frames)
        found = environments(frames, CUTOFF_A).x.reshape(len(frames), -1, 6)
        np.save(atoms, found.astype(np.float32))
        numbers = np.arange(len(frames))
        candidates = Candidates(numbers, None, np.zeros(len(frames)), pool, Path(work), atoms)
        record = SELECTORS["entropy_gain"]
        options = defaults_of(record.options) | {"environments": "descriptors"}
        return record.select(candidates, TAKEN, seed, options)["frame"].tolist()


def main(pool: str, table: str, file: str = "") -> None:
    """Choose, measure and write."""
    frames, rng = read_frames(Path(pool)), np.random.default_rng(1)
    K = np.array([frame.info["K_eV"] for frame in frames])
    kinds = {
        name: [frames[k] for k in rng.permutation(np.flatnonzero(chosen))]
        for name, chosen in (("unbiased", K == 0), ("biased", K > 0))
    }
    surplus = kinds["biased"][:SURPLUS]
    sets = {"unbiased": kinds["unbiased"], "biased": kinds["biased"][SURPLUS:][:TEST]}
    if file:
        given = ase.io.read(file, ":")
        sets["file"] = [given[k] for k in rng.permutation(len(given))[:OF_FILE]]
    sets = {name: environments(some, CUTOFF_A) for name, some in sets.items()}
    rows = []
    for seed in SEEDS:
        drawn = np.random.default_rng(seed).permutation(SURPLUS)[:TAKEN].tolist()
        for name, picks in (("random", drawn), ("entropy_gain", gained(surplus, seed))):
            taken = environments([surplus[k] for k in picks], CUTOFF_A)
            scaled = standardised(sets | {"taken": taken}, "unbiased")
            row = {"selector": name, "seed": seed}
            row["entropy"] = set_row("taken", scaled["taken"])["entropy"]
            for other in sets:
                distances = nearest_distances(scaled["taken"], scaled[other])
                row |= {f"{other}_mean": distances.mean(), f"{other}_median": np.median(distances)}
                row[f"{other}_maximum"] = distances.max()
            rows.append(row)
            print(row, flush=True)
    pd.DataFrame(rows).to_csv(table, index=False, float_format="%.5g")


if __name__ == "__main__":
    main(*sys.argv[1:])
