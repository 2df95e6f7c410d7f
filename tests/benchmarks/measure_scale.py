"""What many jobs and many frames cost beside the work itself: Snakemake's part and the label store's.

Run by bench.py. The study is synthetic; its results are empty files, and its CP2K answers after 20 ms
with the output of another frame.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from ase import Atoms
from measure import append_rows, missing

from minset.label import LABELERS
from minset.sets import write_set

REPOSITORY = Path(__file__).resolve().parents[2]
SNAKEMAKE = [str(Path(sys.executable).with_name("snakemake")), "--config", "study=scale"]
# Snakemake's --touch sleeps for 0.1 s after each job
TOUCH = """
from snakemake.cli import main
from snakemake.executors.touch import Executor
Executor.SLEEPING_TIME = 0
main()
"""
RECORDED = REPOSITORY / "tests/fuzz/cp2k-2023.1.out"  # of two ions
SLEEP_S = 0.02
LABELS = """
import json, sys
sys.path[:0] = [{scripts!r}]
from label import main
main(**json.loads(sys.argv[1]))
"""


def study(folder: Path, systems: int) -> Path:
    """A copy of the repository with a study of 10 selectors, 6 sizes and 5 seeds; no results."""
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("Snakefile", "config", "envs", "profiles", "scripts", "workflow"):
        source = REPOSITORY / part
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=ignored)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    system = yaml.safe_load((REPOSITORY / "config/systems/kcl.yaml").read_text())
    names = [f"salt{k}" for k in range(systems)]
    for name in names:
        content = yaml.safe_dump(system | {"name": name})
        (folder / f"config/systems/{name}.yaml").write_text(content)
    content = yaml.safe_load((REPOSITORY / "config/studies/demo-classical.yaml").read_text())
    content |= {
        "systems": names,
        "selectors": {f"selector{k}": {"selector": "random"} for k in range(10)},
        "sizes": [4, 8, 16, 32, 64, 128],
        "seeds": [1, 2, 3, 4, 5],
        "simulations": {},
    }
    content["pool"] |= {"frames": 500, "duration_ps": 50}
    (folder / "config/studies/scale.yaml").write_text(yaml.safe_dump(content))
    return folder


def timed(command: list[str], folder: Path) -> dict:
    """Wall time, processor time, peak memory and output of a command.

    Raises
    ------
    RuntimeError
        If it failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)}: {output[-2000:]}")
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_s": round(usage.ru_utime + usage.ru_stime, 2),
        "memory_MB": round(usage.ru_maxrss / 1024),
        "output": output,
    }


def of_snakemake(work: Path, systems: int) -> list[dict]:
    """A dry run of everything, and a call when everything is there."""
    folder = study(work / f"scale-{systems}", systems)
    dry = timed([*SNAKEMAKE, "-n", "--quiet", "rules"], folder)
    jobs = re.search(r"^total\s+(\d+)$", dry["output"], re.MULTILINE)[1]
    summary = timed([*SNAKEMAKE, "--summary"], folder)["output"]
    for line in summary.split("\n"):
        if line.startswith("results/"):
            path = folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    touch = [sys.executable, "-c", TOUCH, *SNAKEMAKE[1:], "--touch"]
    timed([*touch, "--cores", "1", "--quiet", "all"], folder)
    again = timed([*SNAKEMAKE, "--cores", "1"], folder)
    if "Nothing to be done" not in again["output"]:
        raise RuntimeError(f"not all is done: {again['output'][-2000:]}")
    shutil.rmtree(folder)
    rows = [("dry run", int(jobs), dry), ("finished, called again", int(jobs), again)]
    return [{"contestant": name, "count": count, **row} for name, count, row in rows]


def of_labels(work: Path, frames: int, processes: int) -> dict:
    """One job of labels, from set to table, with a CP2K that sleeps; no frame twice."""
    folder = work / f"labels-{frames}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, 6, (frames, 2, 3))
    files = {"frames": str(folder / "set.h5"), "listed": str(folder / "set.csv")}
    atoms = [Atoms("KCl", p, cell=[6] * 3, pbc=True) for p in positions]
    rows = pd.DataFrame({"origin": "drawn at random", "frame": range(frames)})
    write_set(files["frames"], files["listed"], atoms, rows)
    stub, starts = folder / "cp2k", folder / "starts"
    stub.write_text(
        f"#!/bin/sh\necho $2 >> {starts}\nsleep {SLEEP_S}\ntouch minset-RESTART.wfn\ncat {RECORDED}\n"
    )
    stub.chmod(0o755)
    system = yaml.safe_load((REPOSITORY / "config/systems/kcl.yaml").read_text())
    given = {"dispersion": "d3", "command": str(stub)}
    arguments = files | {
        "table": str(folder / "table.csv"),
        "part": 0,
        "size": frames,
        "labeler": "cp2k",
        "settings": LABELERS["cp2k"].settings_of(system, given),
        "effort": {},
        "net_force_gate_eV_A": 10.0,
        "store": str(folder / "store"),
        "threads": processes,
        "processes": processes,
    }
    code = LABELS.format(scripts=str(REPOSITORY / "scripts"))
    done = timed([sys.executable, "-c", code, json.dumps(arguments)], REPOSITORY)
    table = pd.read_csv(folder / "table.csv")
    started = len(starts.read_text().split("\n")) - 1
    if not (table["status"] == "labelled").all() or not len(table) == started == frames:
        raise RuntimeError(
            f"{started} starts of CP2K for {frames} frames: {table['reason'].iloc[0]}"
        )
    shutil.rmtree(folder)
    return {"contestant": f"labels, {processes} side by side", "count": frames, **done}


def main(plan: dict) -> None:
    """Measure what has no rows yet; once, whatever the number of threads."""
    table, work, asked = Path(plan["results"]) / "scale.csv", Path(plan["work"]), plan["scale"]
    rows = []
    if missing(table, ["dry run"]):
        print(f"scale: a study of {asked['systems']} systems", flush=True)
        rows += of_snakemake(work, asked["systems"])
    if missing(table, ["labels, 2 side by side"]):
        print(f"scale: labels of {asked['frames']} frames", flush=True)
        rows.append(of_labels(work, asked["frames"], 2))
    for row in rows:
        del row["output"]
        print(f"    {row}", flush=True)
    if rows:
        append_rows(table, rows)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
