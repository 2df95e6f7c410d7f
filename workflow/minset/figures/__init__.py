"""Figures of a study: which there are, what each is drawn from, and their captions.

A figure is ``draw(system, files, tables) -> matplotlib Figure``: ``files`` are its single inputs by
name, ``tables`` pairs of a path and the columns that say which run it is from. A new one is such a
function and its `Figure` here. Functions are named as strings for ``pkgutil.resolve_name``: knowing
them imports no matplotlib.
"""

from collections.abc import Callable
from dataclasses import dataclass

from minset.names import is_model, run_row, shown_engines
from minset.outputs import TABLES, Inputs, simulation_row
from minset.study import Study

SOME_ARE_SHOWN = (
    " Of more than nine models only some are shown: first the first seed, then the largest size, "
    "then the first kind of model."
)


@dataclass(frozen=True)
class Figure:
    """A figure.

    Function, inputs (empty where the study has no such figure), caption, parts of the system it
    shows.
    """

    draw: str
    inputs: Callable[[Study], Inputs]
    caption: str
    system: tuple[str, ...] = ()


def figures_of(study: Study) -> list[str]:
    """Names of the figures of each system of a study."""
    return [name for name, figure in FIGURES.items() if figure.inputs(study)]


def _tables(*names: str, **files: str) -> Callable[[Study], Inputs]:
    """Inputs from tables of the study, all of which there must be.

    ``files`` are others by stage and name.
    """

    def inputs(study: Study) -> Inputs:
        if not all(TABLES[name].inputs(study) for name in names):
            return Inputs()
        tables = {name: f"{study.folder('table')}/{name}.csv" for name in names}
        others = {}
        for name, place in files.items():
            stage, _, file = place.partition("/")
            others[name] = f"{study.folder(stage)}/{file}"
        return Inputs(tables | others)

    return inputs


def _loss(study: Study) -> Inputs:
    runs = shown_engines([run for run in study.runs if study.model(run).history])
    folder = study.folder("model")
    return Inputs(runs=[(f"{folder}/{run}/history.csv", run_row(run)) for run in runs])


def _parity(study: Study) -> Inputs:
    runs = shown_engines(study.runs)
    return Inputs(
        runs=[
            (f"{study.observable_folder('errors', run)}/forces.csv", run_row(run)) for run in runs
        ]
    )


def _of_simulations(*files: tuple[str, str, str]) -> Callable[[Study], Inputs]:
    """Files of observables, their names and sources, for each simulation that is shown."""

    def inputs(study: Study) -> Inputs:
        shown = []
        for observable, file, source in files:
            for run in shown_runs(study, observable):
                row = simulation_row(study, run) | {"source": source}
                shown.append((f"{study.observable_folder(observable, run)}/{file}.csv", row))
        # what only repeats another program's curve makes no figure of its own
        return Inputs(runs=shown) if study.observed(files[0][0]) else Inputs()

    return inputs


def shown_runs(study: Study, observable: str) -> list[str]:
    """Simulations of an observable that a figure with one curve per run shows, see `shown_engines`."""
    engines: dict[str, list[str]] = {}
    for run in study.observed(observable):
        name, _, engine = run.partition("/")
        engines.setdefault(name, []).append(engine)
    return [f"{name}/{engine}" for name, all_ in engines.items() for engine in shown_engines(all_)]


def _learning_curve(study: Study) -> Inputs:
    if len(study.settings["sizes"]) == 1:
        return Inputs()
    names = [n for n in ("learning_curve", "stable_fraction") if TABLES[n].inputs(study)]
    return Inputs({name: f"{study.folder('table')}/{name}.csv" for name in names})


def _selector_errors(study: Study) -> Inputs:
    several = len(study.settings["selectors"]) > 1
    return _tables("errors", "learning_curve")(study) if several else Inputs()


def _rdf_selectors(study: Study) -> Inputs:
    runs = study.observed("rdf")
    if len(study.settings["selectors"]) == 1 or not any(is_model(r.split("/")[1]) for r in runs):
        return Inputs()
    curves = [
        (f"{study.observable_folder('rdf', run)}/rdf.csv", simulation_row(study, run))
        for run in runs
    ]
    return Inputs(_tables("errors")(study).files, curves)


