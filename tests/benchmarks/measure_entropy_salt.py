"""How many frames until the right density: an entropy pool of NaCl against a ramp of Tosi and Fumi's.

    PYTHONPATH=workflow:scripts python tests/benchmarks/measure_entropy_salt.py <pool.h5> <table.csv>

The pool is that of study `nacl-entropy-laptop`, and so are labels, models and the simulation, which each
model begins from a frame of its own pool. The ramp has frames of as many ions, from 1700 to 1100 K at
1 bar. Forces are tested on frames of both pools. Writes the table after each model; its first row is
the labels' own potential, four times as long.
"""

import os

# before numpy and torch are imported
os.environ |= {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}

import json
import sys
import tempfile
import time
from pathlib import Path

import ase.io
import numpy as np
import pandas as pd
import simulate
import train
from measure_entropy import labelled

from minset.contacts import shortest_distances_of
from minset.dataset import write_dataset
from minset.md.start import start_from_pool
from minset.observe.density import observe_density
from minset.observe.errors import error_row, predictions
from minset.pool.npt import run_npt
from minset.pool.npt_ramp import plan
from minset.pool.store import read_frames, write_pool
from minset.study import Study, read_study

STUDY, SYSTEM, POTENTIAL, SIMULATION = "nacl-entropy-laptop", "nacl", "bmhtf", "npt_1200K"
# kinds of models and sizes of their training sets
MODELS = (("charges", 48), ("small", 48), ("charges", 192), ("small", 192))
VALIDATE, TEST = 8, 40
LONGER = 4  # the potential's own run
RAMP = {"temperature_K": [1700, 1100], "pressure_bar": 1.0, "density_g_cm3": 1.3, "seed": 1}
RAMP |= {"ions": 32, "timestep_fs": 2.0, "equilibration_ps": 10.0, "duration_ps": 90.0}


def pools_of(entropy: Path, system: dict, folder: Path) -> dict[str, Path]:
    """Files of the two pools, of as many frames."""
    count = len(read_frames(entropy))
    ramp = {key: value for key, value in RAMP.items() if key != "density_g_cm3"}
    (run,) = plan(ramp | {"frames": count})
    sampled = run_npt(system, run | {"density_g_cm3": RAMP["density_g_cm3"]}, folder / "npt")
    print(f"ramp: {len(sampled.frames)} frames. {sampled.note}")
    write_pool(folder / "ramp.h5", sampled.frames)
    return {"ramp": folder / "ramp.h5", "entropy": entropy}


def prepared(name: str, pool: Path, system: dict, folder: Path) -> list:
    """Labelled frames of a pool in random order; its shortest distances and its start are written."""
    frames = read_frames(pool)
    shortest = shortest_distances_of(frames)
    table = pd.DataFrame(shortest.items(), columns=["pair", "shortest_A"])
    table.to_csv(folder / f"{name}.csv", index=False)
    ase.io.write(folder / f"{name}.extxyz", start_from_pool(system, pool, RAMP["ions"], 1.3))
    order = np.random.default_rng(1).permutation(len(frames))
    done = labelled([frames[k] for k in order], system)
    forces = np.concatenate([frame.get_forces().ravel() for frame in done])
    print(f"{name}: {len(done)} frames, forces of {forces.std():.2f} eV/A", flush=True)
    return done


def density_row(folder: Path, start: Path, system: dict, settings: dict, **model) -> dict:
    """Density of one run, or where it broke."""
    folder.mkdir()
    files = [folder / name for name in ("trajectory.lammpstrj", "thermo.csv", "verdict.json")]
    simulate.main(start, *files, system, settings, **model)
    verdict = json.loads(files[2].read_text())
    source = {"thermo": files[1], "verdict": verdict}
    table = observe_density(source, system, settings)["density"]
    row = {"stable": verdict["stable"], "reached_ps": verdict["reached_ps"]}
    return row | (table.iloc[0].to_dict() if len(table) else {})


def model_row(
    study: Study, source: str, name: str, frames: dict, tests: dict, folder: Path
) -> dict:
    """One model: its errors on frames of both pools, and its density."""
    folder.mkdir()
    for part, some in frames.items():
        write_dataset(folder / f"{part}.extxyz", some)
    files = {f"file{k}": folder / "model" / f for k, f in enumerate(study.model(name).files)}
    (folder / "model").mkdir()
    began = time.process_time()
    datasets = (folder / "train.extxyz", folder / "validation.extxyz")
    train.main(*datasets, **study.training(SYSTEM, name), **files)
    row = {"training_s": time.process_time() - began}
    for test, some in tests.items():
        errors = error_row(*predictions(folder / "model", some))
        row |= {f"{test}_{key}": errors[key] for key in ("force_rmse_eV_A", "energy_rmse_meV_atom")}
    made = {"model": [*files.values()], "contacts": [folder.parent / f"{source}.csv"]}
    system, settings = study.engine_system(SYSTEM, name), study.simulation(SIMULATION)
    start = folder.parent / f"{source}.extxyz"
    return row | density_row(folder / SIMULATION, start, system, settings, **made)


def main(pool: str, table: str, *seeds: str) -> None:
    """Measure and write the table, seed by seed."""
    study = read_study(STUDY)
    system, settings = study.md_system(SYSTEM, POTENTIAL), study.simulation(SIMULATION)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        pools = pools_of(Path(pool), system, folder)
        frames = {name: prepared(name, path, system, folder) for name, path in pools.items()}
        tests = {name: some[-TEST:] for name, some in frames.items()}
        longer = settings | {"duration_ps": LONGER * settings["duration_ps"]}
        row = density_row(folder / POTENTIAL, folder / "ramp.extxyz", system, longer)
        rows = [{"pool": "", "model": POTENTIAL} | row]
        for seed in map(int, seeds or "123"):
            for model, size in MODELS:
                for source, some in frames.items():
                    order = np.random.default_rng([seed, 1]).permutation(len(some) - TEST)
                    picked = [some[k] for k in order[: size + VALIDATE]]
                    parts = {"validation": picked[:VALIDATE], "train": picked[VALIDATE:]}
                    name = f"random-n{size}-s{seed}-{model}"
                    here = folder / f"{source}-{name}"
                    row = {"pool": source, "model": model, "size": size, "seed": seed}
                    rows.append(row | model_row(study, source, name, parts, tests, here))
                    pd.DataFrame(rows).to_csv(table, index=False, float_format="%.5g")
                    print(rows[-1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
