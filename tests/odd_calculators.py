"""Factories of calculators as a user may write them, most with a fault."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from ase.calculators.calculator import Calculator, SCFError
from ase.calculators.emt import EMT

print("imported")


class Odd(Calculator):
    implemented_properties = ("energy", "forces", "stress", "free_energy")

    def __init__(self, do="nothing"):
        super().__init__()
        self.do, self.calls = do, 0
        self.converged = do != "unconverged"

    def calculate(self, atoms, properties, changes):
        super().calculate(atoms, properties, changes)
        self.calls += 1
        forces = np.zeros((len(atoms), 3))
        if self.do == "raise":
            raise SCFError("no\nluck")
        if self.do == "raise its own":
            raise type("KohnShamConvergenceError", (SCFError,), {})("200 steps")
        if self.do == "print":
            print("to stdout", flush=True)
            subprocess.run(["sh", "-c", "echo of a child; read line; echo $line"])
            os.write(1, b"straight to the descriptor\n")
            print(sys.stdin.read())
        if self.do == "lack a module":
            importlib.import_module("no_such_module")
        if self.do == "lack a program":
            subprocess.run(["no-such-program"])
        if self.do == "lack a file":
            Path("weights").read_bytes()
        if self.do == "write a file":
            Path("written").touch()
        if self.do == "hang" and self.calls > 1:
            subprocess.run(["sleep", "600"])
        if self.do == "leave a program":
            subprocess.Popen(["sleep", "600"])
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.do == "exit":
            print("leaving", file=sys.stderr)
            sys.exit(3)
        if self.do == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.do == "nan":
            forces[0, 0] = np.nan
        self.results = {"energy": 1.0 * self.calls, "free_energy": 2.0 * self.calls}
        self.results |= {"forces": forces, "stress": np.array([1.0, 2, 3, 4, 5, 6])}


def without_stress():
    calculator = EMT()
    calculator.implemented_properties = ["energy", "forces"]
    return calculator


def raises():
    raise ValueError("no weights\nat /here")


def exits():
    sys.exit(7)


def hangs():
    time.sleep(600)