def _coverage(study: Study) -> Inputs:
    folder = study.observable_folder("coverage", "frames")
    runs = study.observed("coverage")
    return Inputs(runs=[(f"{folder}/distributions.csv", {})] if runs else [])


def _energy_volume(study: Study) -> Inputs:
    """Curves of potentials, and of all models of the largest size."""
    largest = max(study.settings["sizes"])
    curves = [
        (f"{study.observable_folder('equation_of_state', run)}/energy_volume.csv", {"engine": run})
        for run in study.observed("equation_of_state")
        if not is_model(run) or run_row(run)["size"] == largest
    ]
    return Inputs(_tables("equation_of_state")(study).files, curves)


_OF_ALL_MODELS = (
    " Each dot is a trained model, of any seed and any member of a committee; their mean and standard "
    "deviation. Lines across are the reference potentials."
)

FIGURES = {
    "pool": Figure(
        "minset.figures.data:pool",
        _tables("selection", pool="pool/pool.csv", split="selection/split.csv"),
        "Instantaneous temperature and density of the frames of the pool (grey, in each panel), "
        "with the experimental fits where they are valid. First the test frames, which no selector "
        "could see, then the frames that each selector picked with the first seed.",
        system=("density",),
    ),
    "coverage": Figure(
        "minset.figures.coverage:coverage",
        _coverage,
        "Distances from environments of a testing set to the nearest one of a training set, a panel for "
        "each testing set: distributions over all draws. What stands at the left edge has its like "
        "there, as atoms without neighbours have.",
    ),
    "coverage_components": Figure(
        "minset.figures.coverage:components",
        _coverage,
        "Distributions of the components of the descriptor in each set, with zero mean and unit variance "
        "in the set that standardises. Narrow spikes are environments that occur again and again: of "
        "crystals, and of atoms without neighbours.",
    ),
    "novelty": Figure(
        "minset.figures.data:novelty",
        _tables("selection"),
        "Score of each pick at the moment it was picked, of the selectors that give one. For "
        "random network distillation it is the distance between target and predictor network: it "
        "falls as the predictor learns what has been seen; where it levels off, more frames bring "
        "little that is new. For a committee it is its disagreement.",
    ),
    "loss": Figure(
        "minset.figures.model:loss",
        _loss,
        "Loss on the training set (dotted) and the validation set (solid), and the force error on "
        "the validation set, over epochs. Circles mark the epoch whose weights were kept."
        + SOME_ARE_SHOWN,
    ),
    "parity": Figure(
        "minset.figures.model:parity",
        _parity,
        "Force components on the test set, predicted by each model against the labels."
        + SOME_ARE_SHOWN,
    ),
    "learning_curve": Figure(
        "minset.figures.selectors:learning_curve",
        _learning_curve,
        "Force errors on frames that no selection saw, against the number of training frames: "
        "geometric mean over seeds and its 95 % interval. L4, the fourth root of the mean fourth "
        "power, weighs the outliers that break simulations. Circles are filled by the share of "
        "stable runs, squares mean that none was stable. Points of one size stand side by side.",
    ),
    "selector_errors": Figure(
        "minset.figures.selectors:selector_errors",
        _selector_errors,
        "Force errors of every model on frames that no selection saw, by selector: one dot per "
        "seed, and the geometric mean with its 95 % interval. Of more than three sizes only the "
        "largest is shown.",
    ),
    "distributions": Figure(
        "minset.figures.selectors:distributions",
        _tables("selection", pool="pool/pool.h5"),
        "Classical energies per atom, atomic energies and forces of the frames that each selector "
        "picked, all seeds together, and of the whole pool (grey). Lines break where nothing was "
        "picked.",
    ),
    "rdf_selectors": Figure(
        "minset.figures.selectors:rdf_selectors",
        _rdf_selectors,
        "Radial distribution function of the cations with models of the largest size, by selector: "
        "mean over the stable runs and their range. Dotted: runs that broke, from their frames up "
        "to the break. On the right the range below the first peak, where ions closer than in the "
        "reference are an artefact of the model.",
    ),
    "stability": Figure(
        "minset.figures.simulation:stability",
        _tables("stability"),
        "How long molecular dynamics with each model stayed physical. A run ends when a force "
        "exceeds its limit, atoms come closer than 0.75 of the shortest distance of their species "
        "in the pool, or temperature or energy drift away; the reason stands beside the bar. "
        "Models that differ in their seed share a bar, their mean; each run is a stroke. Time is "
        "counted after equilibration.",
    ),
    "rdf": Figure(
        "minset.figures.simulation:rdf",
        _of_simulations(("rdf", "rdf", "MDAnalysis"), ("mdsuite", "mdsuite_rdf", "MDSuite")),
        "Partial radial distribution functions of stable runs with models (colour) and the "
        "reference potential (grey), from MDAnalysis with the standard error over five blocks; dashed: "
        "the same from MDSuite, where its environment is there." + SOME_ARE_SHOWN,
    ),
    "msd": Figure(
        "minset.figures.simulation:msd",
        _of_simulations(("transport", "msd", "kinisi")),
        "Mean squared displacement of each species and the fit whose slope is six times the "
        "self-diffusion coefficient (kinisi)." + SOME_ARE_SHOWN,
    ),
    "transport": Figure(
        "minset.figures.simulation:transport",
        _tables("diffusion", "conductivity"),
        "Self-diffusion coefficients and ionic conductivity from kinisi (with uncertainties) and, "
        "where its environment is there, MDSuite on the same trajectories, beside the experimental "
        "fits. No correction for the finite size of the cell." + SOME_ARE_SHOWN,
        system=("species",),
    ),
    "density": Figure(
        "minset.figures.simulation:density",
        _tables("density"),
        "Mean density at constant pressure with its standard error (block averaging), and, where a run "
        "can be compared with them, the experimental fits over the range where they hold; open marks: "
        "runs at another pressure or temperature." + SOME_ARE_SHOWN,
        system=("density",),
    ),
    "certificate": Figure(
        "minset.figures.certificate:certificate",
        _tables("certificate"),
        "Errors of each model on labelled frames of its own simulation (squares) beside those on the "
        "test set (dots); the mean density or pressure of the simulation (triangles) and what the labels "
        "would give (squares), where enough frames tell. Bars are 95 % intervals, grey the tolerances."
        + SOME_ARE_SHOWN,
    ),
    "relaxation": Figure(
        "minset.figures.crystals:relaxation",
        _tables("relaxation"),
        "Crystals in their minimum of the energy: energies relative to one structure, whose own is "
        "absolute, and volumes, against the number of training frames." + _OF_ALL_MODELS,
    ),
    "equation_of_state": Figure(
        "minset.figures.crystals:equation_of_state",
        _energy_volume,
        "Energy against volume of crystals with all models of the largest size (thin) and with the "
        "reference potentials (thick), above the lowest energy that each knows; and bulk moduli against "
        "the number of training frames." + _OF_ALL_MODELS,
    ),
    "surface_energy": Figure(
        "minset.figures.crystals:surface_energy",
        _tables("surface_energy"),
        "Surface energies against the number of training frames, with the atoms as cut and relaxed."
        + _OF_ALL_MODELS,
    ),
    "elastic": Figure(
        "minset.figures.crystals:elastic",
        _tables("elastic"),
        "Elastic constants of cubic crystals against the number of training frames."
        + _OF_ALL_MODELS,
    ),
}


def system_shown(study: Study, system: str, figure: str) -> dict:
    """What a figure shows of a system.

    Its name, and of its species and experimental densities what it draws.
    """
    content, wanted = study.systems[system], FIGURES[figure].system
    shown: dict = {"name": content["name"]}
    if "species" in wanted:
        shown["species"] = list(study.md_system(system)["species"])
    if "density" in wanted:
        fits = content.get("reference", {}).get("density", [])
        keys = ("name", "a_g_cm3", "b_g_cm3_K", "min_K", "max_K")
        shown["density"] = [{key: fit[key] for key in keys} for fit in fits]
    return shown
