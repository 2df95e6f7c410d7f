"""Any ASE calculator, in a process of its own and by the interpreter of its own environment.

The process is started once and kept, so that a model is loaded once; a call for 100 atoms costs a
millisecond beside the calculator's own. The other side is `minset.calculator_worker`.
"""

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from minset.interpreters import WORKER, CalculatorUnusable, interpreter, one_line, remedy
from minset.processes import die_with, end_session

_THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
# from its closed input on, until it is killed
_TIME_TO_END_S = 5


class CalculatorRaised(Exception):
    """The calculator raised something of its own; its process lives on.

    Attributes
    ----------
    kind, kinds
        Name of the exception's class, and the names of all its classes, itself first.
    message
        The exception's own.
    """

    def __init__(self, kind: str, kinds: list[str], message: str):
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.kinds = kinds
        self.message = message


class CalculatorDied(Exception):
    """The calculator's process ended: killed, crashed, or it called exit."""


class CalculatorTimeout(Exception):
    """A calculation took longer than allowed; its process was killed."""


@dataclass(frozen=True, eq=False)
class Calculation:
    """Energy (eV), forces (n, 3) (eV/A), stress (3, 3) (eV/A^3) of a frame.

    The energy is that whose derivatives the forces are. The stress has ASE's sign, positive is
    tension; it is None where the calculator has none or the frame is not periodic. `converged` is
    False where the calculator says that it is not, else None. Numbers may be NaN.
    """

    energy_eV: float
    forces_eV_A: np.ndarray
    stress_eV_A3: np.ndarray | None
    converged: bool | None


