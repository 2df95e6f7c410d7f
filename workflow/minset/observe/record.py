"""What an entry of the registry of observables says about itself."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

TRAJECTORY_SECONDS_PER_ION = 5e-4
# what is computed only where a study has the observable's key
ASKED_FOR = ("engine", "frames", "pool")


@dataclass(frozen=True)
class Table:
    """One CSV file that an observable writes.

    Attributes
    ----------
    collected
        Study-wide table that its rows go to; None for a file that is shown run by run.
    source
        What stands in the column ``source`` of that table; None where it has no such column.
    """

    collected: str | None = None
    source: str | None = None


def nothing_more(_: float) -> float:
    """Cost of an observable beside that of its force calls and libraries."""
    return 0.0


def nothing_amiss(*_) -> list[str]:
    """Mistakes of an observable that has nothing to check before a run."""
    return []


def needs_nothing(system: dict) -> str:
    """Why an observable cannot be computed for a system: it always can."""
    return ""


def seconds_of_frames(ions: float) -> float:
    """Time in s of reading and analysing trajectories; ions of all frames together."""
    return ions * TRAJECTORY_SECONDS_PER_ION


def megabytes_of_frames(ions: float) -> float:
    """Memory in MB of a trajectory, beside that of the libraries; ions of all frames together."""
    return ions / 1000


@dataclass(frozen=True)
class Observable:
    """A quantity that is computed from a simulation, from a trained model or from a force engine.

    Attributes
    ----------
    of
        ``trajectory``, ``model``, ``engine``, a trained model or a potential of the system by itself,
        ``certificate``, a trajectory of a model with frames that are labelled, ``frames``, of the pool
        and others, or ``pool``, a model with a pool: what `observe` takes. Those in `ASKED_FOR` are
        computed where a study has their key.
    tables
        By the name of the CSV file, without its ending.
    observe
        ``observe(source, system, settings, threads)`` -> a DataFrame for each of `tables`. `source`
        of a trajectory is ``{"trajectory": path, "thermo": path, "verdict": dict}``, of a model
        ``{"model": folder, "test": path}``, of an engine ``{"model": folder}`` or, where the potential in
        `system` is the engine, ``{"model": None}``, of a pool ``{"model": folder, "pool": path}``, of a
        certificate all of these and ``{"labels": paths, "store": folder}``, tables of label jobs and the
        label store, of frames see ``minset.observe.coverage``; `settings` are those of the simulation
        with the options of the observable, and of its certificate. What cannot be computed has the
        column ``note`` alone, and is printed.
    caption
        What readers of a report need to know about the tables.
    environment
        ``minset`` or ``mdsuite``.
    options
        JSON schema ``properties`` of its options.
    options_of
        Other observables whose options it takes too, so that both compute the same.
    ensembles
        Of simulations that it is computed from.
    needs
        ``needs(system)`` -> empty, or why nothing can be computed for a system.
    mistakes
        ``mistakes(settings, simulation, edge_A)`` -> what is wrong before a run, each beginning with
        the key of the simulation; ``edge_A`` is the smallest height of its cell, None if not known.
        Of engines ``mistakes(settings, system, cutoff_A)``, each beginning with a key of its own options;
        ``cutoff_A`` is the largest one of the study's models. Of frames ``mistakes(settings, runs,
        selections)``, with the names of the pool's runs and of the selections.
    experiment
        By study-wide table, the key of ``reference`` in a system file that it shows, and
        ``(reference, temperature_K)`` -> rows of the experimental fits that are
        valid there; `reference` is that of a system file.
    seconds, megabytes
        Cost from the number of ions of all frames together, one core, without the force calls of a
        model.
    """

    of: str
    tables: dict[str, Table]
    observe: Callable[[dict, dict, dict, int], dict[str, pd.DataFrame]]
    caption: str
    environment: str = "minset"
    options: dict = field(default_factory=dict)
    options_of: tuple[str, ...] = ()
    ensembles: tuple[str, ...] = ()
    needs: Callable[[dict], str] = needs_nothing
    mistakes: Callable[[dict, dict, float | None], list[str]] = nothing_amiss
    experiment: dict[str, tuple[str, Callable[[dict, float], list[dict]]]] = field(
        default_factory=dict
    )
    seconds: Callable[[float], float] = seconds_of_frames
    megabytes: Callable[[float], float] = megabytes_of_frames


def without_rows(names, reason: str) -> dict[str, pd.DataFrame]:
    """Tables of what cannot be computed; the reason goes to the log."""
    print(f"no {', '.join(names)}: {reason}")
    return {name: pd.DataFrame(columns=["note"]) for name in names}


def experimental_rows(fit: dict, value: float, name: str, unit: str) -> list[dict]:
    """Row of one experimental fit: its ``name``, value and standard error, NaN where it tells none.

    No row outside its range.

    Parameters
    ----------
    fit
        Of a system file; ``experiment`` stands for a name that it does not have.
    value
        At the temperature of the simulation, NaN where the fit does not hold.
    name, unit
        Of the quantity, as in its columns: ``density`` and ``g_cm3``.
    """
    if value != value:  # NaN
        return []
    error = value * fit.get("uncertainty_percent", math.nan) / 100
    return [
        {
            "source": fit.get("name", "experiment"),
            f"{name}_{unit}": value,
            f"{name}_stderr_{unit}": error,
        }
    ]
