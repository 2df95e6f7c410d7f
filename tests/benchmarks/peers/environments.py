"""Environments of contestants: minset's own, and others on top of it from small lock files."""

import os
import shutil
import subprocess
from pathlib import Path

from peers.contestants import ENVIRONMENTS

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
OF_MINSET = ("minset", "chgnet")  # made by envs/setup.sh


def prepared(name: str) -> Path:
    """Python of an environment, made where it is not there or its lock file has changed.

    Raises
    ------
    CalledProcessError
        If it cannot be made.
    """
    folder = REPOSITORY / ENVIRONMENTS[name]
    if name in OF_MINSET:
        subprocess.run([REPOSITORY / "envs/setup.sh", name], check=True)
    else:
        _make(folder, HERE / f"{name}.lock")
    return folder / "bin/python"


def _make(folder: Path, lock: Path) -> None:
    """An environment that sees .venv's packages and does not change them."""
    made_from = folder / "made-from"
    if made_from.exists() and made_from.read_text() == lock.read_text():
        return
    print(f"making {folder.name} from {lock.name}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([REPOSITORY / ".venv/bin/python", "-m", "venv", folder], check=True)
    below = next(folder.glob("lib/python*/site-packages")).relative_to(folder)
    (folder / below / "minset.pth").write_text(f"{REPOSITORY / '.venv' / below}\n")
    pip = [folder / "bin/python", "-m", "pip", "install", "-q", "--no-deps", "-r", lock]
    subprocess.run(pip, check=True)
    shutil.copy(lock, made_from)


def run_logged(command: list, folder: Path) -> None:
    """Run a command of a contestant in its folder, its output appended to ``log`` there.

    Raises
    ------
    CalledProcessError
        If it fails.
    """
    with open(folder / "log", "a") as log:
        subprocess.run(command, check=True, cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def variables() -> dict[str, str]:
    """Environment variables of a contestant: one thread, no GPU, this repository's modules."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    threads |= {f"TF_{name}_OP_PARALLELISM_THREADS": "1" for name in ("INTRA", "INTER")}
    paths = os.pathsep.join([str(REPOSITORY / "workflow"), str(HERE.parent)])
    return (
        dict(os.environ)
        | threads
        | {
            "PYTHONPATH": paths,
            "PYTHONWARNINGS": "ignore",
            "CUDA_VISIBLE_DEVICES": "",
            # e3nn 0.4.4 and MACE load pickled files, their own, which newer torch refuses unless told
            "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
        }
    )
