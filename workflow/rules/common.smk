# Reads the study and knows where everything is.
import json
import sys
from pathlib import Path

# scripts find the library through the workflow's sys.path, in every kind of environment
sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from minset.adapter import ATTEMPT
from minset.names import is_model, run_row, shown_engines
from minset.label import cp2k
from minset.config import ConfigError, held_out_runs, load_study, simulation_density
from minset.model import MODELS
from minset.pool import pool_runs
from minset.select import looks_at_atoms

STUDY = str(config["study"])
try:
    study, systems = load_study(STUDY, Path(workflow.basedir) / "config")
except ConfigError as error:
    sys.exit(str(error))

POOL = f"results/{{system}}/pool/{study['pool'].get('study', STUDY)}"
SELECTION = f"results/{{system}}/selection/{STUDY}"
LABEL = f"results/{{system}}/label/{STUDY}"
LABEL_STORE = "results/{system}/label/store"
DATASET = f"results/{{system}}/dataset/{STUDY}"
MODEL = f"results/{{system}}/model/{STUDY}"
SIMULATION = f"results/{{system}}/simulation/{STUDY}"
OBSERVABLE = f"results/{{system}}/observable/{STUDY}"
FIGURE = f"results/{{system}}/figure/{STUDY}"
TABLE = f"results/{{system}}/table/{STUDY}"
LOG = f"results/{{system}}/log/{STUDY}"
BENCHMARK = f"results/{{system}}/benchmark/{STUDY}"

POOL_RUNS = {run["name"]: run for run in pool_runs(study["pool"])}


wildcard_constraints:
    system="[a-z0-9_]+",
    pool_run=r"[A-Za-z0-9._+-]+",
    selector="[A-Za-z0-9_]+",
    model="[A-Za-z0-9_]+",
    simulation="[A-Za-z0-9_]+",
    size=r"\d+",
    seed=r"\d+",
    batch=r"\d+",


def descriptor_files():
    """Descriptors of frames, and of atoms if a selector looks at those."""
    files = {"descriptors": f"{SELECTION}/descriptors.npy"}
    if any(looks_at_atoms(name, options) for name, options in study["selectors"].items()):
        files["atom_descriptors"] = f"{SELECTION}/atom_descriptors.npy"
    return files


def seeds_of(selector, size):
    """Repetitions of a selector at a size."""
    more = study["more_seeds"]
    wanted = size in more["sizes"] and selector in more.get("selectors", [selector])
    return study["seeds"] + (more["seeds"] if wanted else [])


def largest_sizes():
    """Selector and seed of each selection, with the most frames that a dataset takes from it."""
    return {
        (selector, seed): size
        for size in sorted(study["sizes"])
        for selector in study["selectors"]
        for seed in seeds_of(selector, size)
    }


def selections(system):
    """Selection files of a system: all selectors and seeds."""
    folder = SELECTION.format(system=system)
    return [f"{folder}/{selector}-s{seed}.csv" for selector, seed in largest_sizes()]


def label_batches(system):
    """Tables of the label batches of a system."""
    batches = study["labels"]["batches"]
    return expand(f"{LABEL}/batch-{{batch}}.csv", system=system, batch=range(batches))


def all_label_batches():
    return [path for system in systems for path in label_batches(system)]


def datasets():
    """Names of the datasets: selector, size, seed."""
    return [
        f"{selector}-n{size}-s{seed}"
        for selector in study["selectors"]
        for size in study["sizes"]
        for seed in seeds_of(selector, size)
    ]


def model_runs():
    """Names of the trained models: a dataset and a model."""
    return [f"{dataset}-{model}" for dataset in datasets() for model in study["models"]]


def models_of_kind(kind):
    """The study's models of one kind."""
    return [name for name, settings in study["models"].items() if settings["model"] == kind]


def names_of_kind(kind):
    """Pattern of the names of the study's models of one kind; without any, it matches nothing."""
    return "|".join(models_of_kind(kind)) or "(?!)"


def runs_with_loss():
    """Names of the trained models that have a loss curve."""
    with_loss = models_of_kind("schnet")
    return [run for run in model_runs() if run_row(run)["model"] in with_loss]


def simulated(simulation):
    """Engines that run a simulation: the references, and the models it asks for."""
    settings = study["simulations"][simulation]
    runs = []
    for run in model_runs():
        row = run_row(run)
        if all(row[key] in settings.get(f"{key}s", [row[key]]) for key in row):
            runs.append(run)
    return study["reference"] + runs


def simulation_runs(ensembles=("nve", "nvt", "npt")):
    """Pairs `<simulation>/<engine>` of all simulations in some ensembles."""
    return [
        f"{name}/{engine}"
        for name, settings in study["simulations"].items()
        if settings["ensemble"] in ensembles
        for engine in simulated(name)
    ]


