"""Run one MD run of a pool."""

import shutil
from pathlib import Path

import pandas as pd

from minset.files import working_folder, write_csv, write_text
from minset.pool import GENERATORS
from minset.pool.record import NoFrames
from minset.pool.store import write_pool
from minset.units import density_g_cm3


def main(frames, table, generator: str, system: dict, settings: dict, files=()) -> None:
    """Write the frames of the run and one row about it; a killed run goes on where it stood.

    A run that gives no frames leaves an empty file of them, and the reason in its row. ``files`` are
    those that it reads, which its settings name.
    """
    work = working_folder(Path(frames).with_suffix(""), {"system": system, "settings": settings})
    start, end = settings.get("temperature_K", (None, None))
    row = {
        "name": settings["name"],
        "temperature_start_K": start,
        "temperature_end_K": end,
        "pressure_bar": settings.get("pressure_bar"),
        "frames": 0,
        "status": "failed",
        "reason": "",
        "density_g_cm3": None,
    }
    try:
        sampled, row["reason"] = GENERATORS[generator].sample(system, settings, work)
    except NoFrames as failed:
        print(f"no frames: {failed}")
        write_text(frames, "")
        row["reason"] = str(failed)
    else:
        if row["reason"]:
            print(row["reason"])
        write_pool(frames, sampled)
        densities = [density_g_cm3(f.get_masses().sum(), f.cell.volume) for f in sampled]
        row |= {"frames": len(sampled), "status": "sampled"}
        row["density_g_cm3"] = sum(densities) / len(densities)
    write_csv(table, pd.DataFrame([row]))
    shutil.rmtree(work)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
