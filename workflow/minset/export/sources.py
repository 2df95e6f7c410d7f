"""What an export of a model of a study is made from; light to import, for the workflow too."""

from pathlib import Path

from minset.study import Study, canonical


def exported_runs(study: Study, model: str | None) -> list[str]:
    """The trained model to export, in a list.

    Raises
    ------
    ValueError
        If none is named, or the study has no such model; with those that it has.
    """
    if model in study.runs:
        return [model]
    wanted = "name one with" if model is None else f"{model!r} is none; name one of them with"
    listed = "".join(f"\n  {run}" for run in study.runs)
    raise ValueError(
        f"which model of {study.name}? {wanted} `make export STUDY={study.name} MODEL=...`:{listed}"
    )


def about_of(study: Study, system: str, run: str) -> dict:
    """What the card of a model says of its study, see ``minset.export.card.card_text``."""
    settings = study.settings["simulations"]
    return {
        "study": study.name,
        "description": study.settings["description"],
        "system": system,
        "run": run,
        "training": study.training(system, run),
        "pool": canonical(study.settings["pool"]),
        "simulations": {
            name: canonical(
                {key: settings[name].get(key) for key in ("temperature_K", "pressure_bar")}
            )
            for name in simulations_of(study, run)
        },
    }


def simulations_of(study: Study, run: str) -> list[str]:
    """Simulations that a trained model runs."""
    return [name.partition("/")[0] for name in study.simulations if name.partition("/")[2] == run]


def verdicts_there(study: Study, system: str, run: str) -> list[str]:
    """Verdicts on the model's simulations that have been run."""
    folder = study.folder("simulation")
    names = simulations_of(study, run)
    return _there(system, [f"{folder}/{name}/{run}/verdict.json" for name in names])


def certificates_there(study: Study, system: str, run: str) -> list[str]:
    """Certificates of the model that have been made."""
    names = [name for name in study.observed("certificate") if name.partition("/")[2] == run]
    folders = [study.observable_folder("certificate", name) for name in names]
    return _there(system, [f"{folder}/certificate.csv" for folder in folders])


def _there(system: str, paths: list[str]) -> list[str]:
    placed = [path.replace("{system}", system) for path in paths]
    return [path for path in placed if Path(path).exists()]
