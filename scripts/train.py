"""Train a model, and make it ready for simulations."""

import os
import shutil
from pathlib import Path

from minset.dataset import read_dataset
from minset.files import file_hash, working_folder, written_aside
from minset.model import MODELS
from minset.model.baseline import BASELINE, describe_baseline, without_baseline
from minset.published.models import identity_of, take_model


def main(
    train,
    validation,
    settings: dict,
    training: dict,
    seed: int,
    threads: int = 1,
    published: dict | None = None,
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
    published
        ``folder`` from which a model that was trained in the same way is taken.
    outputs
        Paths of ``MODELS[settings["model"]].files``, all in the folder of the model; any names.
    """
    files = [Path(path) for path in outputs.values()]
    folder = files[0].parent
    datasets = [file_hash(path) for path in (train, validation)]
    identity = identity_of(settings, training, seed, datasets)
    if published and take_model(Path(published["folder"]), folder.name, identity, files):
        return
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
    for path in files:
        with written_aside(path) as aside:
            os.link(work / path.name, aside)
    shutil.rmtree(work)


if "snakemake" in globals():
    from minset.adapter import run

    job = snakemake  # noqa: F821
    run(main, job, published=job.config["published"].get(job.wildcards.system))
