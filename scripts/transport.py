"""Transport in a run at constant volume: diffusion and ionic conductivity."""

import json
from pathlib import Path

import pandas as pd

from minset.files import write_csv
from minset.md.trajectory import read_trajectory
from minset.observe.transport import (
    ionic_conductivity,
    mean_squared_displacement,
    self_diffusion,
)


def main(
    trajectory,
    verdict,
    msd,
    diffusion,
    conductivity,
    settings: dict,
    start_ps: float,
    threads: int = 1,
) -> None:
    """Write the tables, without rows for a run that broke."""
    if not json.loads(Path(verdict).read_text())["stable"]:
        for path in (msd, diffusion, conductivity):
            write_csv(path, pd.DataFrame(columns=["note"]))
        return
    run, dt_ps = read_trajectory(trajectory), settings["timestep_fs"] / 1000
    write_csv(msd, mean_squared_displacement(run, dt_ps, start_ps))
    write_csv(diffusion, self_diffusion(run, dt_ps, start_ps))
    write_csv(conductivity, ionic_conductivity(run, dt_ps, settings["temperature_K"], start_ps))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
