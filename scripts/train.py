"""Train a model, and make it ready for simulations."""

import os
import shutil
from pathlib import Path

from minset.dataset import read_dataset
from minset.files import file_hash, working_folder, written_aside
from minset.model import MODELS
from minset.model.baseline import BASELINE, describe_baseline, without_baseline


def main(
    train,
    validation,
    settings: dict,
    training: dict,
    seed: int,
    threads: int = 1,
    **outputs,
) -> None:
    """Train, or continue what a kill or an error left in ``work/`` beside the model.

    Parameters
    ----------
    train, validation
        Datasets, extended XYZ.
    settings
        Name of the kind, ``model``, its options, and maybe ``baseline``, the system whose potential the
        model is to stand on.
    training
        Its options of training.
    seed
        Of this model.
    threads
        Of the training.
    outputs
        Paths of ``MODELS[settings["model"]].files``, all in the folder of the model; any names.
    """
    folder = Path(next(iter(outputs.values()))).parent
    identity = {"settings": settings, "training": training, "seed": seed}
    identity["inputs"] = [file_hash(path) for path in (train, validation)]
    work = working_folder(folder / "work", identity)
    own = {key: value for key, value in settings.items() if key != BASELINE}
    baseline = settings.get(BASELINE)
    labelled = [read_dataset(path) for path in (train, validation)]
    if baseline:
        labelled = [without_baseline(frames, baseline, threads) for frames in labelled]
    MODELS[settings["model"]].train(
        *labelled,
        own,
        training,
        seed,
        work,
        threads,
        provenance={"train": str(train), "validation": str(validation)},
    )
    if baseline:
        describe_baseline(work, baseline)
    # linked, not moved: a kill between these lines leaves the model whole in its working folder
    for path in outputs.values():
        with written_aside(path) as aside:
            os.link(work / Path(path).name, aside)
    shutil.rmtree(work)


if "snakemake" in globals():
    from minset.adapter import run

    run(main, snakemake)  # noqa: F821
