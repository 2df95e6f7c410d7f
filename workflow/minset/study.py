"""A study: its names, paths, sets and runs, and the slices of system and study that its jobs use.

Everything that the workflow's rules ask for, without Snakemake. A job's parameters are slices: what
the job uses and nothing else, in an order of keys of their own. So a citation or a section of
another stage changes no job.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from minset.config import load_study, observable_options, simulation_density
from minset.label import LABELERS
from minset.model import MODELS, member_seed
from minset.names import (
    HELD_OUT,
    MEAN,
    certificate_name,
    certificate_row,
    dataset_of,
    is_model,
    run_name,
    run_row,
    set_name,
    set_row,
)
from minset.observe import OBSERVABLES
from minset.observe.coverage import files_of, selections_of
from minset.pool import GENERATORS
from minset.registry import defaults_of
from minset.select import SELECTORS
from minset.system import start_density_g_cm3

# keys of a system file that no computation uses
COMMENTS = frozenset({"source", "uncertainty_percent"})
# keys of a simulation that say who runs it and what is computed from it, not how it runs
_CHOICES = frozenset(
    {"sizes", "selectors", "seeds", "models", "members", "observables", "certificate"}
)
# what decides a start, by its kind
_OF_START = {
    "melt": ("ions", "density_g_cm3", "temperature_K", "melt_ps", "seed"),
    "pool": ("ions", "density_g_cm3"),
}


@dataclass(frozen=True)
class Study:
    """A study with all defaults filled in, and the systems that it names."""

    name: str
    settings: dict
    systems: dict[str, dict]

    def folder(self, stage: str) -> str:
        """Folder of a stage's results, with ``{system}`` for the system's name."""
        owner = self.settings["pool"].get("study", self.name) if stage == "pool" else self.name
        return f"results/{{system}}/{stage}/{owner}"

    # pool

    @property
    def generator(self):
        """Record of the study's pool generator."""
        return GENERATORS[self.settings["pool"]["generator"]]

    @cached_property
    def pool_runs(self) -> dict[str, dict]:
        """Runs that fill the pool, by name."""
        return {run["name"]: run for run in self.generator.plan(self.settings["pool"])}

    def pool_files(self) -> list[Path]:
        """Files with the frames of all runs of all pools."""
        folders = [self.folder("pool").replace("{system}", system) for system in self.systems]
        return [Path(f"{folder}/runs/{run}.h5") for folder in folders for run in self.pool_runs]

    def pool_run(self, system: str, run: str) -> dict:
        """Settings of one run of a system's pool; of molecular dynamics with its first density."""
        settings = dict(self.pool_runs[run])
        if "potential" in self.settings["pool"] and "start" not in settings:
            given = self.settings["pool"].get("density_g_cm3")
            fits = self.systems[system].get("reference", {}).get("density", [])
            first_K = settings.get("bath_K") or settings["temperature_K"][0]
            settings["density_g_cm3"] = given or start_density_g_cm3(fits, first_K)
        return canonical(settings)

    def pool_system(self, system: str, run: str) -> dict:
        """What a run of the pool needs of a system: as MD, and the crystal with which it begins."""
        part = self.md_system(system, self.settings["pool"].get("potential"))
        crystal = self.generator.of_crystal(self.pool_runs[run])
        return self._with_crystal(part, system) if crystal else part

    def pool_run_files(self, run: str) -> list[str]:
        """Files that a run of the pool reads."""
        return self.generator.files(self.pool_runs[run])

    def md_system(self, system: str, potential: str | None = None) -> dict:
        """What MD needs of a system: its species, its composition and, if named, one of its potentials.

        Species come from the highest charge to the lowest, then by name, whatever their order in
        the file.
        """
        content = self.systems[system]
        species = content["species"]
        order = sorted(species, key=lambda s: (-species[s].get("charge", 0.0), s))
        part = {"species": {s: canonical(species[s]) for s in order}}
        if "composition" in content:
            part["composition"] = canonical(content["composition"])
        if potential is not None:
            part["potential"] = canonical(without_comments(content["potentials"][potential]))
        return part

    # selections

    def seeds(self, selector: str, size: int) -> list[int]:
        """Repetitions of a selector at a size."""
        more = self.settings["more_seeds"]
        wanted = size in more["sizes"] and selector in more.get("selectors", [selector])
        return self.settings["seeds"] + (more["seeds"] if wanted else [])

    @cached_property
    def datasets(self) -> list[str]:
        """Names of the training sets.

        Every selector, size and seed. A size's new frames have the same name.
        """
        return [
            set_name(selector, size, seed)
            for selector in self.settings["selectors"]
            for size in self.settings["sizes"]
            for seed in self.seeds(selector, size)
        ]

    @cached_property
    def _sizes(self) -> dict[tuple[str, int], list[int]]:
        sizes: dict[tuple[str, int], list[int]] = {}
        for row in map(set_row, self.datasets):
            sizes.setdefault((row["selector"], row["seed"]), []).append(row["size"])
        return {key: sorted(values) for key, values in sizes.items()}

    def smaller(self, name: str) -> list[str]:
        """Sets of a selection's smaller sizes, in their order."""
        row = set_row(name)
        sizes = self._sizes[row["selector"], row["seed"]]
        return [
            set_name(row["selector"], size, row["seed"]) for size in sizes if size < row["size"]
        ]

    @cached_property
    def ordered_sets(self) -> list[str]:
        """All sets of selected frames, those of one selector and seed one after the other by size."""
        return [
            set_name(selector, size, seed)
            for (selector, seed), sizes in self._sizes.items()
            for size in sizes
        ]

    def frames_of(self, name: str) -> int:
        """Frames that a set has at most.

        A selector may find fewer than a size adds, and a run may be too short for a certificate.
        """
        if name == HELD_OUT:
            return self.settings["test"]["frames"] + self.settings["validation"]["frames"]
        if row := certificate_row(name):
            return self.settings["simulations"][row["simulation"]]["certificate"]["frames"]
        before = self.smaller(name)
        return set_row(name)["size"] - (set_row(before[-1])["size"] if before else 0)

    def selector(self, name: str) -> str:
        """Kind of the selector that picks a set.

        Its own, or ``first`` where there are no models yet.
        """
        selector = set_row(name)["selector"]
        options = self.settings["selectors"][selector]
        kind = options.get("selector", selector)
        of_models = SELECTORS[kind].needs(options) & {"models", "certificate"}
        if of_models and not self.smaller(name):
            return options["first"]
        return kind

    def selector_options(self, name: str, system: str | None = None) -> dict:
        """Options of the selector that picks a set, without those that the workflow itself reads.

        With what it needs of a ``system``, if that is named.
        """
        options = self.settings["selectors"][set_row(name)["selector"]]
        kind = self.selector(name)
        record = SELECTORS[kind].options
        complete = defaults_of(record) | {k: v for k, v in options.items() if k in record}
        aside = {"model", "simulation", "first"}
        if "certificate" in SELECTORS[kind].needs(complete):
            aside -= {"first"}  # also where the simulation of a model broke
        given = canonical({k: v for k, v in complete.items() if k not in aside})
        if system and "system" in SELECTORS[kind].needs(complete):
            given["system"] = self.crystal_system(system, self.committee(name)[0])
        return given

    def descriptors_of_split(self) -> list[str]:
        """Kinds of descriptors that drawing the test frames looks at."""
        records = [SELECTORS[kind] for kind in self.settings["test"]["selectors"]]
        needs = [record.needs(defaults_of(record.options)) for record in records]
        return sorted({"frames"}.union(*needs))

    def descriptors_of(self, name: str) -> list[str]:
        """Kinds of descriptors, ``frames`` or ``atoms``, that the selector of a set looks at."""
        needs = SELECTORS[self.selector(name)].needs(self.selector_options(name))
        return sorted(needs & {"frames", "atoms"})

    def committee(self, name: str) -> list[str]:
        """Models of the size before that the selector of a set looks at.

        None for most selectors.
        """
        options = self.settings["selectors"][set_row(name)["selector"]]
        if "models" not in SELECTORS[self.selector(name)].needs(options):
            return []
        return self.members(self.smaller(name)[-1], options["model"])

    def certificate_files(self, name: str) -> list[str]:
        """Files of the certificate of the size before, from which the selector of a set picks.

        Its frames and their table, its verdicts and the errors of the frames; none for most selectors.
        """
        options = self.settings["selectors"][set_row(name)["selector"]]
        if "certificate" not in SELECTORS[self.selector(name)].needs(options):
            return []
        run = run_name(self.smaller(name)[-1], options["model"], member=1)
        frames = f"{self.folder('selection')}/{certificate_name(options['simulation'], run)}"
        tables = self.observable_folder("certificate", f"{options['simulation']}/{run}")
        return [f"{frames}.h5", f"{frames}.csv"] + [
            f"{tables}/{table}.csv" for table in OBSERVABLES["certificate"].tables
        ]

    def random_selector(self) -> str | None:
        """Name of the first selector of kind ``random``, with which others are compared.

        Or None.
        """
        for name, options in self.settings["selectors"].items():
            if options.get("selector", name) == "random":
                return name
        return None

    # labels

    @property
    def labeler(self):
        """Record of the study's labeler."""
        return LABELERS[self.settings["labels"]["labeler"]]

    @cached_property
    def labelled_sets(self) -> list[str]:
        """All sets whose frames are labelled.

        Certificates come before the selections that take their frames, with the labels.
        """
        return [HELD_OUT, *self.certificates, *self.ordered_sets]

    def label_parts(self, name: str) -> list[int]:
        """Numbers of the jobs that label a set."""
        return list(
            range(math.ceil(self.frames_of(name) / self.settings["labels"]["frames_per_job"]))
        )

    def label_tables(self, name: str) -> list[str]:
        """Tables of the jobs that label a set."""
        folder = f"{self.folder('label')}/{name}"
        return [f"{folder}/part-{part}.csv" for part in self.label_parts(name)]

    def label_settings(self, system: str) -> dict:
        """Settings of the labeler for a system that decide what a label is."""
        settings = self._labeler_settings(system)
        return canonical({k: v for k, v in settings.items() if k not in self.labeler.effort})

    def label_effort(self, system: str) -> dict:
        """Settings of the labeler that decide how a label is reached: commands, limits."""
        settings = self._labeler_settings(system)
        return {k: v for k, v in settings.items() if k in self.labeler.effort}

    def _labeler_settings(self, system: str) -> dict:
        given = self.settings["labels"]["settings"]
        return without_comments(self.labeler.settings_of(self.systems[system], given))

    # models

    def members(self, dataset: str, model: str) -> list[str]:
        """Names of the trained models of a dataset: one, or all members of a committee."""
        count = self.settings["models"][model]["members"]
        return [run_name(dataset, model, member) for member in range(1, count + 1)]

    @cached_property
    def runs(self) -> list[str]:
        """Names of all trained models."""
        return [
            run
            for dataset in self.datasets
            for model in self.settings["models"]
            for run in self.members(dataset, model)
        ]

    def model(self, run: str):
        """Record of the kind of a trained model."""
        return MODELS[self.settings["models"][run_row(run)["model"]]["model"]]

    def runs_of_kind(self, kind: str) -> list[str]:
        """Trained models of one kind."""
        return [run for run in self.runs if self.model(run) is MODELS[kind]]

    def training(self, system: str, run: str) -> dict:
        """Parameters of a training.

        ``settings`` of the model, with the baseline in full, of its ``training``, and its seed.
        """
        row = run_row(run)
        settings = self.settings["models"][row["model"]]
        own = {k: v for k, v in settings.items() if k not in ("training", "members")}
        if "baseline" in own:
            part = self.md_system(system, own["baseline"])
            own["baseline"] = {key: part[key] for key in ("species", "potential")}
        return {
            "settings": canonical(own),
            "training": canonical(settings["training"]),
            "seed": member_seed(row["seed"], row["member"]),
        }

    # simulations

    def simulated(self, simulation: str) -> list[str]:
        """Engines that run a simulation.

        The reference potentials, and the models that it asks for.
        """
        settings = self.settings["simulations"][simulation]
        members = [MEAN if member == "mean" else member for member in settings["members"]]
        wanted = settings | {"members": members}
        chosen = [
            run
            for run in self.runs + (self.committees if MEAN in members else [])
            if all(value in wanted.get(f"{key}s", [value]) for key, value in run_row(run).items())
        ]
        return self.settings["reference"] + chosen

    @cached_property
    def committees(self) -> list[str]:
        """Names of the means of all committees."""
        return [
            run_name(dataset, model, MEAN)
            for dataset in self.datasets
            for model, settings in self.settings["models"].items()
            if settings["members"] > 1
        ]

    def models_of(self, engine: str) -> list[str]:
        """Trained models that make the forces of an engine: one, all members of a committee, or none."""
        if not is_model(engine):
            return []
        row = run_row(engine)
        return self.members(dataset_of(engine), row["model"]) if row["member"] == MEAN else [engine]

    @cached_property
    def simulations(self) -> list[str]:
        """All simulations, as ``<simulation>/<engine>``."""
        names = self.settings["simulations"]
        return [f"{name}/{engine}" for name in names for engine in self.simulated(name)]

    def start(self, system: str, simulation: str) -> dict:
        """Settings of the start of a simulation, with its density in numbers.

        Of a start from the pool None, where it keeps that of the frame.
        """
        settings = dict(self.settings["simulations"][simulation])
        settings["density_g_cm3"] = simulation_density(self.systems[system], settings)
        return canonical({key: settings[key] for key in _OF_START[settings["start"]]})

    def _melts(self, simulation: str) -> bool:
        return self.settings["simulations"][simulation]["start"] == "melt"

    def start_system(self, system: str, simulation: str) -> dict:
        """What the start of a simulation needs of a system."""
        melts = self._melts(simulation)
        return self.md_system(system, self.settings["pool"]["potential"] if melts else None)

    def pool_of_start(self, simulation: str) -> list[str]:
        """Pool from which a simulation starts, if it does."""
        return [] if self._melts(simulation) else [f"{self.folder('pool')}/pool.h5"]

    def simulation(self, simulation: str) -> dict:
        """Settings of a simulation that change its course from a given start."""
        settings = self.settings["simulations"][simulation]
        aside = _CHOICES | {"ions", "density_g_cm3", "melt_ps", "start"}
        return canonical({key: value for key, value in settings.items() if key not in aside})

    def engine_system(self, system: str, engine: str) -> dict:
        """What MD needs of a system, with the potential if the engine is one."""
        return self.md_system(system, None if is_model(engine) else engine)

    def crystal_system(self, system: str, engine: str) -> dict:
        """What observables of an engine need of a system: as MD, and a crystal to start from."""
        return self._with_crystal(self.engine_system(system, engine), system)

    def _with_crystal(self, part: dict, system: str) -> dict:
        content = self.systems[system]
        return part | ({"crystal": canonical(content["crystal"])} if "crystal" in content else {})

    @cached_property
    def certificates(self) -> list[str]:
        """Sets of frames of certificates: of each trained model in each simulation that asks for it."""
        return [
            certificate_name(name, run)
            for name, settings in self.settings["simulations"].items()
            if "certificate" in settings
            for run in self.simulated(name)
            if is_model(run)
        ]

    def observed(self, observable: str) -> list[str]:
        """Simulations, trained models, or these and potentials, of which an observable is computed.

        Of what is computed of frames ``frames`` alone.
        """
        if OBSERVABLES[observable].of == "model":
            return self.runs
        if OBSERVABLES[observable].of == "engine":
            return self.settings["reference"] + self.runs if observable in self.settings else []
        if OBSERVABLES[observable].of == "frames":
            return ["frames"] if observable in self.settings else []
        if OBSERVABLES[observable].of == "pool":
            return self.runs if observable in self.settings else []
        if OBSERVABLES[observable].of == "certificate":
            return ["{simulation}/{run}".format(**certificate_row(c)) for c in self.certificates]
        asking = self.settings["simulations"]
        return [
            run
            for run in self.simulations
            if observable in asking[run.partition("/")[0]]["observables"]
        ]

    def selections_seen(self, observable: str) -> list[str]:
        """Selections that an observable of frames looks at, with their smaller sizes."""
        names = selections_of(self.settings.get(observable, {"sets": {}}))
        return list(dict.fromkeys(n for name in names for n in [*self.smaller(name), name]))

    def given_seen(self, observable: str) -> list[str]:
        """Files of the user that an observable of frames looks at."""
        return files_of(self.settings.get(observable, {"sets": {}}))

    def observable_folder(self, observable: str, run: str) -> str:
        """Folder of the tables of an observable of one run."""
        own = OBSERVABLES[observable].of in ("model", "engine", "frames", "pool")
        return f"{self.folder('observable')}/{f'{observable}/' if own else ''}{run}"

    def observed_pool(self, observable: str) -> str:
        """Pool of which an observable is, the study's own or a file that it names."""
        own = f"{self.folder('pool')}/pool.h5"
        return self.settings.get(observable, {}).get("path", own)

    def observable_settings(self, observable: str, simulation: str | None = None) -> dict:
        """Options of an observable, with the temperature and the time step of a simulation."""
        options = observable_options(self.settings, observable)
        if simulation:
            given = self.settings["simulations"][simulation]
            options |= {key: given[key] for key in ("temperature_K", "timestep_fs")}
            if OBSERVABLES[observable].of == "certificate":
                options |= given["certificate"] | {"engine": given["engine"]}
        if OBSERVABLES[observable].of == "frames":
            options |= {"descriptors": self.settings["descriptors"]}
        return canonical(options)

    @cached_property
    def job_names(self) -> set[str]:
        """Names of the jobs that the study has, as in the names of their logs."""
        parts = {
            f"{name}/part-{part}" for name in self.labelled_sets for part in self.label_parts(name)
        }
        names = {*self.pool_runs, *self.datasets, *self.runs, *self.simulations, *parts}
        names |= {*self.settings["simulations"], *self.settings["reference"]}
        return names | {"frames", "atoms"}


def read_study(name: str, folder: Path = Path("config"), **more) -> Study:
    """Read and check a study with its systems, see ``minset.config.load_study``."""
    return Study(name, *load_study(name, folder, **more))


def without_observable(study: Study, name: str) -> Study:
    """The study without an observable of its simulations."""
    simulations = {
        key: settings | {"observables": [o for o in settings["observables"] if o != name]}
        for key, settings in study.settings["simulations"].items()
    }
    return replace(study, settings=study.settings | {"simulations": simulations})


def without_comments(content, keys=COMMENTS):
    """A part of a system without some keys: sources, and uncertainties where nothing prints them."""
    if isinstance(content, dict):
        return {k: without_comments(v, keys) for k, v in content.items() if k not in keys}
    return [without_comments(v, keys) for v in content] if isinstance(content, list) else content


def canonical(content):
    """The same plain data with keys in alphabetical order: the order in a file means nothing."""
    if isinstance(content, dict):
        return {key: canonical(content[key]) for key in sorted(content)}
    if isinstance(content, list | tuple):
        return [canonical(value) for value in content]
    return content
