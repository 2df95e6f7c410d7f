"""An ASE calculator in a process of its own: the side of the interpreter that has the calculator.

A script of its own that `minset.calculators` starts with an interpreter of any environment that has
Python 3.9 or newer and ASE. It imports nothing of minset. Messages are JSON objects, one a line, on
the standard input and output that it was started with; arrays in them are the bytes of their float64
numbers in base64, which is exact and ten times as fast as decimals. First comes what to make,
``{"factory": "module:name", "parameters": {}, "path": []}``, answered by a greeting; then frames,
each answered by a result or an error, until the input ends. With the name of a module as argument
it prints the package and version that the module belongs to.
"""

import os
import sys

# Python puts a script's folder first; modules of minset would hide those of the same names
_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [place for place in sys.path if os.path.abspath(place) != _HERE]

import base64  # noqa: E402
import contextlib  # noqa: E402
import difflib  # noqa: E402
import importlib  # noqa: E402
import importlib.metadata  # noqa: E402
import json  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402


def main() -> None:
    """Make the calculator and answer until the input ends."""
    if sys.argv[1:]:
        print(_version(sys.argv[1]))
        return
    _guard()
    requests, answers = _own_channel()
    order = json.loads(requests.readline())
    # last, so that the user's modules hide none that is installed
    sys.path += order["path"]
    greeting, calculator = _made(order["factory"], order["parameters"])
    _send(answers, greeting)
    if calculator is None:
        return
    for line in requests:
        frame = json.loads(line)
        try:
            answer = _calculated(calculator, frame)
        except Exception as error:
            answer = {"error": _told(error), "lacks": _lacks_something(error)}
        _send(answers, answer)


def _guard() -> None:
    """Leave a process that ends what the calculator has started, once the input or this process ends.

    The kernel ends this process with its parent, but not the programs that a calculator runs.
    """
    worker = os.getpid()
    if os.getpgrp() != worker or os.fork():
        return
    os.closerange(1, 1024)
    requests = select.poll()
    requests.register(0, 0)  # the end of the input alone
    while os.getppid() == worker and not requests.poll(500):
        pass
    for _ in range(50):  # the calculator may have something to write at its end
        if os.getppid() != worker:
            break
        time.sleep(0.1)
    os.killpg(worker, signal.SIGKILL)


def _own_channel():
    """Requests and answers; what the calculator reads is empty, what it prints goes to the errors."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _send(answers, message: dict) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def _made(factory: str, parameters: dict):
    """The greeting and the calculator; None where there is none, and ``failed`` says at what."""
    module_name, _, name = factory.partition(":")
    stage = "ase"
    try:
        import ase

        stage = "module"
        module = importlib.import_module(module_name)
        stage, close, target = "name", [], module
        for part in name.split("."):
            close = difflib.get_close_matches(part, dir(target))
            target = getattr(target, part)
        stage = "factory"
        calculator = target(**parameters)
    except Exception as error:
        greeting = {"minset": 1, "failed": stage, "error": _told(error)}
        return greeting | ({"close": close} if stage == "name" else {}), None
    return {"minset": 1, "version": _version(module_name), "ase": ase.__version__}, calculator


def _version(module_name: str) -> str:
    """Name and version of the package that a module belongs to."""
    package = module_name.partition(".")[0]
    names = [package]
    if hasattr(importlib.metadata, "packages_distributions"):
        names += importlib.metadata.packages_distributions().get(package, [])
    for name in names:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"{package} of unknown version"


def _calculated(calculator, frame: dict) -> dict:
    """Energy (eV), forces (eV/A), stress (eV/A^3) or None, and whether they are converged or None."""
    import numpy as np
    from ase import Atoms
    from ase.calculators.calculator import PropertyNotImplementedError

    if frame["folder"] is not None:
        os.chdir(frame["folder"])
    place = {"positions": _array(frame["positions"]), "cell": _array(frame["cell"])}
    atoms = Atoms(frame["numbers"], **place, pbc=frame["pbc"])
    atoms.calc = calculator
    can = getattr(calculator, "implemented_properties", ())
    # the energy whose derivatives the forces are: with smeared occupations the free energy
    energy = atoms.get_potential_energy(force_consistent="free_energy" in can)
    forces, stress = atoms.get_forces(), None
    if "stress" in can and atoms.pbc.all():
        with contextlib.suppress(PropertyNotImplementedError):
            stress = _packed(atoms.get_stress(voigt=False))
    converged = getattr(calculator, "converged", None)
    unconverged = isinstance(converged, (bool, np.bool_)) and not converged
    return {
        "energy": float(energy),
        "forces": _packed(forces),
        "stress": stress,
        "converged": False if unconverged else None,
    }


def _packed(array) -> str:
    import numpy as np

    return base64.b64encode(np.ascontiguousarray(array, "<f8").tobytes()).decode()


def _array(packed: str):
    """Rows of three numbers."""
    import numpy as np

    return np.frombuffer(base64.b64decode(packed), "<f8").reshape(-1, 3).copy()


def _lacks_something(error: Exception) -> bool:
    """Whether a module is missing, or a program that was to be started."""
    if isinstance(error, ImportError):
        return True
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, FileNotFoundError) and frames[-1].filename.endswith("subprocess.py")


def _told(error: Exception) -> dict:
    """An exception as plain data; its traceback goes to the errors."""
    traceback.print_exc()
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind is not object]
    return {"kind": kinds[0], "kinds": kinds, "message": str(error)}


if __name__ == "__main__":
    main()
