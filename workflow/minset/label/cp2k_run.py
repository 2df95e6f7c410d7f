"""Running CP2K, and what it says of its end."""

import re
from pathlib import Path

from minset.label.program import Program, crash, run_program

CP2K = Program(
    name="CP2K",
    begins="cp2k",
    keys="cp2k",
    remedy="Install CP2K with `apt-get install cp2k`, through the conda environment envs/cp2k.yaml or "
    "with `module load`, or run a study whose labeler is potential",
)


def run_cp2k(
    argv: list[str], output: Path, environment: dict, deadline: float, timeout_s: float
) -> str:
    """Run CP2K on the input beside ``output``, of the same name with `.inp`; return what it wrote.

    Parameters are those of ``run_program``, ``argv`` without CP2K's own words.

    Raises
    ------
    LabelFailed
        Not permanent, if CP2K was killed, crashed, or was past the deadline.
    """
    argv = [*argv, "-i", output.with_suffix(".inp").name]
    code, text = run_program(CP2K, argv, output, environment, deadline, timeout_s)
    if "SCF run NOT converged" in text or (code == 0 and "PROGRAM ENDED AT" in text):
        return text
    raise crash(CP2K, code, _complaint(text), output)


def _complaint(text: str) -> str | None:
    """CP2K's message in its [ABORT] box."""
    if "[ABORT]" not in text:
        return None
    box = text.rpartition("[ABORT]")[2].partition("=====")[0]
    words = re.sub(r"[*|\\/]|\bO/?\s", " ", box).split()
    return " ".join(word for word in words if word not in ("___", "O"))
