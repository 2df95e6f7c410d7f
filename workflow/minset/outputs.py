"""Tables of a study: which there are, what each is made from, and how.

A table is a `Table` in ``TABLES``. Those that collect what observables write come from the records
of these.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from minset.compare.tables import collected
from minset.md.files import SPREAD_COLUMN
from minset.names import is_model, run_row, set_row
from minset.observe import OBSERVABLES
from minset.observe.rdf import rdf_differences
from minset.study import Study, canonical, without_comments

COMPARISON = {
    "learning_curve": "Force errors against the number of training frames: geometric mean over "
    "seeds and its 95 % interval (t interval of the logarithms). The interval covers what differs "
    "between seeds, not the choice of the test set.",
    "stable_fraction": "Stable runs of each simulation with Wilson's 95 % interval, and the mean "
    "time that runs survived, which counts at most the duration of the simulation (bootstrap "
    "interval; too narrow for fewer than about ten runs).",
    "against_random": "Errors divided by those of random selection with as many frames and the "
    "same seed: geometric mean, 95 % interval and p-value of the paired t test; stable fractions "
    "against random's by Fisher's exact test. P-values are of single comparisons.",
    "frames_needed": "Number of training frames that each selector needs for the error that random "
    "selection reaches with `random_frames`, by straight lines between the sizes of the learning "
    "curve in logarithms; in parentheses the same for the limits of its 95 % interval. Nothing is "
    "extrapolated.",
}


# tables from which a study is summed up
SUMMARIZED = ("errors", "selection", "labels", "stability", "density", "diffusion", "conductivity")
SUMMARIZED += ("rdf_peaks", "certificate")

# a liquid is denser by some 0.5 % at this pressure, which is about what experiments are uncertain by
AMBIENT_BAR = 100.0


@dataclass(frozen=True)
class Inputs:
    """Files that a table or a figure is made from, with ``{system}`` for the system's name.

    ``files`` are single ones by name; ``runs`` has a file per run and the columns that say which
    run it is from.
    """

    files: dict[str, str] = field(default_factory=dict)
    runs: list[tuple[str, dict]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.files or self.runs)


@dataclass(frozen=True)
class Table:
    """A table of a study.

    ``inputs(study)`` is empty where the study has no such table. ``make(files, runs, options)`` gets
    paths and the columns of each run; its options are those of `table_options`.
    """

    inputs: Callable[[Study], Inputs]
    make: Callable[[dict, list, dict], pd.DataFrame]
    caption: str
    category: str


def simulation_row(study: Study, run: str) -> dict:
    """What identifies a simulation ``<simulation>/<engine>``, as columns."""
    name, engine = run.split("/")
    temperature = study.settings["simulations"][name]["temperature_K"]
    return {"simulation": name, "engine": engine, "temperature_K": temperature}


def model_row(study: Study, run: str) -> dict:
    """What identifies a trained model, as columns.

    Its number in a committee where the study has one.
    """
    row = run_row(run)
    if all(model["members"] == 1 for model in study.settings["models"].values()):
        row.pop("member")
    return row


def frames_row(study: Study, run: str) -> dict:
    """What identifies an observable of the frames of a study: nothing, there is one."""
    return {}


def engine_row(study: Study, run: str) -> dict:
    """What identifies a trained model or a potential by itself, as columns."""
    return {"engine": run}


# of what an observable is of; of all others a simulation
ROW_OF = {"model": model_row, "pool": model_row, "engine": engine_row, "frames": frames_row}
CATEGORY_OF = {"model": "Model", "pool": "Model", "engine": "Crystals", "frames": "Selection"}


def collected_tables() -> dict[str, list[tuple[str, str, str | None]]]:
    """Observable, file and source of what each table of observables collects."""
    tables: dict[str, list[tuple[str, str, str | None]]] = {}
    for name, record in OBSERVABLES.items():
        for file, collection in record.tables.items():
            if collection.collected:
                tables.setdefault(collection.collected, []).append((name, file, collection.source))
    return tables


def observed_files(study: Study, table: str) -> Inputs:
    """Files of a table of observables."""
    runs = []
    for observable, file, source in collected_tables()[table]:
        row_of = ROW_OF.get(OBSERVABLES[observable].of, simulation_row)
        for run in study.observed(observable):
            row = row_of(study, run) | ({"source": source} if source else {})
            runs.append((f"{study.observable_folder(observable, run)}/{file}.csv", row))
    return Inputs(runs=runs)


def with_experiment(table: str) -> Callable[[dict, list, dict], pd.DataFrame]:
    """How a table of observables is made: rows of all runs, then those of the experiment."""
    experiments = [
        record.experiment[table][1] for record in OBSERVABLES.values() if table in record.experiment
    ]

    def make(files: dict, runs: list, options: dict) -> pd.DataFrame:
        joined = [_collected(files, runs, options)]
        temperatures = {
            row["simulation"]: row["temperature_K"]
            for _, row in runs
            if row.get("simulation") not in (None, *options["under_pressure"])
        }
        for rows_at in experiments:
            about = [
                {"simulation": simulation, "engine": "experiment", "temperature_K": T} | row
                for simulation, T in temperatures.items()
                for row in rows_at(options["reference"], T)
            ]
            joined.append(pd.DataFrame(about))
        return pd.concat([t for t in joined if len(t)] or joined[:1], ignore_index=True)

    return make


def _selection(study: Study) -> Inputs:
    rows = {name: set_row(name) for name in study.ordered_sets}
    return Inputs(
        runs=[
            (f"{study.folder('selection')}/{name}.csv", {k: row[k] for k in ("selector", "seed")})
            for name, row in rows.items()
        ]
    )


def _labels(study: Study) -> Inputs:
    return Inputs(
        runs=[
            (table, {"set": name})
            for name in study.labelled_sets
            for table in study.label_tables(name)
        ]
    )


def _stability(study: Study) -> Inputs:
    folder = study.folder("simulation")
    return Inputs(
        runs=[
            (f"{folder}/{run}/verdict.json", simulation_row(study, run))
            for run in study.simulations
        ]
    )


def _from_tables(*names: str, when: Callable[[Study], bool]) -> Callable[[Study], Inputs]:
    """Inputs of a table made from other tables of the study, those that there are."""

    def inputs(study: Study) -> Inputs:
        if not when(study):
            return Inputs()
        there = [name for name in names if TABLES[name].inputs(study)]
        return Inputs({name: f"{study.folder('table')}/{name}.csv" for name in there})

    return inputs


def _rdf_differences(study: Study) -> Inputs:
    runs = study.observed("rdf")
    if not study.settings["reference"] or not any(is_model(run.split("/")[1]) for run in runs):
        return Inputs()
    return Inputs(
        runs=[
            (f"{study.observable_folder('rdf', run)}/rdf.csv", simulation_row(study, run))
            for run in runs
        ]
    )


def several_datasets(study: Study) -> bool:
    """Whether there is something to compare."""
    return len(study.datasets) > 1


def simulated_models(study: Study) -> bool:
    """Whether trained models run simulations."""
    return any(is_model(run.split("/")[1]) for run in study.simulations)


def random_and_others(study: Study) -> bool:
    """Whether other selectors can be compared with a random one."""
    return bool(study.random_selector()) and len(study.settings["selectors"]) > 1


def _collected(files: dict, runs: list, options: dict) -> pd.DataFrame:
    return collected([path for path, _ in runs], [row for _, row in runs])


def _labels_once(files: dict, runs: list, options: dict) -> pd.DataFrame:
    """One row for each label, from the first set that asked for it."""
    table = _collected(files, runs, options)
    return table.drop_duplicates("key") if len(table) else table


def _verdicts(files: dict, runs: list, options: dict) -> pd.DataFrame:
    columns = ["stable", "phase", "reached_ps", "ns_per_day", "reason"]
    rows = []
    for path, row in runs:
        verdict = json.loads(Path(path).read_text())
        mean, largest = verdict.get(SPREAD_COLUMN, (None, None))
        spread = {SPREAD_COLUMN: mean, f"largest_{SPREAD_COLUMN}": largest} if mean else {}
        rows.append(row | {column: verdict[column] for column in columns} | spread)
    return pd.DataFrame(rows)


def _read(files: dict, name: str) -> pd.DataFrame | None:
    return pd.read_csv(files[name]) if name in files else None


# scipy, behind the statistics, is imported when a table is made
def _learning_curve(files: dict, runs: list, options: dict) -> pd.DataFrame:
    from minset.compare.learning import learning_curve

    return learning_curve(_read(files, "errors"))


def _stable_fraction(files: dict, runs: list, options: dict) -> pd.DataFrame:
    from minset.compare.learning import stable_fraction

    return stable_fraction(_read(files, "stability"))


def _against_random(files: dict, runs: list, options: dict) -> pd.DataFrame:
    from minset.compare.learning import against_random

    return against_random(_read(files, "errors"), _read(files, "stability"), options["baseline"])


def _summary(files: dict, runs: list, options: dict) -> pd.DataFrame:
    from minset.compare.summary import summary

    return summary({name: pd.read_csv(path) for name, path in files.items()})


def _frames_needed(files: dict, runs: list, options: dict) -> pd.DataFrame:
    from minset.compare.learning import frames_needed

    return frames_needed(_learning_curve(files, runs, options), options["baseline"])


TABLES = {
    "selection": Table(
        _selection,
        _collected,
        "Frames in the order in which each selector picked them, with the score of each pick.",
        "Selection",
    ),
    "labels": Table(
        _labels,
        _labels_once,
        "Every frame that was labelled or failed: key in the label store, SCF steps, seconds, net "
        "force on the cell, and the reason of a failure.",
        "Labels",
    ),
    "stability": Table(
        _stability,
        _verdicts,
        "The verdict on every simulation: how far it came, why it ended early if it did, and its "
        "speed; with the mean of a committee how much its members disagreed, as mean and largest value.",
        "Simulation",
    ),
    "learning_curve": Table(
        _from_tables("errors", when=several_datasets),
        _learning_curve,
        COMPARISON["learning_curve"],
        "Selectors",
    ),
    "stable_fraction": Table(
        _from_tables("stability", when=lambda s: several_datasets(s) and simulated_models(s)),
        _stable_fraction,
        COMPARISON["stable_fraction"],
        "Selectors",
    ),
    "against_random": Table(
        _from_tables("errors", "stability", when=random_and_others),
        _against_random,
        COMPARISON["against_random"],
        "Selectors",
    ),
    "frames_needed": Table(
        _from_tables(
            "errors", when=lambda s: random_and_others(s) and len(s.settings["sizes"]) > 1
        ),
        _frames_needed,
        COMPARISON["frames_needed"],
        "Selectors",
    ),
    "rdf_difference": Table(
        _rdf_differences,
        lambda files, runs, options: rdf_differences(
            [path for path, _ in runs], [row for _, row in runs]
        ),
        "Mean absolute difference between the RDF of each model and of the reference potential, "
        "and the noise floor: what two runs of one potential would differ by, from their standard "
        "errors. First peaks are model less reference. `closest` is the smallest distance with g "
        "above 0.01; far below the reference's it means that ions came unphysically close. Runs "
        "that broke count up to the break.",
        "Simulation",
    ),
}


TABLES |= {
    name: Table(
        partial(observed_files, table=name),
        with_experiment(name),
        OBSERVABLES[files[0][0]].caption,
        CATEGORY_OF.get(OBSERVABLES[files[0][0]].of, "Simulation"),
    )
    for name, files in collected_tables().items()
}

TABLES["summary"] = Table(
    _from_tables(*SUMMARIZED, when=lambda study: True),
    _summary,
    "Of the largest training sets of each selector: errors on the test set and on the models' own runs, "
    "stability, and what the simulations give, beside the labels (by the certificate), the reference "
    "potentials and the experiment, with standard errors or 95 % limits. `differs_from` names those from "
    "which a value differs beyond both 95 % intervals.",
    "Summary",
)


def tables_of(study: Study) -> list[str]:
    """Names of the tables of each system of a study."""
    return [name for name, table in TABLES.items() if table.inputs(study)]


def reference_of(study: Study, system: str, table: str) -> dict:
    """Experimental fits that a table shows, without their citations."""
    reference = study.systems[system].get("reference", {})
    shown = {r.experiment[table][0] for r in OBSERVABLES.values() if table in r.experiment}
    return canonical(
        {key: without_comments(reference[key], {"source"}) for key in shown & reference.keys()}
    )


def table_options(study: Study, system: str, table: str) -> dict:
    """What a table needs beside its inputs.

    The selector with which others are compared (``baseline``), the experimental fits (``reference``), and
    the simulations to which these do not belong, being ``under_pressure``.
    """
    reference = reference_of(study, system, table)
    simulations = study.settings["simulations"] if reference else {}
    return {
        "baseline": study.random_selector(),
        "reference": reference,
        "under_pressure": [
            name
            for name, settings in simulations.items()
            if settings["ensemble"] == "npt" and settings["pressure_bar"] > AMBIENT_BAR
        ],
    }


def make_table(name: str, paths: dict[str, Path], runs: list, options: dict) -> pd.DataFrame:
    """Table of a name from its input files."""
    return TABLES[name].make(paths, runs, options)
