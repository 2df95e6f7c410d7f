"""How far a study is: what is done, running, failed and to do, and how long the rest may take.

What there is to do is Snakemake's own answer: its DAG, built as for a dry run but without a lock.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
from snakemake import cli
from snakemake.api import SnakemakeApi, resolve_snakefile
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    DeploymentSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

from minset.adapter import attempt_note
from minset.label import LABELERS
from minset.label.store import canonical_json, failure_path, label_key, label_path
from minset.pool.store import read_frames
from minset.status_report import Frames, Job, Slots, text


def report(study: str, options: list[str]) -> str:
    """What `make status` prints; `options` are those of Snakemake's command line."""
    # Snakemake tells here which profiles it reads, or what is wrong with the options
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            _, arguments = cli.parse_args(options)
    except SystemExit as error:
        sys.exit(said.getvalue() if error.code else 0)
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)) as api:
        try:
            dag = _dag(api, study, arguments)
        except Exception as error:
            api.print_exception(error)
            sys.exit(1)
        marks = read_marks(Path(".snakemake/incomplete"))
        queue = _queue() if marks else {}
        begun = _snakemakes(study)
        jobs = {job: _job(dag, job, marks, queue, begun) for job in dag.jobs if job.output}
        frames = _frames(dag, {job for job in jobs if jobs[job].state == "running"})
        stages = list(dict.fromkeys(_stage(rule) for rule in dag.workflow.rules))
        words = "Snakemake runs" if begun else "no Snakemake runs on this machine"
        if not begun and dag.workflow.persistence.locked:
            words += (
                f" but the folder is locked (one runs elsewhere, or it was killed: then "
                f"`snakemake --unlock --config study={study}`)"
            )
    listed = list(jobs.values())
    slots = _slots(arguments, listed, bool(queue))
    return text(study, stages, listed, frames, slots, words)


def _dag(api: SnakemakeApi, study: str, arguments):
    """Snakemake's DAG of a study, by the settings that decide what is to be run again."""
    local = arguments.executor in (None, "local")
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=_cores(arguments) if local else None),
        config_settings=ConfigSettings(
            config=cli.parse_config(arguments.config) | {"study": study},
            configfiles=arguments.configfile,
        ),
        deployment_settings=DeploymentSettings(
            deployment_method=arguments.software_deployment_method
        ),
        snakefile=resolve_snakefile(arguments.snakefile),
        workdir=arguments.directory,
    )
    workflow.dag(
        DAGSettings(
            targets=arguments.targets,
            rerun_triggers=arguments.rerun_triggers,
            force_incomplete=True,
        )
    )
    # the methods that plan without a lock print their result, so the steps that they share
    planned = workflow._workflow
    planned._prepare_dag(forceall=False, ignore_incomplete=False, lock_warn_only=True)
    # building it would remove the inventory that a dry run has left for --trust-io-cache
    planned.persistence.drop_iocache = lambda: None
    planned._build_dag()
    return planned.dag


def _cores(arguments) -> int:
    return arguments.cores or arguments.jobs or len(os.sched_getaffinity(0))


def _slots(arguments, jobs: list[Job], on_cluster: bool) -> Slots:
    if arguments.executor not in (None, "local"):
        return Slots(arguments.jobs, False, f"{arguments.jobs} at once")
    running = sum(job.state == "running" for job in jobs)
    given = arguments.cores or arguments.jobs
    if on_cluster and running and not given:
        return Slots(running, False, f"{running} at once, as now")
    cores = _cores(arguments)
    return Slots(cores, True, f"{cores} cores" + ("" if given else ", all of this machine"))


def _stage(rule) -> str:
    return Path(str(rule.snakefile)).stem


@dataclass(frozen=True)
class Mark:
    """Snakemake's mark of a job that has begun and not ended: when, or its number in a queue."""

    time: float
    cluster_id: str | None


def read_marks(folder: Path) -> dict[str, Mark]:
    """Marks by output file; the file of a mark has the output's name in base64."""
    marks = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a job ends meanwhile
            if path.is_dir():
                continue
            try:
                content = json.loads(path.read_text())
            except json.JSONDecodeError:  # it is being written
                content = {}
            # long names are cut into folders, whose names begin with @
            name = "".join(part.lstrip("@") for part in path.relative_to(folder).parts)
            mark = Mark(path.stat().st_mtime, content.get("external_jobid"))
            marks[urlsafe_b64decode(name).decode()] = mark
    return marks


def _snakemakes(study: str) -> list[float]:
    """When those Snakemakes began that run in this folder and may run this study."""
    began = []
    for process in psutil.process_iter(["cmdline", "cwd", "create_time"]):
        words = process.info["cmdline"] or []
        if process.info["cwd"] != os.getcwd():
            continue
        if not any(Path(word).name == "snakemake" for word in words[:3]):
            continue
        named = [word for word in words if "study=" in word]
        if not named or any(word.endswith(f"study={study}") for word in named):
            began.append(process.info["create_time"])
    return began


def _queue() -> dict[str, str]:
    """States of SLURM's jobs of this folder by comment; none where SLURM does not answer."""
    command = ["squeue", "--me", "--noheader", "--format", "%T|%Z|%k"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.split("|", 2) for line in answer.stdout.splitlines()]
    return {comment: state for state, folder, comment in rows if folder == os.getcwd()}


