"""What jobs ask a cluster for.

Memory, time and GPUs, by the study, the records and the cluster's site.
"""

import math
from collections.abc import Callable
from pathlib import Path

from minset.names import is_model, run_row, set_row
from minset.observe import OBSERVABLES
from minset.observe.record import megabytes_of_frames, seconds_of_frames
from minset.potential import POTENTIALS
from minset.study import Study

# of text files; and what a frame of them has, as nobody knows before they are read
BYTES_PER_ATOM = 80
ATOMS_OF_A_GIVEN_FRAME = 200
# force calls of a job that relaxes a few crystals or slabs, times their atoms
CRYSTAL_ATOM_CALLS = 1e5
# rules whose jobs can use a GPU
ON_GPU = ("train", "simulate")


def asked(study: Study, site: dict, rule: str, wildcards, attempt: int) -> dict:
    """Resources of a job.

    Parameters
    ----------
    study, site
        See ``minset.study`` and ``minset.config.site``.
    rule
        A key of ``COSTS``.
    wildcards
        Of the job.
    attempt
        Number of the try, from 1.

    Returns
    -------
    dict
        ``mem_mb``: twice as much at each attempt. ``runtime`` in minutes: longer with each. Both
        are generous, and at most what the site's partitions with or without GPUs give. ``gpu``: 0
        or 1, where the study says so and the model can use one; ``gpu_model``: its type, empty
        without one, or SLURM would give it one.
    """
    seconds, megabytes = COSTS[rule](study, wildcards)
    gpu = int(rule in study.settings["gpu"] and _can_use_gpu(study, wildcards))
    memory = 2 ** (attempt - 1) * (4000 + 2 * megabytes)
    runtime = attempt * (30 + 3 * seconds / 60)
    return {
        "mem_mb": _within_partitions(site, "max_mem_mb", memory, gpu),
        "runtime": _within_partitions(site, "max_runtime", runtime, gpu),
        "gpu": gpu,
        "gpu_model": (gpu and site["gpu_model"]) or "",
    }


def _within_partitions(site: dict, limit: str, wanted: float, gpu: int) -> int:
    partitions = site["partitions"].values()
    kind = [p for p in partitions if bool(p.get("max_gpu")) == bool(gpu)] or partitions
    return math.ceil(min(wanted, max((p.get(limit, wanted) for p in kind), default=wanted)))


def _can_use_gpu(study: Study, wildcards) -> bool:
    run = getattr(wildcards, "run", None) or getattr(wildcards, "engine", "")
    return is_model(run) and study.model(run).gpu


def _seconds_per_atom(study: Study, system: str, potential: str) -> float:
    """Force call or MD step of one of a system's potentials on one core, per atom."""
    value = study.systems[system]["potentials"][potential]
    return POTENTIALS[value["potential"]].seconds_per_atom(value)


def _md_seconds(settings: dict, durations: tuple[str, ...], per_atom: float) -> float:
    steps = sum(settings[key] for key in durations) * 1000 / settings["timestep_fs"]
    return steps * settings["ions"] * per_atom


def _atoms_of_run(run: dict) -> float:
    """Atoms of all frames of a run of the pool; of files, from their size."""
    if "paths" in run:
        return sum(Path(path).stat().st_size for path in run["paths"]) / BYTES_PER_ATOM
    return run["frames"] * run["ions"]


def _atoms_per_frame(study: Study) -> int:
    """Atoms of a frame of the pool; of files, a guess."""
    return study.settings["pool"].get("ions", ATOMS_OF_A_GIVEN_FRAME)


def _pool_run(study: Study, w) -> tuple[float, float]:
    run = study.pool_runs[w.pool_run]
    atoms = _atoms_of_run(run)
    if "potential" not in study.settings["pool"]:
        return study.generator.seconds(run, atoms), atoms / 1000
    per_atom = _seconds_per_atom(study, w.system, study.settings["pool"]["potential"])
    return _md_seconds(run, ("equilibration_ps", "duration_ps"), per_atom), atoms / 1000


def _of_pool(seconds_per_atom: float) -> Callable[[Study, object], tuple[float, float]]:
    """Cost of a job that reads the whole pool."""

    def cost(study: Study, w) -> tuple[float, float]:
        atoms = sum(map(_atoms_of_run, study.pool_runs.values()))
        return atoms * seconds_per_atom, atoms / 1000

    return cost


