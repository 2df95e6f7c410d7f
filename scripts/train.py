"""Train a model."""

from pathlib import Path
from pkgutil import resolve_name

from minset.dataset import read_dataset
from minset.model import MODELS


def main(
    train,
    validation,
    weights,
    description,
    history,
    settings: dict,
    training: dict,
    seed: int,
    threads: int = 1,
) -> None:
    """Train, or continue from the checkpoint beside the model."""
    fit = resolve_name(MODELS[settings["model"]])
    fit(
        read_dataset(train),
        read_dataset(validation),
        settings,
        training,
        seed,
        Path(weights).parent,
        threads,
        provenance={"train": str(train), "validation": str(validation)},
    )


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