def _comment(job) -> str:
    """How the SLURM executor describes a job; the number in its mark goes when it begins."""
    wildcards = "_".join(job.wildcards).replace("/", "_")
    return f"rule_{job.rule.name}" + (f"_wildcards_{wildcards}" if wildcards else "")


def _job(dag, job, marks: dict[str, Mark], queue: dict[str, str], begun: list[float]) -> Job:
    def described(state: str, **more) -> Job:
        log = str(job.log[0])
        seconds = _measured_s(job)
        return Job(_stage(job.rule), job.rule.name, state, job.threads, seconds, log=log, **more)

    mark = next((marks[file] for file in job.output if file in marks), None)
    listed = queue.get(_comment(job)) if mark else None
    if mark and (listed or any(mark.time >= moment for moment in begun)):
        if listed == "PENDING" or (mark.cluster_id and not listed):
            return described("queued")
        return described("running", elapsed_s=time.time() - mark.time)
    there = all(map(os.path.exists, job.output))
    reason = "" if mark else failure(Path(job.log[0]), job.is_shell, job.benchmark)
    if dag.needrun(job):
        if reason:
            return described("failed", reason=reason)
        return described("to do", stopped=mark is not None, outdated=there)
    if not there and (mark or reason):
        return described("failed", reason=reason or "interrupted", ignored=True)
    return described("done")


def _measured_s(job) -> float | None:
    """Wall time of a job's last success: recorded beside its first output, or its benchmark."""
    record = Path(f"{job.output[0]}.meta.json")
    if record.exists():
        return json.loads(record.read_text())["seconds"]
    if job.benchmark and Path(job.benchmark).exists():
        return float(pd.read_csv(job.benchmark, sep="\t")["s"].iloc[0])
    return None


def failure(log: Path, is_shell: bool = False, benchmark: str | None = None) -> str:
    """Why the last attempt of a job failed that does not run; empty if it did not.

    Parameters
    ----------
    is_shell
        True for a rule without a script: it leaves no note, but a log that is newer than its
        `benchmark`, which it writes when it succeeds.
    """
    if note := _content(attempt_note(log)):
        return note["error"] or "ended without an error: killed, or out of memory or time"
    if not is_shell or not log.exists():
        return ""
    ended = Path(benchmark).stat().st_mtime if benchmark and Path(benchmark).exists() else 0
    if ended >= log.stat().st_mtime:
        return ""
    lines = log.read_text(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "ended without a message")


def _frames(dag, running: set) -> Frames:
    """Frames that the selections want labelled, by the label store; `running` are Snakemake's jobs."""
    coming = {str(file) for job in dag.needrun_jobs() for file in job.output}
    frames, systems = Frames(), {}
    for job in dag.jobs:
        if job.rule.name == "label":
            systems.setdefault(job.wildcards.system, []).append(job)
    for jobs in systems.values():
        given, params = jobs[0].input, jobs[0].params
        if {str(given.pool), str(given.split)} & coming:
            frames.more = True
            continue
        all_ = [given.selections] if isinstance(given.selections, str) else given.selections
        selections = [file for file in all_ if str(file) not in coming]
        frames.more |= len(selections) < len(all_)
        frames.side_by_side = min(jobs[0].resources.processes, jobs[0].threads)
        roles = pd.read_csv(given.split)
        wanted = set(roles.loc[roles["role"] != "candidate", "frame"])
        wanted = wanted.union(*(pd.read_csv(file)["frame"] for file in selections))
        scratch = [Path(job.output[0]).with_suffix("") for job in jobs if job in running]
        in_work = {path.name for folder in scratch for path in folder.glob("*")}
        atoms = read_frames(given.pool, sorted(wanted))
        count_frames(frames, atoms, params.labels, params.settings, Path(params.store), in_work)
    return frames


def count_frames(
    frames: Frames, atoms: list, labels: dict, settings: dict, store: Path, in_work: set[str]
) -> None:
    """Add configurations to `frames` by what the store, which is only read, has of each.

    Parameters
    ----------
    labels, settings
        The study's `labels` and the settings of its labeler, as the rule `label` has them.
    in_work
        Keys of the frames that are being computed.
    """
    labeler, gate = LABELERS[labels["labeler"]], labels["net_force_gate_eV_A"]
    physics = labeler.physics_settings(settings)
    for key in (label_key(each, labeler.name, physics) for each in atoms):
        label, failed = _content(label_path(store, key)), _content(failure_path(store, key))
        if label:
            record = label["label"]["provenance"]
            if record["net_force_eV_A"] <= gate:
                frames.done += 1
                frames.seconds.append(record["seconds"])
            else:
                reason = f"net force above the study's gate of {gate:.2e} eV/A"
                frames.failures.append((reason, str(label_path(store, key))))
        elif key in in_work:
            frames.running += 1
        elif failed and canonical_json(failed["settings"]) == canonical_json(settings):
            again = "" if failed["permanent"] else " (the next run tries again)"
            frames.failures.append((failed["reason"] + again, str(failure_path(store, key))))
        else:
            frames.to_do += 1


def _content(path: Path) -> dict | None:
    """A JSON file, None if it is absent or damaged."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
