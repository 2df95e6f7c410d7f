"""Run molecular dynamics with one force engine."""

import os
import shutil
from pathlib import Path

import ase.io
import pandas as pd

from minset.contacts import closest_allowed_A
from minset.files import file_hash, working_folder, write_json, written_aside
from minset.md.engines import LIMITS, committee_engine, model_engine, potential_engine
from minset.md.run import (
    FINAL,
    LAST_GOOD,
    THERMO,
    TRAJECTORY,
    VERDICT,
    protocol_of,
    run_md,
)


def main(
    start,
    trajectory,
    thermo,
    verdict,
    system: dict,
    settings: dict,
    model=(),
    contacts=(),
    threads: int = 1,
) -> None:
    """Equilibrate and run in ``work/`` beside the outputs, where a killed run goes on.

    Parameters
    ----------
    model, contacts
        Files of the model that makes the forces, or of the members of a committee whose mean does, and
        the pool's shortest distances, which tell what is too close; both empty where the system's
        potential makes the forces.
    """
    identity = {"system": system, "settings": settings}
    identity["inputs"] = [file_hash(path) for path in (start, *model, *contacts)]
    work = working_folder(Path(verdict).parent / "work", identity)
    attach = _engine(settings, model, contacts, threads)
    folder, atoms = work, ase.io.read(start, format="extxyz")
    for phase in ("equilibration", "production"):
        folder = work / phase
        duration = settings["equilibration_ps" if phase == "equilibration" else "duration_ps"]
        outcome = run_md(atoms, system, attach, protocol_of(settings, duration), folder)
        if not outcome["stable"]:
            break
        atoms = ase.io.read(folder / FINAL, format="extxyz")
    write_json(folder / VERDICT, outcome | {"phase": phase})
    # linked, not moved: a kill between these lines leaves the run whole in its working folder
    restart = Path(verdict).with_name(LAST_GOOD)
    restart.unlink(missing_ok=True)
    if (folder / LAST_GOOD).exists():
        os.link(folder / LAST_GOOD, restart)
    for name, path in ((TRAJECTORY, trajectory), (THERMO, thermo), (VERDICT, verdict)):
        with written_aside(path) as aside:
            os.link(folder / name, aside)
    shutil.rmtree(work)


def _engine(settings: dict, model, contacts, threads: int):
    if not model:
        return potential_engine()
    shortest = pd.read_csv(contacts[0]).set_index("pair")["shortest_A"].to_dict()
    limits, closest = LIMITS | settings["limits"], closest_allowed_A(shortest)
    folders = list(dict.fromkeys(Path(file).parent for file in model))
    network = settings["engine"] == "schnetpack"
    if len(folders) > 1:
        return committee_engine(folders, limits, closest, threads, reference=network)
    return model_engine(folders[0], limits, closest, threads, reference=network)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
