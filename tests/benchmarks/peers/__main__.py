"""Accuracy against cost: contestants with the same training frames, ``make bench-peers``.

A result is a file of its own, so that a run that was interrupted goes on, and more sizes and seeds come
by calling again.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from bench import machine

from minset.export.datasets import write_extxyz
from peers.contestants import CONTESTANTS
from peers.data import labelled, training_frames
from peers.environments import REPOSITORY, prepared, variables
from peers.report import write_report

RESULTS = REPOSITORY / "results/benchmarks/peers"
WORK = REPOSITORY / "results/benchmarks/work/peers"


def read_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__.splitlines()[0])
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[8, 32], metavar="FRAMES")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--report", action="store_true", help="write tables and figure only")
    return parser.parse_args()


def cases(names: list[str], sizes: list[int], seeds: list[int]) -> list[tuple[str, int, int]]:
    """Contestant, size and seed of all results: one alone of what is not trained."""
    made = []
    for size in sizes:
        for seed in seeds:
            for name in names:
                made.append((name, size, seed) if CONTESTANTS[name].trained else (name, 0, 0))
    return list(dict.fromkeys(made))


def measure(name: str, size: int, seed: int, frames: dict, result: Path) -> None:
    """Train and evaluate in the contestant's environment, each in a process of its own.

    A stage that is done is kept as long as contestant and options are the same.
    """
    contestant, folder = CONTESTANTS[name], WORK / result.stem
    python, row = prepared(contestant.environment), {}
    plan = {"module": contestant.module, "seed": seed, "options": contestant.options}
    known = folder / "contestant.json"
    if not known.exists() or json.loads(known.read_text()) != plan:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        parts = {role: frames[role] for role in ("test", "validation")}
        if contestant.trained:
            parts["train"] = training_frames(frames["pool"], size, seed)
        write_extxyz(parts, folder)
        known.write_text(json.dumps(plan))
    for stage in ("train", "evaluate") if contestant.trained else ("evaluate",):
        done, given = folder / f"{stage}.json", folder / "plan.json"
        if not done.exists():
            asked = plan | {"stage": stage, "folder": str(folder), "result": str(done)}
            given.write_text(json.dumps(asked))
            subprocess.run([python, "-m", "peers.one", given], env=variables(), check=True)
        row |= json.loads(done.read_text())
    here = machine()
    row |= {key: here[key] for key in ("cpu", "cores", "memory_GB", "os", "python")}
    row |= {"measured": datetime.now().isoformat(timespec="seconds")}
    row |= {"load": round(os.getloadavg()[0], 1)}  # processor time suffers too: caches are shared
    named = {"contestant": name, "size": size, "seed": seed}
    result.write_text(json.dumps(named | row, indent=1) + "\n")


def main() -> int:
    """Measure what has no result yet, then write tables and figure."""
    options, failed = read_options(), []
    (RESULTS / "runs").mkdir(parents=True, exist_ok=True)
    frames = labelled(REPOSITORY)
    wanted = [] if options.report else cases(options.contestants, options.sizes, options.seeds)
    for name, size, seed in wanted:
        result = RESULTS / f"runs/{name}-n{size}-s{seed}.json"
        if result.exists():
            continue
        print(f"{result.stem}", flush=True)
        try:
            measure(name, size, seed, frames, result)
        except (subprocess.CalledProcessError, OSError) as error:
            failed.append(result.stem)
            print(f"{result.stem} failed: {error}", flush=True)
    write_report(RESULTS, frames)
    print(RESULTS / "README.md", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
