"""Models of tungsten from entropy-maximised frames, from unbiased ones and from a melt, on each other.

    PYTHONPATH=workflow python tests/benchmarks/measure_entropy.py <pool.h5> <table.csv> [seed ...]

The pool is that of study `w-entropy-laptop`, whose first runs are unbiased. Labels are of the system's
embedded-atom potential. Training sets have as many frames of about as many atoms; they are tested on
frames of every kind that none was trained on. Writes the table after each model.
"""

import os

# before numpy and torch are imported
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from minset.model import MODELS
from minset.observe.errors import error_row, predictions
from minset.pool.npt import run_npt
from minset.pool.npt_ramp import plan
from minset.pool.store import read_frames
from minset.potential.forces import single_point
from minset.registry import defaults_of
from minset.study import read_study

TRAIN, VALIDATE, TEST = 96, 8, 40
EPOCHS, BATCH = 40, 2
# temperatures in K of the melts, and the density at which they start
MELT = {"temperature_K": [7000, 5500], "density_g_cm3": 9.0}
LATTICE_A = 3.165
DISPLACED_A, STRAINED = (0.02, 0.12), 0.03


def labelled(frames: list[Atoms], system: dict) -> list[Atoms]:
    """The frames with energy, forces and stress of the potential."""
    done = []
    for frame in frames:
        point = single_point(system, frame)
        copy = Atoms(frame.symbols, frame.positions, cell=frame.cell, pbc=True)
        copy.calc = SinglePointCalculator(
            copy,
            energy=point.energy_eV,
            forces=point.forces_eV_A,
            stress=point.stress_eV_A3,
        )
        done.append(copy)
    return done


def melts(system: dict, count: int) -> list[Atoms]:
    """Frames of a melt along a temperature ramp."""
    ramp = {"temperature_K": MELT["temperature_K"], "pressure_bar": 1.0, "seed": 1}
    ramp |= {"ions": 39, "timestep_fs": 2.0, "equilibration_ps": 5.0, "frames": count}
    (run,) = plan(ramp | {"duration_ps": count * 0.2})
    with tempfile.TemporaryDirectory() as folder:
        sampled = run_npt(
            system, run | {"density_g_cm3": MELT["density_g_cm3"]}, Path(folder) / "npt"
        )
    print(f"melt: {len(sampled.frames)} frames. {sampled.note}")
    return sampled.frames


def disturbed(make, count: int, seed: int) -> list[Atoms]:
    """Frames of a structure, strained and with atoms off their sites."""
    rng, frames = np.random.default_rng(seed), []
    for _ in range(count):
        frame = make()
        frame.set_cell(frame.cell * (1 + rng.uniform(-STRAINED, STRAINED)), scale_atoms=True)
        frame.positions += rng.uniform(*DISPLACED_A) * rng.normal(size=frame.positions.shape)
        frames.append(frame)
    return frames


def crystal() -> Atoms:
    """54 atoms of bcc."""
    return bulk("W", "bcc", a=LATTICE_A, cubic=True) * 3


def vacancy() -> Atoms:
    """The crystal without one of its atoms."""
    frame = crystal()
    del frame[0]
    return frame


def surface() -> Atoms:
    """Eight layers of bcc with two free (100) faces."""
    frame = bulk("W", "bcc", a=LATTICE_A, cubic=True) * (2, 2, 4)
    frame.cell[2, 2] += 10.0
    return frame


def kinds_of(pool: Path, system: dict) -> dict[str, list[Atoms]]:
    """Labelled frames of each kind, in random order."""
    frames, rng = read_frames(pool), np.random.default_rng(1)
    K = np.array([frame.info["K_eV"] for frame in frames])
    count = 2 * TRAIN + VALIDATE + TEST
    chosen = {
        name: [frames[k] for k in rng.permutation(np.flatnonzero(K == value))[:count]]
        for name, value in (("biased", 1000), ("unbiased", 0))
    }
    melt = melts(system, count)
    chosen["melt"] = [melt[k] for k in rng.permutation(len(melt))]
    made = {name: labelled(some, system) for name, some in chosen.items()}
    for seed, make in enumerate((crystal, vacancy, surface)):
        made[make.__name__] = labelled(disturbed(make, TEST, seed), system)
    return made


def training_sets(kinds: dict, seed: int) -> dict[str, tuple[list[Atoms], list[Atoms]]]:
    """Training and validation frames, none of them among the last ones, which are the test's."""
    rng = np.random.default_rng([seed, 1])
    free = {name: kinds[name][:-TEST] for name in ("biased", "unbiased", "melt")}
    sources = {name: [name] for name in free} | {"biased and melt": ["biased", "melt"]}
    sets = {}
    for name, of in sources.items():
        each = (TRAIN + VALIDATE) // len(of)
        picked = [free[k][i] for k in of for i in rng.permutation(len(free[k]))[:each]]
        picked = [picked[i] for i in rng.permutation(len(picked))]
        sets[name] = picked[VALIDATE:], picked[:VALIDATE]
    return sets


def main(pool: str, table: str, *seeds: str) -> None:
    """Measure and write the table, seed by seed."""
    study = read_study("w-entropy-laptop")
    system = study.md_system("w", "zhou")
    kinds = kinds_of(Path(pool), system)
    for name, frames in kinds.items():
        forces = np.concatenate([frame.get_forces().ravel() for frame in frames])
        print(f"{name}: {len(frames)} frames, forces of {forces.std():.2f} eV/A", flush=True)
    record, rows = MODELS["acsf"], []
    settings = defaults_of(record.options) | {"repulsion": "floor"}
    training = defaults_of(record.training) | {"max_epochs": EPOCHS, "batch_size": BATCH}
    for seed in map(int, seeds or "123"):
        for name, (train, validation) in training_sets(kinds, seed).items():
            began = time.process_time()
            with tempfile.TemporaryDirectory() as work:
                record.train(train, validation, settings, training, seed, Path(work), 1, {})
                seconds = time.process_time() - began
                for test, frames in kinds.items():
                    errors = error_row(*predictions(Path(work), frames[-TEST:]))
                    row = {"training": name, "testing": test, "seed": seed, "training_s": seconds}
                    rows.append(row | errors)
            print(f"{name}, seed {seed}: {seconds:.0f} s", flush=True)
            pd.DataFrame(rows).to_csv(table, index=False, float_format="%.5g")


if __name__ == "__main__":
    main(*sys.argv[1:])
