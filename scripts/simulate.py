"""Run molecular dynamics with one force engine."""

import os
import shutil
from pathlib import Path

import ase.io

from minset.files import written_aside
from minset.simulate.engines import engine_of
from minset.simulate.run import THERMO, TRAJECTORY, VERDICT, protocol_of, run_md


def main(
    start,
    trajectory,
    thermo,
    verdict,
    system: dict,
    settings: dict,
    engine: str,
    model=(),
    threads: int = 1,
) -> None:
    """Run in ``work/`` beside the outputs, so that a killed run can be continued."""
    work = Path(verdict).parent / "work"
    attach = engine_of(engine, list(model), settings, threads)
    run_md(ase.io.read(start), system, attach, protocol_of(settings), work, threads)
    # linked, not moved: a kill between these lines leaves the run whole in its working folder
    for name, path in ((TRAJECTORY, trajectory), (THERMO, thermo), (VERDICT, verdict)):
        with written_aside(path) as aside:
            os.link(work / name, aside)
    shutil.rmtree(work)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
