# What the rules take from the study and from Snakemake. Everything that needs no Snakemake is in minset/study.py.
import gc
import json
import shutil
import sys
from functools import cache, partial
from pathlib import Path

# also where another workflow has this one as a module
REPOSITORY = Path(workflow.current_basedir).parents[1]
# scripts find the library through the workflow's sys.path, in every kind of environment
sys.path.insert(0, str(REPOSITORY / "workflow"))

from minset import cost
from minset.adapter import ATTEMPT
from minset.config import ConfigError, held_out_runs, require_known_keys, study_name_of
from minset.config.site import read_site
from minset.config.version_1 import advice_on_pools
from minset.export.sources import about_of, certificates_there, exported_runs, verdicts_there
from minset.figures import FIGURES, figures_of, system_shown
from minset.label import LABELERS
from minset.model import MODELS
from minset.names import CERTIFICATE, HELD_OUT, certificate_name, dataset_of, is_model, set_row
from minset.observe import OBSERVABLES, mdsuite
from minset.outputs import TABLES, table_options, tables_of
from minset.published import decides
from minset.snakemake_inside import (
    remember_signatures,
    require_plain_python,
    require_slurm,
    uses_conda,
    without_rate_limit,
)
from minset.study import canonical, read_study, without_observable

# a plan is a million objects that stay: searching them for garbage took a tenth of its time
gc.set_threshold(200_000, 50, 100)


def say(line):
    """A line on the error stream, once: each job reads the workflow again."""
    if workflow.is_main_process:
        print(line, file=sys.stderr)


def own_or_ours(path):
    """A path of the folder in which Snakemake runs (`--directory`), where it is not there that of minset."""
    return Path(path) if Path(path).exists() else REPOSITORY / path


# of a project with studies of its own, systems too
CONFIG = own_or_ours("config/studies").parent
try:
    require_plain_python(sys.executable)
    require_known_keys(config)
    study = read_study(study_name_of(config["study"]), CONFIG, say=say)
    SITE = read_site(own_or_ours("profiles/slurm/site.yaml"))
except ConfigError as error:
    sys.exit(str(error))

# where its environment cannot be made, a study goes on without MDSuite
if study.observed("mdsuite") and not uses_conda(workflow):
    # a workflow that has this one as a module may leave it out
    given = config.get("mdsuite_python", ".venv-mdsuite/bin/python")
    config["mdsuite_python"] = str(own_or_ours(given))
    if not shutil.which(config["mdsuite_python"]):
        say(
            f"MDSuite: there is no {config['mdsuite_python']} (mdsuite_python in config/config.yaml), so the "
            "study goes on without its observables; `envs/setup.sh mdsuite` makes it where there is Python 3.11"
        )
        study = without_observable(study, "mdsuite")

for line in advice_on_pools(study.name, study.pool_files()):
    say(line)

STAGES = "pool selection label dataset model simulation observable figure table log benchmark"
POOL, SELECTION, LABEL, DATASET, MODEL, SIMULATION, OBSERVABLE, FIGURE, TABLE, LOG, BENCHMARK = (
    study.folder(stage) for stage in STAGES.split()
)
FRONT_PAGE = f"results/report-{study.name}.rst"
EXPORT = study.folder("export")
LABEL_STORE = "results/{system}/label/store"
MINSET = "../../envs/minset.yaml"
# how labels are reached changes none of them: it reaches the jobs beside their parameters
config["label_effort"] = {system: study.label_effort(system) for system in study.systems}
# so does what is published: adding or editing it runs no finished job again
config["published"] = decides.of_jobs(study)
# then label jobs do without the labeler's environment
ALL_TAKEN = decides.without_labeler(study)
config["pool_advice"] = study.generator.advice
config["density_fits"] = {
    name: system["reference"]["density"] for name, system in study.systems.items()
}
config["table_captions"] = {name: table.caption for name, table in TABLES.items()}
config["figure_captions"] = {name: figure.caption for name, figure in FIGURES.items()}


