"""Fill a pool with candidate frames."""

from pathlib import Path
from pkgutil import resolve_name

from minset.files import write_csv
from minset.pool import GENERATORS
from minset.pool.store import summary as summarise
from minset.pool.store import write_pool


def main(pool, summary, system: dict, settings: dict, threads: int = 1) -> None:
    """Write the pool and one row per frame; runs in ``work/`` beside the pool."""
    generate = resolve_name(GENERATORS[settings["generator"]])
    frames = generate(system, settings, Path(pool).parent / "work")
    write_pool(pool, frames)
    write_csv(summary, summarise(frames))


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