class CalculatorProcess:
    """An ASE calculator in a process of its own, which ends with this one; a context manager.

    After CalculatorDied and CalculatorTimeout the process is gone, and another one must be made.

    Parameters
    ----------
    factory
        ``module:name`` of a function or class that returns a calculator. A module is looked for
        where the interpreter looks, then in the current directory.
    parameters
        Keyword arguments of the factory, as JSON values.
    python
        Interpreter that has the module and ASE; a path from the current directory or a name on the
        PATH, None for this one.
    threads
        Cores, through OMP_NUM_THREADS and the like.
    folder
        Working directory of the calculator, which may write files; None for the current one.
    log
        File for what the calculator prints, appended to; None keeps the end of it for messages.
    timeout_s
        Time limit for making the calculator, None for none.

    Attributes
    ----------
    version
        Name and version of the package that has the module, such as ``tblite 0.4.0``.
    ase_version
        Version of ASE beside it.

    Raises
    ------
    CalculatorUnusable
        If the calculator cannot be made.
    """

    def __init__(
        self,
        factory: str,
        parameters: dict,
        python: str | None = None,
        threads: int = 1,
        folder: Path | None = None,
        log: Path | None = None,
        timeout_s: float | None = None,
    ):
        program = interpreter(python)
        self._factory, self._owner, self._unread = factory, os.getpid(), b""
        self._log = open(log, "a+b") if log else tempfile.TemporaryFile()  # noqa: SIM115 - close()
        self._process = subprocess.Popen(
            [program, str(WORKER)],
            cwd=folder,
            env=os.environ | dict.fromkeys(_THREADS, str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            start_new_session=True,
            preexec_fn=partial(die_with, os.getpid(), signal.SIGKILL),
        )
        order = {"factory": factory, "parameters": parameters, "path": [os.getcwd()]}
        try:
            greeting = self._greeting(order, timeout_s)
            if "failed" in greeting:
                raise CalculatorUnusable(remedy(greeting, factory, program))
        except BaseException:
            self._kill()
            raise
        self.version, self.ase_version = greeting["version"], greeting["ase"]

    def calculate(
        self,
        numbers: np.ndarray,
        positions_A: np.ndarray,
        cell_A: np.ndarray,
        pbc: bool | np.ndarray = True,
        timeout_s: float | None = None,
        folder: Path | None = None,
    ) -> Calculation:
        """Energy, forces and stress of a frame.

        Parameters
        ----------
        numbers
            Atomic numbers (n,).
        positions_A, cell_A
            Positions (n, 3) and cell vectors (3, 3) in A.
        pbc
            Whether the frame is periodic, in all directions or (3,) in each.
        timeout_s
            Time limit, None for none.
        folder
            Working directory from this frame on; None leaves it.

        Raises
        ------
        CalculatorRaised
            If the calculator raised something of its own.
        CalculatorUnusable
            If a module or a program is missing that the calculator needs.
        CalculatorDied, CalculatorTimeout
            If the process ended, or was killed after the time limit.
        """
        frame = {
            "numbers": np.asarray(numbers).tolist(),
            "positions": _packed(positions_A),
            "cell": _packed(cell_A),
            "pbc": np.asarray(pbc).tolist(),
            "folder": None if folder is None else str(Path(folder).resolve()),
        }
        try:
            answer = self._answer(frame, timeout_s)
        except BaseException:
            # an answer that comes after an interrupt must not be taken for that of the next frame
            self._kill()
            raise
        if "error" in answer:
            raised = CalculatorRaised(**answer["error"])
            if answer["lacks"]:
                program = self._process.args[0]
                raise CalculatorUnusable(
                    f"the calculator {self._factory}, run by {program}, lacks something: "
                    f"{one_line(raised)}; install it"
                )
            raise raised
        stress = answer["stress"]
        return Calculation(
            energy_eV=answer["energy"],
            forces_eV_A=_array(answer["forces"]),
            stress_eV_A3=None if stress is None else _array(stress),
            converged=answer["converged"],
        )

    def close(self) -> None:
        """End the process; again is allowed. In a process forked from the owner it does nothing."""
        if os.getpid() != self._owner or self._log.closed:
            return
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_TIME_TO_END_S)
        self._kill()

    def __enter__(self) -> "CalculatorProcess":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _kill(self) -> None:
        if os.getpid() != self._owner:
            return
        end_session(self._process)
        for stream in (self._process.stdin, self._process.stdout, self._log):
            stream.close()

    def _greeting(self, order: dict, timeout_s: float | None) -> dict:
        try:
            answer = self._answer(order, timeout_s)
            while "minset" not in answer:  # an interpreter that prints as it starts
                answer = self._read(None)
        except (CalculatorDied, CalculatorTimeout) as error:
            raise CalculatorUnusable(
                f"the calculator {self._factory} could not be made: {error}; try it by hand with "
                f"{self._process.args[0]}"
            ) from None
        return answer

    def _answer(self, message: dict, timeout_s: float | None) -> dict:
        if self._log.closed or os.getpid() != self._owner:
            raise CalculatorDied(f"the process of the calculator {self._factory} is closed")
        request = json.dumps(message).encode() + b"\n"
        try:
            while request:
                request = request[self._process.stdin.write(request) :]
        except BrokenPipeError:
            raise CalculatorDied(self._ending()) from None
        return self._read(timeout_s)

    def _read(self, timeout_s: float | None) -> dict:
        """The next message, a JSON object."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        channel = select.poll()
        channel.register(self._process.stdout, select.POLLIN)
        while b"\n" not in self._unread:
            left_s = None if deadline is None else deadline - time.monotonic()
            if not channel.poll(left_s and max(0.0, left_s) * 1000):
                raise CalculatorTimeout(f"stopped at the time limit of {timeout_s:g} s")
            received = os.read(self._process.stdout.fileno(), 1 << 20)
            if not received:
                raise CalculatorDied(self._ending())
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            message = json.loads(line)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    def _ending(self) -> str:
        """How the process ended, and the last line that it wrote."""
        try:
            code = self._process.wait(_TIME_TO_END_S)
        except subprocess.TimeoutExpired:
            return "its process closed its output"
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"its process {how}; {self._last_line()}"

    def _last_line(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 4000))
        lines = self._log.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), None)
        return "it printed nothing" if last is None else f"the last line it printed: {last[:200]}"


def _packed(array: np.ndarray) -> str:
    """An array as the worker reads and writes it."""
    return base64.b64encode(np.ascontiguousarray(array, "<f8").tobytes()).decode()


def _array(packed: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed), "<f8").reshape(-1, 3).copy()