def labeler_settings(system):
    """Settings of the study's labeler for a system."""
    settings, content = study["labels"]["settings"], systems[system]
    if study["labels"]["labeler"] == "cp2k":
        return cp2k.DEFAULTS | content["cp2k"] | settings
    parameters = {key: content[key] for key in ("species", "potential")}
    return {"potential": "bmhtf", "system": parameters} | settings


def model_settings(model):
    """Settings of a model without its training."""
    return {k: v for k, v in study["models"][model].items() if k != "training"}


def simulation_settings(wildcards):
    """Settings of a simulation that change its course, with its density in numbers."""
    choices = ("sizes", "selectors", "seeds", "models", "observables")
    given = study["simulations"][wildcards.simulation]
    settings = {key: value for key, value in given.items() if key not in choices}
    settings["density_g_cm3"] = simulation_density(systems[wildcards.system], settings)
    return settings


def model_files(system, run, reference=False):
    """Files of a trained model that tests and simulations take, or those of its reference path."""
    model = MODELS[study["models"][run_row(run)["model"]]["model"]]
    files = model.reference_files if reference else model.files
    return expand(f"{MODEL}/{{run}}/{{file}}", system=system, run=run, file=files)


def model_of(wildcards):
    """Model files that a simulation needs; none for a classical reference."""
    if wildcards.engine in study["reference"]:
        return []
    reference = study["simulations"][wildcards.simulation]["engine"] == "schnetpack"
    return model_files(wildcards.system, wildcards.engine, reference)


def simulation_row(run):
    """What identifies a simulation, as columns."""
    name, engine = run.split("/")
    temperature = study["simulations"][name]["temperature_K"]
    return {"simulation": name, "engine": engine, "temperature_K": temperature}


def observable_files(quantity):
    """Files of one quantity below OBSERVABLE without `.csv`, and what identifies each."""
    if quantity == "density":
        runs = {"density": simulation_runs(["npt"])}
        sources = {"density": "minset"}
    elif quantity == "rdf_peaks":
        runs, sources = {"rdf_peaks": observed("rdf")}, {"rdf_peaks": "MDAnalysis"}
    else:
        sources = {quantity: "kinisi", f"mdsuite_{quantity}": "MDSuite"}
        runs = {quantity: observed("transport"), f"mdsuite_{quantity}": observed("mdsuite")}
    return [
        (f"{run}/{file}", simulation_row(run) | {"source": source})
        for file, source in sources.items()
        for run in runs[file]
    ]


def observed(observable, runs=None):
    """Runs at constant volume, all or of those given, whose simulation asks for an observable."""
    runs = simulation_runs(["nvt", "nve"]) if runs is None else runs
    asking = [n for n, s in study["simulations"].items() if observable in s["observables"]]
    return [run for run in runs if simulation_row(run)["simulation"] in asking]


def mdsuite_python():
    """Python that has MDSuite: the conda environment's, or the one the config names."""
    from snakemake.settings.types import DeploymentMethod

    methods = workflow.deployment_settings.deployment_method
    return "python" if DeploymentMethod.CONDA in methods else config["mdsuite_python"]


def random_selector():
    """Name of the first selector of kind `random`, with which others are compared; or None."""
    for name, options in study["selectors"].items():
        if options.get("selector", name) == "random":
            return name


def of_models(runs):
    """Those of the runs `<simulation>/<engine>` whose engine is a trained model."""
    return [run for run in runs if is_model(simulation_row(run)["engine"])]


def comparison_tables():
    """Names of the tables that compare selectors and sizes; none for a single dataset."""
    if len(datasets()) == 1:
        return []
    names = ["learning_curve"]
    if of_models(simulation_runs()):
        names += ["stable_fraction"]
    if random_selector() and len(study["selectors"]) > 1:
        names += ["against_random"]
        if len(study["sizes"]) > 1:
            names += ["frames_needed"]
    return names


def comparison_inputs(wildcards):
    """Inputs of a table of `comparison_tables`."""
    names = ["stability"] if wildcards.comparison == "stable_fraction" else ["errors"]
    if wildcards.comparison == "against_random" and of_models(simulation_runs()):
        names += ["stability"]
    return {name: expand(f"{TABLE}/{name}.csv", system=wildcards.system)[0] for name in names}


def study_tables():
    """Names of the tables of one system."""
    names = ["selection", "labels", "errors", *comparison_tables()]
    if study["simulations"]:
        names += ["stability"]
    if observed("rdf"):
        names += ["rdf_peaks"]
        if study["reference"] and of_models(observed("rdf")):
            names += ["rdf_difference"]
    if observed("transport") + observed("mdsuite"):
        names += ["diffusion", "conductivity"]
    if simulation_runs(["npt"]):
        names += ["density"]
    return names


