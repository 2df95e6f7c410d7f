"""Python interpreters of other environments, in which calculators run."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("calculator_worker.py")


class CalculatorUnusable(Exception):
    """A calculator that cannot work: interpreter, module, factory or what it needs are missing.

    The message is one line with the remedy.
    """


def interpreter(python: str | None) -> str:
    """Path of an interpreter; not resolved, or that of a virtual environment would be another one.

    Parameters
    ----------
    python
        A path from the current directory or a name on the PATH, None for this interpreter.

    Raises
    ------
    CalculatorUnusable
        If there is none.
    """
    found = shutil.which(os.path.expanduser(python or sys.executable))
    if found is None:
        raise CalculatorUnusable(
            f"there is no Python {python!r} here to run the calculator: make its environment, or set "
            "`python` to the interpreter of the one that has the calculator's package"
        )
    return os.path.abspath(found)


@functools.cache
def package_version(module: str, python: str | None) -> str:
    """Name and version of the package that a module belongs to, without importing it.

    Parameters
    ----------
    module
        Such as ``tblite.ase``.
    python
        See `interpreter`.

    Returns
    -------
    str
        Such as ``tblite 0.4.0``, or ``tblite of unknown version``, where it is not installed too.

    Raises
    ------
    CalculatorUnusable
        If there is no such interpreter, or it cannot say.
    """
    program = interpreter(python)
    asked = subprocess.run([program, str(WORKER), module], capture_output=True, text=True)
    if asked.returncode or not asked.stdout.strip():
        raise CalculatorUnusable(f"{program} is no Python that can run a calculator")
    return asked.stdout.strip().rpartition("\n")[2]


def remedy(greeting: dict, factory: str, program: str) -> str:
    """One line on a calculator that could not be made."""
    module, _, name = factory.partition(":")
    error = greeting["error"]
    told = one_line(f"{error['kind']}: {error['message']}")
    if greeting["failed"] == "ase":
        return f"{program} cannot import ASE ({told}): `{program} -m pip install ase`"
    if greeting["failed"] == "module":
        return (
            f"{program} cannot import {module}, of the calculator {factory} ({told}): install its "
            "package there, set `python` to an interpreter that has it, or put the module's folder "
            "on the PYTHONPATH"
        )
    if greeting["failed"] == "name":
        close = f"; it has {', '.join(greeting['close'])}" if greeting["close"] else ""
        return f"the module {module} has no {name}, of the calculator {factory}{close}"
    return f"the calculator {factory} cannot be made with these `parameters`: {told}"


def one_line(text) -> str:
    """A text, or what an exception says, on one line."""
    return " ".join(str(text).split())
