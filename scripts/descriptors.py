"""Describe every frame of a pool."""

import numpy as np

from minset.files import written_aside
from minset.model.architecture import hyper_of
from minset.select.descriptors import untrained_schnet


def main(pool, descriptors, settings: dict, threads: int = 1) -> None:
    """Write an array with one row per frame."""
    rows = untrained_schnet(pool, hyper_of(settings), settings["seed"], threads)
    with written_aside(descriptors) as aside:
        np.save(aside, rows, allow_pickle=False)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
