"""Take the frames of a model's simulation by which it is certified."""

import json
from pathlib import Path

import pandas as pd

from minset.md.trajectory import read_trajectory
from minset.observe.independent import independent_frames
from minset.sets import write_set


def main(trajectory, thermo, verdict, frames, table, most: int) -> None:
    """Write at most ``most`` frames, independent of one another; none of a run that broke."""
    outcome = json.loads(Path(verdict).read_text())
    if outcome["stable"]:
        run, rows = read_trajectory(trajectory), pd.read_csv(thermo)
        atoms, listed = independent_frames(run, rows, outcome["protocol"], most)
    else:
        print(f"no frames: the simulation broke {outcome['reason']}")
        atoms, listed = [], pd.DataFrame(columns=["frame", "time_ps"])
    listed.insert(0, "origin", str(trajectory))
    write_set(frames, table, atoms, listed)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
