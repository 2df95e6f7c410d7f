"""Describe the frames of a pool, or their atoms."""

from minset.descriptor import DESCRIPTORS


def main(pool, descriptors, of: str, options: dict, threads: int = 1) -> None:
    """Write an array with one row per frame, or with one row per atom of each frame."""
    options = dict(options)
    describe = DESCRIPTORS[options.pop("descriptor")].describe
    describe(pool, descriptors, of, options, threads)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
