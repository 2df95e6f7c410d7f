"""Descriptors: frames per second of an untrained representation, neighbour lists included.

Run by bench.py. Both average the per-atom features of the same representation over the atoms of each
species, sixteen frames at a time.
"""

import contextlib
import io
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from frames import POOL_FRAMES, POOL_IONS, SEED, database, hyper_parameters, pool, spk
from measure import append_rows, interleaved, missing, seconds_of, spread

from minset.descriptor.representation import frames_described
from minset.model.schnet.architecture import build_representation
from minset.pool.store import read_frames

BATCH = 16
AGREEMENT = 1e-4  # of descriptors of order one


def schnetpack_descriptors(work: Path, hyper: dict) -> Callable[[], np.ndarray]:
    """schnetpack's data set, loader and representation, as its own scripts join them."""
    path = database(work / "descriptors.db", read_frames(pool(work)))
    torch.manual_seed(SEED)
    representation = build_representation(hyper).eval()
    distances = spk.atomistic.PairwiseDistances()

    def descriptors() -> np.ndarray:
        data = spk.data.ASEAtomsData(
            str(path),
            load_properties=[],
            transforms=[
                spk.transform.MatScipyNeighborList(cutoff=hyper["cutoff_A"]),
                spk.transform.CastTo32(),
            ],
        )
        rows = []
        with torch.no_grad():
            for batch in spk.data.AtomsLoader(data, batch_size=BATCH):
                features = representation(distances(batch))["scalar_representation"]
                atoms = features.reshape(len(batch["_n_atoms"]), POOL_IONS, -1)
                z = batch["_atomic_numbers"][:POOL_IONS]
                means = [atoms[:, z == species].mean(dim=1) for species in z.unique()]
                rows.append(torch.cat(means, dim=1).numpy())
        return np.concatenate(rows)

    return descriptors


def minset_descriptors(work: Path, hyper: dict) -> Callable[[], np.ndarray]:
    """minset's descriptors, from its pool file."""
    threads = torch.get_num_threads()

    def descriptors() -> np.ndarray:
        with contextlib.redirect_stdout(io.StringIO()):
            return frames_described(pool(work), hyper, SEED, threads, BATCH)

    return descriptors


CONTESTANTS = {"schnetpack": schnetpack_descriptors, "minset": minset_descriptors}


def measure(work: Path, size: str, names: list[str], budget_s: float) -> dict[str, dict]:
    """Columns of the table for each contestant: agreement and speed.

    Raises
    ------
    RuntimeError
        If the descriptors differ by more than rounding.
    """
    hyper = hyper_parameters(size)
    built = {name: make(work, hyper) for name, make in CONTESTANTS.items()}
    arrays = {name: descriptors() for name, descriptors in built.items()}
    difference = float(np.abs(arrays["minset"] - arrays["schnetpack"]).max())
    if not difference <= AGREEMENT:
        raise RuntimeError(f"descriptors differ by {difference:.1e}")
    runs = {name: partial(seconds_of, built[name]) for name in names}
    return {
        name: spread([POOL_FRAMES / s for s in seconds], "frames_per_s")
        | {"repetitions": len(seconds), "largest_difference": float(f"{difference:.2g}")}
        for name, seconds in interleaved(runs, budget_s).items()
    }


def main(plan: dict) -> None:
    """Measure what the plan asks for and has no rows yet."""
    table, threads = Path(plan["results"]) / "descriptors.csv", plan["threads"]
    torch.set_num_threads(threads)
    for size in plan["models"]:
        key = {"model": size, "frames": POOL_FRAMES, "ions": POOL_IONS, "threads": threads}
        names = missing(table, list(CONTESTANTS), **key)
        if not names:
            continue
        print(f"descriptors, {size} model, {threads} thread{'s' * (threads > 1)}", flush=True)
        columns = measure(Path(plan["work"]), size, names, 2 * plan["budget_s"])
        append_rows(table, [{"contestant": n, **key, **columns[n]} for n in names])
        for name in names:
            c = columns[name]
            print(
                f"    {name:18s} {c['frames_per_s']:9.4g} frames/s; {c['repetitions']} repetitions; "
                f"descriptors within {c['largest_difference']:.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