def _select(study: Study, w) -> tuple[float, float]:
    seconds, megabytes = _of_pool(2e-6 * set_row(w.set)["size"])(study, w)
    calls = [study.model(run).seconds_per_atom_call for run in study.committee(w.set)]
    options = study.selector_options(w.set)
    if calls and "starts" in options:  # one member runs, all of them at the checks
        steps = options["duration_ps"] * 1000 / options["timestep_fs"]
        checks = options["duration_ps"] / options["check_ps"]
        walkers = len(options["starts"]) * options["walkers"]
        atom_calls = walkers * ATOMS_OF_A_GIVEN_FRAME * (steps * calls[0] + checks * sum(calls))
        return seconds + atom_calls, megabytes
    return seconds + _of_pool(sum(calls))(study, w)[0], megabytes


def _label(study: Study, w) -> tuple[float, float]:
    labels, ions = study.settings["labels"], _atoms_per_frame(study)
    settings = study.label_settings(w.system)
    frames = min(labels["frames_per_job"], study.frames_of(w.labelled))
    rounds = math.ceil(frames / labels["processes"])
    megabytes = labels["processes"] * study.labeler.megabytes(settings, ions)
    seconds = labels.get("seconds_per_frame") or study.labeler.seconds(settings, ions)
    return rounds * seconds, megabytes


def _train(study: Study, w) -> tuple[float, float]:
    parameters, record = study.training(w.system, w.run), study.model(w.run)
    atoms = run_row(w.run)["size"] * _atoms_per_frame(study)
    given = parameters["training"], parameters["settings"], atoms
    return record.seconds(*given), record.megabytes(*given)


def _start(study: Study, w) -> tuple[float, float]:
    settings = study.settings["simulations"][w.simulation]
    if settings["start"] == "pool":
        return 0.0, 0.0
    per_atom = _seconds_per_atom(study, w.system, study.settings["pool"]["potential"])
    return _md_seconds(settings, ("melt_ps",), per_atom), 0.0


def _engine_seconds_per_atom(study: Study, w, network: bool = False) -> float:
    """Force call of a trained model or a potential on one core, per atom."""
    if not is_model(w.engine):
        return _seconds_per_atom(study, w.system, w.engine)
    record = study.model(w.engine)
    per_atom = record.reference_seconds_per_atom_call if network else record.seconds_per_atom_call
    per_atom *= len(study.models_of(w.engine))
    if baseline := study.settings["models"][run_row(w.engine)["model"]].get("baseline"):
        per_atom += _seconds_per_atom(study, w.system, baseline)
    return per_atom


def _simulate(study: Study, w) -> tuple[float, float]:
    settings = study.settings["simulations"][w.simulation]
    per_atom = _engine_seconds_per_atom(study, w, settings["engine"] == "schnetpack")
    seconds = _md_seconds(settings, ("equilibration_ps", "duration_ps"), per_atom)
    return seconds, settings["ions"] / 10


def _atoms_of_trajectory(settings: dict) -> float:
    return settings["ions"] * settings["duration_ps"] / settings["sample_ps"]


def _certificate_frames(study: Study, w) -> tuple[float, float]:
    atoms = _atoms_of_trajectory(study.settings["simulations"][w.simulation])
    return seconds_of_frames(atoms), megabytes_of_frames(atoms)


def _observe(name: str) -> Callable[[Study, object], tuple[float, float]]:
    def cost(study: Study, w) -> tuple[float, float]:
        record = OBSERVABLES[name]
        if record.of == "model":
            atoms = study.settings["test"]["frames"] * _atoms_per_frame(study)
            return atoms * study.model(w.run).seconds_per_atom_call, record.megabytes(atoms)
        if record.of == "frames":
            atoms = sum(map(_atoms_of_run, study.pool_runs.values()))
            return record.seconds(atoms), record.megabytes(atoms)
        if record.of == "pool":
            seconds, megabytes = _of_pool(study.model(w.run).seconds_per_atom_call)(study, w)
            return seconds, 4 * megabytes
        if record.of == "engine":
            seconds = CRYSTAL_ATOM_CALLS * _engine_seconds_per_atom(study, w)
            return seconds + record.seconds(CRYSTAL_ATOM_CALLS), record.megabytes(0)
        settings = study.settings["simulations"][w.simulation]
        if record.of == "certificate":
            atoms = settings["ions"] * settings["certificate"]["frames"]
            seconds = atoms * study.model(w.engine).reference_seconds_per_atom_call
            return seconds + record.seconds(_atoms_of_trajectory(settings)), record.megabytes(atoms)
        atoms = _atoms_of_trajectory(settings)
        return record.seconds(atoms), record.megabytes(atoms)

    return cost


# seconds on one core and MB beside the libraries
COSTS = {
    "pool_run": _pool_run,
    "pool": _of_pool(1e-5),
    "describe": _of_pool(2e-5),
    "select": _select,
    "label": _label,
    "train": _train,
    "start": _start,
    "simulate": _simulate,
    "certificate_frames": _certificate_frames,
} | {name: _observe(name) for name in OBSERVABLES}
