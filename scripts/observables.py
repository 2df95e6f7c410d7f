"""Structure and transport of a run at constant volume."""

import json
from pathlib import Path

import pandas as pd

from minset.analyse.rdf import partial_rdfs, rdf_peaks
from minset.analyse.trajectory import read_trajectory
from minset.analyse.transport import (
    ionic_conductivity,
    mean_squared_displacement,
    self_diffusion,
)
from minset.files import write_csv


def main(
    trajectory,
    verdict,
    rdf,
    peaks,
    msd,
    diffusion,
    conductivity,
    settings: dict,
    rdf_settings: dict,
    transport: dict,
    threads: int = 1,
) -> None:
    """Write the tables, without rows for a run that broke."""
    if not json.loads(Path(verdict).read_text())["stable"]:
        for path in (rdf, peaks, msd, diffusion, conductivity):
            write_csv(path, pd.DataFrame(columns=["note"]))
        return
    dt_ps, start_ps = settings["timestep_fs"] / 1000, transport["start_ps"]
    run = read_trajectory(trajectory)
    table = partial_rdfs(run, rdf_settings["range_A"], rdf_settings["bins"], blocks=5)
    write_csv(rdf, table)
    write_csv(peaks, rdf_peaks(table))
    write_csv(msd, mean_squared_displacement(run, dt_ps, start_ps))
    write_csv(diffusion, self_diffusion(run, dt_ps, start_ps))
    write_csv(conductivity, ionic_conductivity(run, dt_ps, settings["temperature_K"], start_ps))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