wildcard_constraints:
    system="[a-z0-9_-]+",
    pool_run=r"[A-Za-z0-9._+-]+",
    descriptor="frames|atoms",
    set=r"[A-Za-z0-9_]+-n\d+-s\d+",
    labelled=rf"{HELD_OUT}|[A-Za-z0-9_]+-n\d+-s\d+|{CERTIFICATE}/[A-Za-z0-9_]+/[A-Za-z0-9_-]+",
    part=r"\d+",
    run=r"[A-Za-z0-9_]+-n\d+-s\d+-[A-Za-z0-9_]+(-m\d+)?",
    simulation="[A-Za-z0-9_]+",
    engine="[A-Za-z0-9_-]+",


def resources_of(rule):
    """Memory, time and GPU of the jobs of a rule, by study and site; more at each attempt."""
    asked = partial(cost.asked, study, SITE, rule)
    keys = ("mem_mb", "runtime", *(("gpu", "gpu_model") if rule in cost.ON_GPU else ()))
    return {key: (lambda w, attempt, key=key: asked(w, attempt)[key]) for key in keys}


def alternatives(names):
    """Pattern of some names; without any, it matches nothing."""
    return "|".join(names) or "(?!)"


def placed(pattern, wildcards):
    """A path or paths of the system of a job."""
    if isinstance(pattern, str):
        return pattern.replace("{system}", wildcards.system)
    return [placed(each, wildcards) for each in pattern]


def label_tables(sets):
    """Tables of the jobs that label some sets."""
    return [table for name in sets for table in study.label_tables(name)]


def model_files(runs):
    """Files of some trained models."""
    return [f"{MODEL}/{run}/{file}" for run in runs for file in study.model(run).files]


@cache
def inputs_of(record):
    """Inputs of a table or a figure; each system asks for those of the study."""
    return record.inputs(study)


def made_from(inputs, wildcards):
    """Inputs of a table or a figure: single files by name, and the files of runs."""
    single = {name: placed(path, wildcards) for name, path in inputs.files.items()}
    return single | {"tables": placed([path for path, _ in inputs.runs], wildcards)}


def settings_of(observable, wildcards):
    """Settings of an observable of a model or of a simulation."""
    return study.observable_settings(observable, wildcards.get("simulation"))


def system_of(observable, wildcards):
    """What an observable needs of a system."""
    if OBSERVABLES[observable].of == "engine":
        return study.crystal_system(wildcards.system, wildcards.engine)
    return study.md_system(wildcards.system)


def every(folder, names, *endings):
    """Files of all systems in a folder."""
    return expand(f"{folder}/{{name}}.{{ending}}", system=study.systems, name=names, ending=endings)


def left_missing(wildcards):
    """Results that jobs of the study were to replace when they failed or were killed.

    Snakemake removes them first and does not miss them while what was made from them is there.
    What a job of the study as it now is would not make is left out.
    """
    files = []
    for folder in map(Path, expand(LOG, system=study.systems)):
        for note in folder.rglob(f"*.log{ATTEMPT}"):
            log = str(note.relative_to(folder)).removesuffix(f".log{ATTEMPT}")
            _, _, name = log.partition("/")
            if not name or name in study.job_names:
                files += json.loads(note.read_text())["outputs"]
    missing = [file for file in files if not Path(file).exists()]
    return [file for file in missing if any(rule.is_producer(file) for rule in workflow.rules)]


def of_frames(observable):
    """What an observable of frames looks at."""
    return {
        "pool": f"{POOL}/pool.h5",
        "summary": f"{POOL}/pool.csv",
        "runs": f"{POOL}/runs.csv",
        "descriptors": f"{SELECTION}/descriptors-atoms.npy",
        "selections": lambda w: [
            placed(f"{SELECTION}/{name}.csv", w) for name in study.selections_seen(observable)
        ],
        "given": study.given_seen(observable),
    }


def asked_runs(wildcards):
    """The model of `--config model=...`, of each system."""
    try:
        runs = exported_runs(study, config.get("model"))
    except ValueError as error:
        sys.exit(str(error))
    return expand(f"{EXPORT}/{{run}}", system=study.systems, run=runs)
