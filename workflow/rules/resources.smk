# What jobs ask for: memory, time, GPUs and modules, by the study and by the cluster's site.
import math
from pathlib import Path

from minset.config import ConfigError
from minset.config.site import read_site

# of one core, per ion: a force call or step of MD; rounded up from results/benchmarks and workflow/README.md
SECONDS_PER_ION = {"classical": 3e-5, "schnet": 2e-5, "schnet, network": 5e-4, "gap": 4e-3}


try:
    SITE = read_site(Path(workflow.basedir) / "profiles/slurm/site.yaml")
except ConfigError as error:
    sys.exit(str(error))


def memory_mb(megabytes, attempt, gpu=0):
    """Memory of a job that takes some MB beside its libraries, generously; twice as much at each attempt."""
    return within_partitions("max_mem_mb", 2 ** (attempt - 1) * (4000 + 2 * megabytes), gpu)


def runtime_min(seconds, attempt, gpu=0):
    """Time limit of a job that takes some seconds on one core, generously; longer with each attempt."""
    return within_partitions("max_runtime", attempt * (30 + 3 * seconds / 60), gpu)


def within_partitions(limit, wanted, gpu):
    """What a job wants, or the most that the site's partitions with or without GPUs give."""
    partitions = SITE["partitions"].values()
    kind = [p for p in partitions if bool(p.get("max_gpu")) == bool(gpu)] or partitions
    return math.ceil(min(wanted, max((p.get(limit, wanted) for p in kind), default=wanted)))


def gpus(rule, engine=None):
    """GPUs of a job: one where the study says so, and in simulations only for SchNets."""
    able = engine is None or engine_kind(engine) == "schnet"
    return int(able and rule in study["gpu"])


def gpu_model(gpu):
    """Type of a job's GPU; empty without one, or SLURM would give it one."""
    return (gpu and SITE["gpu_model"]) or ""


def engine_kind(engine, simulation=None):
    """Key of SECONDS_PER_ION of a force engine."""
    if engine in study["reference"]:
        return "classical"
    kind = study["models"][run_row(engine)["model"]]["model"]
    network = simulation and study["simulations"][simulation]["engine"] == "schnetpack"
    return "schnet, network" if network and kind == "schnet" else kind


def md_seconds(settings, durations=("equilibration_ps", "duration_ps"), kind="classical"):
    """Time of MD with settings of a pool's run or of a simulation, over some of their durations."""
    steps = sum(settings[key] for key in durations) * 1000 / settings["timestep_fs"]
    return steps * settings["ions"] * SECONDS_PER_ION[kind]


def simulation_seconds(wildcards):
    """Time of a simulation with its engine."""
    kind = engine_kind(wildcards.engine, wildcards.simulation)
    return md_seconds(study["simulations"][wildcards.simulation], kind=kind)


def ions_in_pool():
    """Ions of all frames of the pool together."""
    return sum(run["frames"] * run["ions"] for run in POOL_RUNS.values())


def ions_in_test():
    """Ions of all frames of the test set together."""
    return study["test"]["frames"] * study["pool"]["ions"]


def ions_in_trajectory(wildcards):
    """Ions of all frames of a trajectory together."""
    settings = study["simulations"][wildcards.simulation]
    return settings["ions"] * settings["duration_ps"] / settings["sample_ps"]


def train_seconds(wildcards):
    """Time of a training that uses all its epochs."""
    epochs = study["models"][wildcards.model]["training"]["max_epochs"]
    return epochs * int(wildcards.size) * study["pool"]["ions"] * 1e-4


def label_seconds(system):
    """Time of a batch of labels; of CP2K at the settings in workflow/README.md, by the square of the ions."""
    ions, labels = study["pool"]["ions"], study["labels"]
    frames = study["test"]["frames"] + study["validation"]["frames"] + sum(largest_sizes().values())
    frames = math.ceil(frames / labels["batches"] / labels["processes"])
    if labels["labeler"] != "cp2k":
        return frames * ions * 5e-3
    settings = labeler_settings(system)
    dearer = 2 if settings["dispersion"] == "rvv10" else 1
    if settings["method"] == "GAPW":
        dearer *= 2
    return frames * 80 * (ions / 32) ** 2 * dearer


def label_megabytes():
    """Memory of a batch of labels: CP2K takes 1.1 GB for 32 ions."""
    return study["labels"]["processes"] * 40 * study["pool"]["ions"]


def label_modules():
    """Environment modules of the labeler."""
    return SITE["cp2k_modules"] if study["labels"]["labeler"] == "cp2k" else []
