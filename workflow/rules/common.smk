# Reads the study, and knows where everything is. The only rule file with Python functions.
import sys
from pathlib import Path

# scripts find the library through the workflow's sys.path, in every kind of environment
sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from minset.label import cp2k
from minset.config import ConfigError, load_study, simulation_density

STUDY = str(config["study"])
try:
    study, systems = load_study(STUDY, Path(workflow.basedir) / "config")
except ConfigError as error:
    sys.exit(str(error))

POOL = f"results/{{system}}/pool/{STUDY}"
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


wildcard_constraints:
    system="[a-z0-9_]+",
    selector="[A-Za-z0-9_]+",
    model="[A-Za-z0-9_]+",
    simulation="[A-Za-z0-9_]+",
    size=r"\d+",
    seed=r"\d+",
    batch=r"\d+",


def selections(system):
    """Selection files of a system: all selectors and seeds."""
    path = f"{SELECTION}/{{selector}}-s{{seed}}.csv"
    return expand(path, system=system, selector=study["selectors"], seed=study["seeds"])


def label_batches(system):
    """Tables of the label batches of a system."""
    batches = study["labels"]["batches"]
    return expand(f"{LABEL}/batch-{{batch}}.csv", system=system, batch=range(batches))


def all_label_batches():
    return [path for system in systems for path in label_batches(system)]


def datasets():
    """Names of the datasets: selector, size, seed."""
    name = "{selector}-n{size}-s{seed}"
    return expand(name, selector=study["selectors"], size=study["sizes"], seed=study["seeds"])


def model_runs():
    """Names of the trained models: a dataset and a model."""
    return [f"{dataset}-{model}" for dataset in datasets() for model in study["models"]]


def simulated(simulation):
    """Engines that run a simulation: the references, and the models it asks for."""
    settings = study["simulations"][simulation]
    runs = []
    for run in model_runs():
        row = run_row(run)
        wanted = row["size"] in settings.get("sizes", [row["size"]])
        if wanted and row["selector"] in settings.get("selectors", [row["selector"]]):
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
    """Settings of a simulation with its density in numbers."""
    settings = dict(study["simulations"][wildcards.simulation])
    settings["density_g_cm3"] = simulation_density(systems[wildcards.system], settings)
    return settings


def model_of(wildcards):
    """Model files that a simulation needs; none for a classical reference."""
    if wildcards.engine in study["reference"]:
        return []
    compressed = study["simulations"][wildcards.simulation]["engine"] == "compressed"
    return expand(
        f"{MODEL}/{{engine}}/{{file}}",
        system=wildcards.system,
        engine=wildcards.engine,
        file=["compressed.npz"] if compressed else ["model.pt", "model.json"],
    )


def run_row(run):
    """What identifies a trained model, as columns."""
    selector, size, seed, model = run.split("-")
    return {"selector": selector, "size": int(size[1:]), "seed": int(seed[1:]), "model": model}


def simulation_row(run):
    """What identifies a simulation, as columns."""
    name, engine = run.split("/")
    temperature = study["simulations"][name]["temperature_K"]
    return {"simulation": name, "engine": engine, "temperature_K": temperature}


def observable_files(quantity):
    """Files of one quantity below OBSERVABLE without `.csv`, and what identifies each."""
    if quantity == "density":
        sources = {"density": "minset"}
    elif quantity == "rdf_peaks":
        sources = {"rdf_peaks": "MDAnalysis"}
    else:
        sources = {quantity: "kinisi", f"mdsuite_{quantity}": "MDSuite"}
    runs = simulation_runs(["npt"] if quantity == "density" else CONSTANT_VOLUME)
    return [
        (f"{run}/{file}", simulation_row(run) | {"source": source})
        for run in runs
        for file, source in sources.items()
    ]


CONSTANT_VOLUME = ("nvt", "nve")


def mdsuite_python():
    """Python that has MDSuite: the conda environment's, or the one the config names."""
    from snakemake.settings.types import DeploymentMethod

    methods = workflow.deployment_settings.deployment_method
    return "python" if DeploymentMethod.CONDA in methods else config["mdsuite_python"]


def study_tables():
    """Names of the tables of one system."""
    names = ["selection", "labels", "errors"]
    if study["simulations"]:
        names += ["stability"]
    if simulation_runs(CONSTANT_VOLUME):
        names += ["rdf_peaks", "diffusion", "conductivity"]
    if simulation_runs(["npt"]):
        names += ["density"]
    return names


def study_figures():
    """Names of the figures of one system."""
    names = ["pool", "novelty", "loss", "parity", "errors"]
    if study["simulations"]:
        names += ["stability"]
    if simulation_runs(CONSTANT_VOLUME):
        names += ["rdf", "msd", "transport"]
    if simulation_runs(["npt"]):
        names += ["density"]
    return names


def figure_files(name):
    """Inputs of a figure by name: single files, or one per run (see `figure_rows`)."""
    if name == "pool":
        single = {"pool": f"{POOL}/pool.csv", "split": f"{SELECTION}/split.csv"}
        return single | {"selection": f"{TABLE}/selection.csv"}, []
    if name == "novelty":
        return {"selection": f"{TABLE}/selection.csv"}, []
    if name == "loss":
        return {}, [(f"{MODEL}/{run}/history.csv", run_row(run)) for run in model_runs()]
    if name == "parity":
        files = [f"{OBSERVABLE}/errors/{run}/forces.csv" for run in model_runs()]
        return {}, list(zip(files, map(run_row, model_runs()), strict=True))
    if name == "errors":
        return {"errors": f"{TABLE}/errors.csv"}, []
    if name in ("stability", "density"):
        return {name: f"{TABLE}/{name}.csv"}, []
    if name == "transport":
        return {q: f"{TABLE}/{q}.csv" for q in ("diffusion", "conductivity")}, []
    runs = simulation_runs(CONSTANT_VOLUME)
    if name == "msd":
        return {}, [(f"{OBSERVABLE}/{run}/msd.csv", simulation_row(run)) for run in runs]
    return {}, [
        (f"{OBSERVABLE}/{run}/{file}.csv", simulation_row(run) | {"source": source})
        for run in runs
        for file, source in (("rdf", "MDAnalysis"), ("mdsuite_rdf", "MDSuite"))
    ]


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