def study_figures():
    """Names of the figures of one system."""
    names = ["pool", "novelty", "distributions", "parity"]
    if runs_with_loss():
        names += ["loss"]
    if len(study["sizes"]) > 1:
        names += ["learning_curve"]
    if len(study["selectors"]) > 1:
        names += ["selector_errors"]
        if of_models(observed("rdf")):
            names += ["rdf_selectors"]
    if study["simulations"]:
        names += ["stability"]
    if observed("rdf"):
        names += ["rdf"]
    if observed("transport"):
        names += ["msd"]
    if observed("transport") + observed("mdsuite"):
        names += ["transport"]
    if simulation_runs(["npt"]):
        names += ["density"]
    return names


# tables that a figure reads; the other figures read files of runs
FIGURE_TABLES = {
    "novelty": ["selection"],
    "distributions": ["selection"],
    "learning_curve": ["learning_curve"],
    "selector_errors": ["errors", "learning_curve"],
    "rdf_selectors": ["errors"],
    "stability": ["stability"],
    "transport": ["diffusion", "conductivity"],
    "density": ["density"],
    "pool": ["selection"],
}


def figure_files(name):
    """Inputs of a figure by name: single files, or one per run (see `figure_rows`)."""
    single = {table: f"{TABLE}/{table}.csv" for table in FIGURE_TABLES.get(name, [])}
    if name == "pool":
        return single | {"pool": f"{POOL}/pool.csv", "split": f"{SELECTION}/split.csv"}, []
    if name == "distributions":
        return single | {"pool": f"{POOL}/pool.h5"}, []
    if name == "learning_curve" and "stable_fraction" in comparison_tables():
        return single | {"stable_fraction": f"{TABLE}/stable_fraction.csv"}, []
    if name == "rdf_selectors":
        runs = observed("rdf")
        return single, [(f"{OBSERVABLE}/{run}/rdf.csv", simulation_row(run)) for run in runs]
    if single:
        return single, []
    if name == "loss":
        runs = shown_engines(runs_with_loss())
        return {}, [(f"{MODEL}/{run}/history.csv", run_row(run)) for run in runs]
    if name == "parity":
        runs = shown_engines(model_runs())
        return {}, [(f"{OBSERVABLE}/errors/{run}/forces.csv", run_row(run)) for run in runs]
    if name == "msd":
        runs = shown_runs(observed("transport"))
        return {}, [(f"{OBSERVABLE}/{run}/msd.csv", simulation_row(run)) for run in runs]
    runs = shown_runs(observed("rdf"))
    sources = {"rdf": ("MDAnalysis", runs), "mdsuite_rdf": ("MDSuite", observed("mdsuite", runs))}
    return {}, [
        (f"{OBSERVABLE}/{run}/{file}.csv", simulation_row(run) | {"source": source})
        for file, (source, with_file) in sources.items()
        for run in with_file
    ]


def shown_runs(runs):
    """Those of the runs that a figure with one curve per run shows, see `shown_engines`."""
    engines = {}
    for row in map(simulation_row, runs):
        engines.setdefault(row["simulation"], []).append(row["engine"])
    return [f"{name}/{engine}" for name, all_ in engines.items() for engine in shown_engines(all_)]


def figure_inputs(wildcards):
    single, many = figure_files(wildcards.name)
    inputs = {k: expand(v, system=wildcards.system)[0] for k, v in single.items()}
    return inputs | {"tables": expand([f for f, _ in many], system=wildcards.system)}


def figure_rows(wildcards):
    """What identifies each of the `tables` of a figure."""
    return [row for _, row in figure_files(wildcards.name)[1]]


def all_figures():
    path = f"{FIGURE}/{{name}}.{{format}}"
    return expand(path, system=systems, name=study_figures(), format=["pdf", "png"])


def all_tables():
    return expand(f"{TABLE}/{{name}}.csv", system=systems, name=study_tables())


def left_missing(wildcards):
    """Results that jobs of the study were to replace when they failed or were killed.

    Snakemake removes them first and does not miss them while what was made from them is there.
    What a job of the study as it now is would not make is left out.
    """
    names = {*POOL_RUNS, *datasets(), *model_runs(), *simulation_runs(), *study["simulations"]}
    names |= {f"{selector}-s{seed}" for selector, seed in largest_sizes()}
    names |= {f"batch-{batch}" for batch in range(study["labels"]["batches"])}
    files = []
    for folder in (Path(LOG.format(system=system)) for system in systems):
        for note in folder.rglob(f"*.log{ATTEMPT}"):
            log = str(note.relative_to(folder)).removesuffix(f".log{ATTEMPT}")
            _, _, name = log.partition("/")
            if not name or name in names:
                files += json.loads(note.read_text())["outputs"]
    missing = [file for file in files if not Path(file).exists()]
    return [file for file in missing if any(rule.is_producer(file) for rule in workflow.rules)]
