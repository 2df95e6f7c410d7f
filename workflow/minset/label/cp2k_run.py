"""Running CP2K so that nothing of it is left behind, however the run or its parent ends."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from minset.label.store import LabelFailed
from minset.processes import die_with, end_session

_LAUNCHERS = {"mpirun", "mpiexec", "mpiexec.hydra", "srun"}


def launch_command(command: str, threads: int) -> tuple[list[str], dict[str, str]]:
    """Words of the command and the environment for it; FileNotFoundError where it is missing."""
    words = shlex.split(command.replace("{threads}", str(threads)))
    launched = bool(words) and Path(words[0]).name in _LAUNCHERS
    in_container = {"apptainer", "singularity"} & {Path(word).name for word in words}
    programs = words[:1]
    if launched and not in_container:
        programs += [word for word in words[1:] if Path(word).name.startswith("cp2k")]
    for program in programs or [""]:
        if shutil.which(program) is None:
            raise FileNotFoundError(
                f"cp2k.command is {command!r}, but there is no program {program!r} here. "
                "Install CP2K with `apt-get install cp2k`, through the conda environment "
                "envs/cp2k.yaml or with `module load`, or run a study whose labeler is potential"
            )
    # CP2K runs in the frame's folder, where a relative path would lead nowhere
    words[0] = os.path.abspath(shutil.which(words[0]))
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1" if launched or "{threads}" in command else str(threads),
        # Open MPI refuses to run as root otherwise, as in a container
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        # two batches on one machine would both be bound to its first cores
        "OMPI_MCA_hwloc_base_binding_policy": "none",
    }
    return words, environment


def run_cp2k(
    argv: list[str], output: Path, environment: dict, deadline: float, timeout_s: float
) -> str:
    """Run CP2K on the input beside ``output``; return what it wrote.

    Parameters
    ----------
    argv
        Words of the command without CP2K's own.
    output
        File for what CP2K writes; the input has the same name with `.inp`.
    environment
        Environment variables of the process.
    deadline
        Of ``time.monotonic``, in s.
    timeout_s
        Time limit that the message names.

    Raises
    ------
    LabelFailed
        Not permanent, if CP2K was killed, crashed, or was past the deadline.
    """
    errors = output.with_suffix(".err")
    argv = [*argv, "-i", output.with_suffix(".inp").name]
    with output.open("wb") as out, errors.open("wb") as err, _sigterm_raises():
        process = subprocess.Popen(
            argv,
            cwd=output.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            # not SIGKILL: mpirun passes SIGTERM on to its ranks
            preexec_fn=partial(die_with, os.getpid(), signal.SIGTERM),
        )
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise LabelFailed(
                f"CP2K stopped at the time limit of {timeout_s:g} s (cp2k.timeout_s)", False, output
            ) from None
        finally:
            end_session(process)
    text = output.read_text(errors="replace")
    if "SCF run NOT converged" in text or (code == 0 and "PROGRAM ENDED AT" in text):
        return text
    ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    if code == 0:
        ending = "wrote an output that is cut short, after"
    raise LabelFailed(f"CP2K {ending}: {_complaint(text, errors)}", False, output)


def _complaint(text: str, errors: Path) -> str:
    """CP2K's message in its [ABORT] box, else the last line it wrote."""
    if "[ABORT]" in text:
        box = text.rpartition("[ABORT]")[2].partition("=====")[0]
        words = re.sub(r"[*|\\/]|\bO/?\s", " ", box).split()
        return " ".join(word for word in words if word not in ("___", "O"))
    lines = (text + errors.read_text(errors="replace")).partition("Backtrace for this error")[0]
    lines = lines.split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no output at all")


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the child is killed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)
