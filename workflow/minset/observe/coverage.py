"""Observable ``coverage``: how far environments of some sets are from those of others.

Karabin and Perez, J. Chem. Phys. 153, 094110 (2020): of a model that is exact at its training
environments, the distance to the nearest of them stands for the error. Sets are frames of the pool, a
selection, or files of the user.
"""

from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pandas as pd

from minset.observe.record import Observable, Table

_COUNT = {"type": "integer", "minimum": 1}
_NAME = {"type": "string", "minLength": 1}
_PATTERNS = {"type": "array", "minItems": 1, "uniqueItems": True, "items": _NAME}


def observe_coverage(source: dict, system: dict, settings: dict, threads: int = 1) -> dict:
    """Tables of the sets, of their distances, and of the distributions of both.

    Parameters
    ----------
    source
        ``pool``, ``runs`` (table of its runs), ``summary`` (table of its frames), ``descriptors`` of its
        atoms (.npy), ``selections``, tables of selections, and ``given``, the user's files.
    settings
        As in ``RECORD``, and ``descriptors``, by which the pool is described.

    Returns
    -------
    dict
        A DataFrame for each table of ``RECORD``.

    Raises
    ------
    ValueError
        If a set has no frames, or one has elements that the one which standardises has not.
    """
    from minset.observe.coverage_sets import environments_of, standardised
    from minset.observe.distances import component_rows, distance_rows, set_row

    sets = {
        name: environments_of(name, wanted, source, system, settings)
        for name, wanted in settings["sets"].items()
    }
    reference = settings.get("reference", next(iter(sets)))
    sets = standardised(sets, reference)
    print(f"components have zero mean and unit variance in {reference}, by species")
    histograms = [component_rows(sets)]
    count = settings.get("components")
    sets = {name: found._replace(x=found.x[:, :count]) for name, found in sets.items()}
    distances = []
    for training, testing in product(sets, sets):
        row, counts = distance_rows(training, testing, sets, settings)
        distances.append(row)
        histograms.append(counts)
    return {
        "distances": pd.DataFrame(distances),
        "sets": pd.DataFrame([set_row(name, found) for name, found in sets.items()]),
        "distributions": pd.concat(histograms, ignore_index=True),
    }


def selections_of(settings: dict) -> list[str]:
    """Names of the selections that are sets, like ``random-n16-s1``."""
    return [wanted["selection"] for wanted in settings["sets"].values() if "selection" in wanted]


def files_of(settings: dict) -> list[str]:
    """Files of the user that are sets."""
    return [path for wanted in settings["sets"].values() for path in wanted.get("files", ())]


def matching(names: list[str], patterns: list[str]) -> list[str]:
    """Names that match one of some patterns, with ``*`` and ``?``."""
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def mistakes(settings: dict, runs: list[str], selections: list[str]) -> list[str]:
    """Sets that are not there, each line beginning with its key."""
    sets, found = settings.get("sets", {}), []
    if not sets:
        return ["sets: missing; name sets of frames, each with runs, selection or files"]
    for name, wanted in sets.items():
        if len(wanted) != 1:
            found.append(f"sets.{name}: one of runs, selection and files, not {len(wanted)}")
        found += [
            f"sets.{name}.runs: no run of the pool matches {pattern}; there are {', '.join(runs[:6])}"
            f"{', ...' if len(runs) > 6 else ''}"
            for pattern in wanted.get("runs", ())
            if not matching(runs, [pattern])
        ]
        found += [
            f"sets.{name}.files: there is no file {path}, seen from {Path.cwd()}"
            for path in wanted.get("files", ())
            if not Path(path).is_file()
        ]
        if wanted.get("selection", selections[0]) not in selections:
            found.append(
                f"sets.{name}.selection: no selection {wanted['selection']}; there are "
                f"{', '.join(selections[:6])}{', ...' if len(selections) > 6 else ''}"
            )
    if settings.get("reference", next(iter(sets))) not in sets:
        found.append(f"reference: no set {settings['reference']}; there are {', '.join(sets)}")
    return found


RECORD = Observable(
    of="frames",
    tables={
        "distances": Table(collected="coverage"),
        "sets": Table(collected="coverage_sets"),
        "distributions": Table(),
    },
    observe=observe_coverage,
    caption="Sets of frames seen by the descriptor of their atoms, its components with zero mean and "
    "unit variance in one set. `coverage`: distance from environments of a testing set to the nearest "
    "of the training set, drawn again and again; mean, median and maximum, averaged over the draws, and "
    "the range of 95 % of these. `coverage_sets`: mean over frames of the entropy of their environments, "
    "in nats.",
    options={
        "sets": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z0-9_-]+$"},
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "runs": _PATTERNS | {"description": "Names, or patterns like K0-*"},
                    "selection": _NAME
                    | {"description": "Like random-n16-s1, with its smaller sizes"},
                    "files": _PATTERNS | {"description": "That ASE reads, or H5MD"},
                },
            },
            "description": "Each of some runs of the pool, of a selection, or of the user's files",
        },
        "reference": _NAME
        | {
            "description": "Set in which components have unit variance; the first by name when absent"
        },
        "components": _COUNT
        | {"description": "The first so many make distances and the entropy; all when absent"},
        "training_environments": _COUNT
        | {
            "default": 6000,
            "description": "Of each draw, as in the paper; two thirds of a set that has fewer than both",
        },
        "testing_environments": _COUNT | {"default": 3000, "description": "Of each draw"},
        "splits": _COUNT | {"default": 50, "description": "Draws; 1000 in the paper"},
        "seed": _COUNT | {"default": 1, "description": "Of the draws"},
    },
    mistakes=mistakes,
    seconds=lambda atoms: 120.0 + 1e-4 * atoms,
    megabytes=lambda atoms: atoms / 1000,
)
