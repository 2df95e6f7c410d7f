"""Tables I of Karabin and Perez at other settings: what the paper leaves open, one at a time.

    PYTHONPATH=workflow python tests/benchmarks/measure_entropy_settings.py <file.csv> [frames]

Tungsten as in study `w-entropy-laptop`. U: unbiased, B: biased environments; distances from those of the
second set to the nearest of the first, 6000 and 3000 of them, fewer where a set is small (`B_B`), with
unit variance in U. Writes the table after each setting.
"""

import os

# before numpy is imported
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from minset.descriptor.bispectrum import bispectrum, weights_of
from minset.observe.coverage_sets import Environments, standardised
from minset.observe.distances import distance_rows, set_row
from minset.pool.entropy import plan
from minset.pool.entropy_cycles import run_cycles
from minset.study import read_study

UNBIASED_FRAMES = 240
SETTINGS = [
    {},
    {"K_eV": 300.0},
    {"K_eV": 100.0},
    {"ramp_ps": 0.1},
    {"cutoff_A": 3.5},
    {"cutoff_A": 4.73},
    {"scale": "none"},
]
SPLITS = {"splits": 10, "training_environments": 6000, "testing_environments": 3000, "seed": 1}


def environments(frames: list, cutoff_A: float) -> Environments:
    """Environments of frames by six components."""
    options = {"cutoff_A": cutoff_A, "twojmax": 3, "components": 6}
    x = [
        bispectrum(f.positions, f.cell[:], weights_of(f.symbols, {"W": 1.0}), options)
        for f in frames
    ]
    numbers = np.concatenate([f.numbers for f in frames])
    of = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    return Environments(np.concatenate(x), numbers, of)


def main(path: str, frames: str = "160") -> None:
    """Sample, measure and write."""
    study = read_study("w-entropy-laptop")
    system, pool = study.md_system("w"), study.settings["pool"]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        free = plan(pool | {"K_eV": [0.0], "frames": UNBIASED_FRAMES})[0]
        (Path(folder) / "unbiased").mkdir()
        unbiased = run_cycles(system, free, Path(folder) / "unbiased").frames
        for number, setting in enumerate(SETTINGS):
            usual = {"K_eV": 1000.0} | setting
            run = plan(pool | usual | {"K_eV": [usual["K_eV"]], "frames": int(frames)})[0]
            work = Path(folder) / str(number)
            work.mkdir()
            began = time.process_time()
            biased = run_cycles(system, run, work).frames
            seconds = (time.process_time() - began) / int(frames)
            sets = {
                "U": environments(unbiased, run["cutoff_A"]),
                "B": environments(biased, run["cutoff_A"]),
            }
            sets = standardised(sets, "U")
            row = {key: run[key] for key in ("K_eV", "ramp_ps", "cutoff_A", "scale")}
            row |= {"refused": int(frames) - len(biased), "seconds": seconds}
            for name in sets:
                row[f"entropy_{name}"] = set_row(name, sets[name])["entropy"]
            for a, b in (("U", "U"), ("U", "B"), ("B", "U"), ("B", "B")):
                distances, _ = distance_rows(a, b, sets, SPLITS)
                row |= {f"{a}_{b}_{key}": distances[key] for key in ("mean", "median", "maximum")}
            rows.append(row)
            pd.DataFrame(rows).to_csv(path, index=False, float_format="%.4g")
            print(row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
