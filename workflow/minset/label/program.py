"""Running a DFT code so that nothing of it is left behind, however the run or its parent ends."""

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from minset.label.store import LabelFailed
from minset.processes import die_with, end_session

_LAUNCHERS = {"mpirun", "mpiexec", "mpiexec.hydra", "srun"}


@dataclass(frozen=True)
class Program:
    """A DFT code, for messages and to find it among the words of a command.

    Attributes
    ----------
    name
        In messages.
    begins
        How the names of its executables begin, in small letters.
    keys
        Where its ``command`` and ``timeout_s`` are set.
    remedy
        What to do where it is missing.
    """

    name: str
    begins: str
    keys: str
    remedy: str


def program_options(name: str, usual: str) -> dict[str, dict]:
    """What a study may say of how a program is run, as properties of a JSON schema."""
    return {
        "command": {
            "type": "string",
            "pattern": r"^[^\x00-\x1f\x7f]+$",
            "description": f"How {name} is started, on one line, {usual} when absent; {{threads}} "
            "becomes the number of cores",
        },
        "timeout_s": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Time limit of a frame; 14400 when absent",
        },
    }


def launch_command(
    program: Program, command: str, threads: int
) -> tuple[list[str], dict[str, str]]:
    """Words of the command and the environment for it; FileNotFoundError where it is missing."""
    words = shlex.split(command.replace("{threads}", str(threads)))
    launched = bool(words) and Path(words[0]).name in _LAUNCHERS
    in_container = {"apptainer", "singularity"} & {Path(word).name for word in words}
    needed = words[:1]
    if launched and not in_container:
        needed += [word for word in words[1:] if Path(word).name.startswith(program.begins)]
    for word in needed or [""]:
        if shutil.which(word) is None:
            raise FileNotFoundError(
                f"{program.keys}.command is {command!r}, but there is no program {word!r} here. "
                f"{program.remedy}"
            )
    # it runs in the frame's folder, where a relative path would lead nowhere
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


def command_mistake(command: str, usual: str) -> str | None:
    """What is wrong with the words of a command; ``usual`` is the default."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        return f"labels.settings.command: {error}"
    return None if words else f"labels.settings.command: it is empty; the default is {usual}"


def run_program(
    program: Program,
    argv: list[str],
    output: Path,
    environment: dict[str, str],
    deadline: float,
    timeout_s: float,
) -> tuple[int, str]:
    """Run a program in the folder of its output; return its exit code and what it wrote.

    Parameters
    ----------
    argv
        Words of the command.
    output
        File for what the program writes; what it writes to the errors is beside it, with `.err`.
    environment
        Environment variables of the process.
    deadline
        Of ``time.monotonic``, in s.
    timeout_s
        Time limit that the message names.

    Raises
    ------
    LabelFailed
        Not permanent, if it was past the deadline.
    """
    with output.open("wb") as out, _errors(output).open("wb") as err, _sigterm_raises():
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
                f"{program.name} stopped at the time limit of {timeout_s:g} s "
                f"({program.keys}.timeout_s)",
                False,
                output,
            ) from None
        finally:
            end_session(process)
    return code, output.read_text(errors="replace")


def crash(program: Program, code: int, complaint: str | None, output: Path) -> LabelFailed:
    """A run that ended without a result: how, and why by the program's own words or its last line."""
    ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    if code == 0:
        ending = "wrote an output that is cut short, after"
    why = (complaint or _last_line(output))[:300]
    return LabelFailed(f"{program.name} {ending}: {why}", False, output)


def _errors(output: Path) -> Path:
    return output.with_suffix(".err")


def _last_line(output: Path) -> str:
    """The last line that a program wrote, to its errors if it wrote there."""
    text = output.read_text(errors="replace") + _errors(output).read_text(errors="replace")
    lines = text.partition("Backtrace for this error")[0].split("\n")
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
