"""Real runs of programs of the workflow in a copy of the repository, bounded in time."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MDSUITE = Path(
    os.environ.get("MINSET_MDSUITE_PYTHON", REPOSITORY / ".venv-mdsuite" / "bin" / "python")
)
# its rule; a study goes on without it where its environment is missing
OF_MDSUITE = {"mdsuite"} if MDSUITE.exists() else set()
WHOLE = "demo-classical"
# frames that studies read
FRAMES = (
    Path("results/published/al-pool-laptop/pool.extxyz"),
    Path("results/published/ni-distillation-laptop/distilled.extxyz"),
    Path("results/published/au-on-the-fly-laptop/fcc.extxyz"),
    Path("results/published/demo/frames.extxyz"),
    Path("results/published/kcl-dft-laptop/pool.extxyz"),
)

# as short as labels, training and a simulation that outlives its first checkpoint can be
SHORT = """
description: for tests
systems: [kcl]
pool: {ions: 32, temperature_K: [1700, 1100], pressure_bar: 5000, equilibration_ps: 2,
  duration_ps: 10, frames: 40, seed: 1}
test: {frames: 4, seed: 2}
validation: {frames: 2, seed: 3}
descriptors: {size: small}
selectors: {random: {}}
sizes: [4]
seeds: [1]
labels: {labeler: potential, frames_per_job: 6}
models:
  small: {size: small, training: {batch_size: 2, learning_rate: 2.0e-3, max_epochs: 40}}
simulations:
  nvt: {ensemble: nvt, ions: 16, temperature_K: 1200, duration_ps: 7, equilibration_ps: 0.1,
    melt_ps: 1, limits: {temperature_percent: 1000, energy_eV_atom: 1000}}
rdf: {range_A: 4.4}
transport: {start_ps: 0.5}
"""
RUN = "random-n4-s1-small"
SIMULATION = f"results/kcl/simulation/short/nvt/{RUN}"


def files_of(repository: Path) -> list[Path]:
    """What a clone would have, with changes that are not committed yet; relative paths."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        listed = subprocess.run(command, cwd=repository, check=True, capture_output=True).stdout
        return [Path(name) for name in listed.decode().split("\0") if name]
    files = (p for p in repository.rglob("*") if p.is_symlink() or not p.is_dir())
    every = (p.relative_to(repository) for p in files)
    aside = ("results", "__pycache__", ".venv", ".snakemake", ".git")
    return [path for path in every if not any(p.startswith(aside) for p in path.parts)]


def clone_repository(folder: Path) -> Path:
    """Copy the repository with its environments into an empty folder, of results what studies read."""
    for name in files_of(REPOSITORY):
        wanted = name.parts[0] != "results" or name in FRAMES
        if wanted and (REPOSITORY / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    (folder / ".venv-mdsuite").symlink_to(MDSUITE.parents[1])
    return folder


def start(copy: Path, *command: str) -> subprocess.Popen:
    """A program of the environment in a process group of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
    return subprocess.Popen(
        [BIN / command[0], *command[1:]],
        cwd=copy,
        env=environment | {"PATH": f"{BIN}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(copy: Path, *command: str, seconds: float) -> SimpleNamespace:
    """Exit status, output and wall time of a command; beyond `seconds` its process group is killed."""
    process, began = start(copy, *command), time.monotonic()
    try:
        output = process.communicate(timeout=seconds)[0]
    finally:
        kill(process)
    return SimpleNamespace(
        status=process.returncode, output=output, seconds=time.monotonic() - began
    )


def snakemake(copy: Path, study: str, *arguments: str, seconds: float) -> SimpleNamespace:
    return run(copy, "snakemake", *arguments, "--config", f"study={study}", seconds=seconds)


def planned(copy: Path, study: str, *arguments: str, seconds: float = 120) -> dict[str, int]:
    """Numbers of jobs by rule that a dry run plans."""
    dry = snakemake(copy, study, "--dry-run", "--cores", "2", *arguments, seconds=seconds)
    assert dry.status == 0, dry.output[-3000:]
    if "Nothing to be done" in dry.output:
        return {}
    _, _, after = dry.output.partition("Job stats:")
    rows = [line.split() for line in after.split("\n\n")[0].splitlines()[3:]]
    jobs = {row[0]: int(row[1]) for row in rows if len(row) == 2}
    assert jobs.pop("total") == sum(jobs.values())
    jobs.pop("all", None)
    return jobs
