"""Selection: time, memory and coverage of selectors, each in a process of its own.

Run by bench.py. Descriptors and picks are timed apart, as they are two jobs of the workflow.
"""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
from contestants_selection import DESCRIBED_BY, ROWS
from frames import SEED, hyper_parameters, large_pool, pool
from measure import append_rows, interleaved, missing, spread

from minset.pool.store import read_numbers
from minset.select.candidates import standardised

# what would take most of an hour with more: the largest pool that a contestant gets
LARGEST_POOL = {"entropy_gain": 10_000}


def in_a_process(task: dict) -> dict:
    """Result of one step in a new process.

    Raises
    ------
    subprocess.CalledProcessError
        If it failed.
    """
    script = Path(__file__).with_name("contestants_selection.py")
    command = [sys.executable, str(script), json.dumps(task)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def coverage(x: np.ndarray, picks: list[int]) -> np.ndarray:
    """Distance of each row of x to the nearest of some rows, shape (m,)."""
    chosen = x[sorted(set(picks))]
    norms = (chosen**2).sum(axis=1)
    nearest = []
    for part in np.array_split(x, 1 + len(x) // 4096):
        squares = (part**2).sum(axis=1)[:, None] - 2 * part @ chosen.T + norms
        nearest.append(squares.min(axis=1))
    return np.sqrt(np.maximum(np.concatenate(nearest), 0.0))


def measure(work: Path, frames: int, names: list[str], picks: int, budget_s: float) -> list[dict]:
    """Columns of the table for each contestant on a pool of so many frames."""
    path = large_pool(work, frames)
    folder = work / f"selection-{frames}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    task = {"pool": str(path), "small_pool": str(pool(work)), "folder": str(folder)}
    task |= {"picks": picks, "seed": SEED, "hyper": hyper_parameters("medium")}
    # rows of the frames serve the coverage of all
    steps = {"frames"} | {DESCRIBED_BY[name] for name in names} - {None}
    described = {step: in_a_process(task | {"step": step}) for step in sorted(steps)}
    described[None] = {"seconds": 0.0, "memory_MB": 0}
    results = {name: [] for name in names}

    def run(name: str) -> float:
        seed = len(results[name]) + 1
        results[name].append(in_a_process(task | {"step": name, "seed": seed}))
        return results[name][-1]["seconds"]

    seconds = interleaved({name: partial(run, name) for name in names}, budget_s)
    x = standardised(np.load(folder / ROWS))
    rows = []
    for name in names:
        before = described[DESCRIBED_BY[name]]
        distances = [coverage(x, result["picks"]) for result in results[name]]
        rows.append(
            {"descriptors_s": float(f"{before['seconds']:.4g}")}
            | spread(seconds[name], "selection_s")
            | {"descriptors_memory_MB": before["memory_MB"]}
            | {"selection_memory_MB": max(r["memory_MB"] for r in results[name])}
            | {"distinct_picks": int(np.median([len(set(r["picks"])) for r in results[name]]))}
            | spread([d.mean() for d in distances], "mean_distance")
            | spread([d.max() for d in distances], "largest_distance")
            | {"repetitions": len(distances)}
        )
    return rows


def main(plan: dict) -> None:
    """Measure what the plan asks for and has no rows yet; one thread only."""
    if plan["threads"] != 1:
        return
    table, work = Path(plan["results"]) / "selection.csv", Path(plan["work"])
    asked = plan["selection"]
    ions = read_numbers(pool(work)).shape[1]
    for frames in asked["frames"]:
        key = {"frames": frames, "ions": ions, "picks": asked["picks"], "threads": 1}
        able = [name for name in DESCRIBED_BY if frames <= LARGEST_POOL.get(name, frames)]
        names = missing(table, able, **key)
        if not names:
            continue
        print(f"selection of {asked['picks']} of {frames} frames", flush=True)
        rows = measure(work, frames, names, asked["picks"], asked["budget_s"])
        rows = [{"contestant": name, **key, **row} for name, row in zip(names, rows, strict=True)]
        append_rows(table, rows)
        for row in rows:
            print(
                f"    {row['contestant']:18s} {row['descriptors_s']:9.4g} s + "
                f"{row['selection_s']:9.4g} s; {row['repetitions']} repetitions; distance "
                f"{row['mean_distance']:.4g} (largest {row['largest_distance']:.4g})",
                flush=True,
            )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
