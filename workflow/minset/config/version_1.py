"""Study and system files of version 0.1 in today's form."""

import copy
import json
import shlex
from pathlib import Path

_FORM = "born-mayer-huggins-tosi-fumi"
# defaults of then: the learning rate was halved on plateaus, stresses were not learned
_TRAINING = {"patience": 200, "stress_weight": 0.0}
_REPULSION = "zbl"


def upgraded(content, kind: str) -> tuple:
    """Content of a file, in today's form if it was written for version 0.1.

    Parameters
    ----------
    content
        Of a file, whatever it is; it stays as it is.
    kind
        ``study`` or ``system``.

    Returns
    -------
    content, renamed
        ``renamed`` has a text for each key that was changed; it is empty for today's files.
    """
    if not isinstance(content, dict):
        return content, []
    content = copy.deepcopy(content)
    return content, {"study": _study, "system": _system}[kind](content)


def _study(content: dict) -> list[str]:
    """Change a study in place, if a key shows that it is of version 0.1."""
    labels, renamed = content.get("labels"), []
    if not isinstance(labels, dict):
        return []
    if "batches" in labels and "frames_per_job" not in labels:
        del labels["batches"]
        renamed.append("labels.batches is labels.frames_per_job, the frames of a job (16)")
    if labels.get("labeler") == "lammps":
        labels["labeler"] = "potential"
        renamed.append("labels.labeler: lammps is potential")
    if renamed:
        renamed += _models(content.get("models"))
    simulations = content.get("simulations")
    for name, simulation in simulations.items() if isinstance(simulations, dict) else ():
        npt = isinstance(simulation, dict) and simulation.get("ensemble") == "npt"
        # 0.1 looked at observables in runs at constant volume alone
        if renamed and npt and simulation.pop("observables", None) is not None:
            renamed.append(f"simulations.{name}.observables had no effect in npt")
    return renamed


def _models(models) -> list[str]:
    """Give models of version 0.1 what they had without saying so."""
    renamed = []
    for name, model in models.items() if isinstance(models, dict) else ():
        if not isinstance(model, dict):
            continue
        if "repulsion" not in model:
            model["repulsion"] = _REPULSION
            renamed.append(f"models.{name}.repulsion was {_REPULSION} by default")
        if model.get("model", "schnet") != "schnet":
            continue
        training = model.setdefault("training", {})
        for key, value in _TRAINING.items() if isinstance(training, dict) else ():
            if key not in training:
                training[key] = value
                renamed.append(f"models.{name}.training.{key} was {value:g} by default")
    return renamed


def _system(content: dict) -> list[str]:
    """Change a system file in place, if its potential has the form of version 0.1."""
    old = content.get("potential")
    if not isinstance(old, dict) or old.get("form") != _FORM or "potentials" in content:
        return []
    value = {"potential": "tosi_fumi"} | {k: v for k, v in old.items() if k != "form"}
    del content["potential"]
    content["potentials"] = {
        "bmhtf": value,
        "bmhtf-published-sign": copy.deepcopy(value) | {"published_sign": True},
    }
    return ["potential is potentials.bmhtf and potentials.bmhtf-published-sign, form is potential"]


def advice_on_pools(study: str, frames: list[Path]) -> list[str]:
    """How to keep the pool of a study that version 0.1 began.

    Its runs have other parameters today, so Snakemake would sample them again: the same frames on the
    same processor, but others on another one, whose labels would all be missing.

    Parameters
    ----------
    study
        Name of the study.
    frames
        Files of the runs of its pools.

    Returns
    -------
    list of str
        A line with the command, while a pool of version 0.1 is there that was not touched since.
    """
    old = [path for path in frames if _sampled_by_version_1(path)]
    if not old:
        return []
    files = " ".join(map(shlex.quote, map(str, old)))
    return [
        f"{len(old)} run(s) of the pool were sampled by minset 0.1. To keep their frames, and with them "
        f"their labels, first run: snakemake --touch --cores 1 {files} --config study={study}"
    ]


def _sampled_by_version_1(frames: Path) -> bool:
    record = frames.with_name(f"{frames.name}.meta.json")
    if not (frames.exists() and record.exists()):
        return False
    version = json.loads(record.read_text())["versions"]["minset"]
    # touching makes the frames newer than their record
    return version.startswith("0.1") and frames.stat().st_mtime <= record.stat().st_mtime
