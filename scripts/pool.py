"""Fill a pool with candidate frames."""

import shutil
from pathlib import Path
from pkgutil import resolve_name

from minset.files import working_folder, write_csv
from minset.pool import GENERATORS
from minset.pool.store import summary as summarise
from minset.pool.store import write_pool


def main(pool, summary, system: dict, settings: dict, threads: int = 1) -> None:
    """Write the pool and one row per frame; a killed run goes on in ``work/`` beside the pool."""
    work = working_folder(Path(pool).parent / "work", {"system": system, "settings": settings})
    frames = resolve_name(GENERATORS[settings["generator"]])(system, settings, work)
    write_pool(pool, frames)
    write_csv(summary, summarise(frames))
    shutil.rmtree(work)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
