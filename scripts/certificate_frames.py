"""Take the frames of a model's simulation by which it is certified."""

import json
from pathlib import Path

import pandas as pd

from minset.md.trajectory import read_trajectory
from minset.names import certificate_name
from minset.observe.independent import independent_frames
from minset.published.models import take_own_frames
from minset.sets import write_set


def main(
    trajectory,
    thermo,
    verdict,
    frames,
    table,
    most: int,
    model=(),
    published: dict | None = None,
) -> None:
    """Write at most ``most`` frames, independent of one another; none of a run that broke.

    Frames of the same ``model``, its files, and simulation that are ``published`` (its ``folder``) are
    taken from there; it also has what decides the simulations (``certificates``).
    """
    name = certificate_name(Path(table).parent.name, Path(table).stem)
    outcome = json.loads(Path(verdict).read_text())
    taken = None
    if published and outcome["stable"]:
        decides = published["certificates"][name]
        taken = take_own_frames(Path(published["folder"]), name, model, decides)
    if taken is not None:
        atoms, listed = taken
    elif outcome["stable"]:
        run, rows = read_trajectory(trajectory), pd.read_csv(thermo)
        atoms, listed = independent_frames(run, rows, outcome["protocol"], most)
        listed.insert(0, "origin", str(trajectory))
    else:
        print(f"no frames: the simulation broke {outcome['reason']}")
        atoms, listed = [], pd.DataFrame(columns=["origin", "frame", "time_ps"])
    write_set(frames, table, atoms, listed)


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    run(main, job, published=job.config["published"].get(job.wildcards.system))
