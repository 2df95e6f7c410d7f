"""Train a model."""

import os
import shutil
from pathlib import Path
from pkgutil import resolve_name

from minset.dataset import read_dataset
from minset.files import file_hash, working_folder
from minset.model import MODELS


def main(
    train,
    validation,
    settings: dict,
    training: dict,
    seed: int,
    threads: int = 1,
    **outputs,
) -> None:
    """Train, or continue from the checkpoint in ``work/`` beside the model."""
    folder = Path(outputs["description"]).parent
    identity = {"settings": settings, "training": training, "seed": seed}
    identity["inputs"] = [file_hash(path) for path in (train, validation)]
    work = working_folder(folder / "work", identity)
    resolve_name(MODELS[settings["model"]].train)(
        read_dataset(train),
        read_dataset(validation),
        settings,
        training,
        seed,
        work,
        threads,
        provenance={"train": str(train), "validation": str(validation)},
    )
    for path in outputs.values():
        os.replace(work / Path(path).name, path)
    shutil.rmtree(work)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
