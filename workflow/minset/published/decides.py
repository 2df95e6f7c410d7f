"""What decides test frames and picks of a study, as plain data that is compared with what was published.

Beside the pool. Seeds and sizes of selections are not in it: they are in the names of the sets.
"""

from pathlib import Path

from minset.names import certificate_row
from minset.published.orders import read_orders
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.study import Study, canonical


def published_folder(study: Study, system: str) -> Path:
    """Folder with what is published of a system of a study; of several, each has its own in it.

    ``results/published/<study>`` where the study names none.
    """
    folder = Path(study.settings.get("published", f"results/published/{study.name}"))
    return folder / system if len(study.systems) > 1 else folder


def decides_split(study: Study) -> dict:
    """What decides test and validation frames."""
    about = {"test": study.settings["test"], "validation": study.settings["validation"]}
    records = [SELECTORS[kind] for kind in study.settings["test"]["selectors"]]
    if any(record.needs(defaults_of(record.options)) for record in records):
        about["descriptors"] = study.settings["descriptors"]
    return canonical(about)


def decides_selector(study: Study, name: str, system: str) -> dict:
    """What decides the picks of a selector of a study.

    Of one that looks at models all that they are trained with, too.
    """
    options = study.settings["selectors"][name]
    kind = options.get("selector", name)
    needs = SELECTORS[kind].needs(options)
    about = {
        f"selectors.{name}": {"selector": kind} | defaults_of(SELECTORS[kind].options) | options
    }
    if needs & {"frames", "atoms"}:
        about["descriptors"] = study.settings["descriptors"]
    if needs - {"frames", "atoms"}:
        for key in {"model", "simulation"} & options.keys():
            about[f"{key}s.{options[key]}"] = study.settings[f"{key}s"][options[key]]
        about["labels"] = decides_labels(study, system)
    return canonical(about)


def decides_labels(study: Study, system: str) -> dict:
    """What decides labels: labeler and settings, without how they are reached."""
    labeler = study.settings["labels"]["labeler"]
    return {"labeler": labeler, "settings": study.label_settings(system)}


def decides_certificate(study: Study, name: str, system: str) -> dict:
    """What decides the frames of a certificate, beside the model."""
    simulation = certificate_row(name)["simulation"]
    return canonical(
        {
            "simulation": study.simulation(simulation),
            "start": study.start(system, simulation),
            "frames": study.frames_of(name),
        }
    )


def published_sets(study: Study) -> list[str]:
    """Sets whose frames are labelled, in the order in which they are published."""
    return study.labelled_sets


def of_jobs(study: Study) -> dict[str, dict]:
    """What jobs get of it, by system; nothing where a study takes nothing published."""
    if "published" not in study.settings:
        return {}
    return {
        system: {
            "folder": str(published_folder(study, system)),
            "split": decides_split(study),
            "labels": decides_labels(study, system),
            "selectors": {
                name: decides_selector(study, name, system) for name in study.settings["selectors"]
            },
            "certificates": {
                name: decides_certificate(study, name, system) for name in study.certificates
            },
        }
        for system in study.systems
    }


def without_labeler(study: Study) -> bool:
    """Whether all labels of a study are taken: published with its settings, and none computed here.

    Where they were computed, their jobs keep the environment that they had, or they would run again.
    """
    if "published" not in study.settings:
        return False
    return all(_has_all(study, system) for system in study.systems)


def _has_all(study: Study, system: str) -> bool:
    try:
        orders = read_orders(published_folder(study, system))
    except (OSError, ValueError):  # the job that takes it says what is wrong
        return False
    if orders is None or orders.about["frames"]["missing"]:
        return False
    there = set(published_sets(study)) <= orders.about["sets"].keys()
    same = there and orders.about["labels"] == decides_labels(study, system)
    return same and not _computed_here(study, system)


def _computed_here(study: Study, system: str) -> bool:
    """Whether a label job of a study computed a label, as the last column of its table says."""
    folder = Path(study.folder("label").replace("{system}", system))
    return any("False" in path.read_text() for path in folder.rglob("part-*.csv"))
