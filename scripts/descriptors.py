"""Describe every frame of a pool, and its atoms where a selector looks at them."""

import numpy as np

from minset.descriptor.schnet import untrained_schnet
from minset.files import written_aside
from minset.model.schnet.architecture import hyper_of
from minset.pool.store import read_geometries


def main(pool, descriptors, settings: dict, atom_descriptors=None, threads: int = 1) -> None:
    """Write an array with one row per frame, and one with a row per atom of each frame."""
    hyper, seed = hyper_of(settings), settings["seed"]
    if atom_descriptors is None:
        rows = untrained_schnet(pool, hyper, seed, threads)
    else:
        numbers, frames, _ = read_geometries(pool, frames_per_batch=1)
        shape = (frames, len(numbers), hyper["features"])
        with written_aside(atom_descriptors) as aside:
            atoms = np.lib.format.open_memmap(aside, "w+", np.float32, shape)
            rows = untrained_schnet(pool, hyper, seed, threads, atoms=atoms)
            atoms.flush()
    with written_aside(descriptors) as aside:
        np.save(aside, rows, allow_pickle=False)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
