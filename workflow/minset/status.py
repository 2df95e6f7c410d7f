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
from pathlib import Path

import pandas as pd
import psutil
from snakemake import cli
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness

from minset.adapter import attempt_note
from minset.label import LABELERS
from minset.label.store import canonical_json, failure_path, label_key, label_path
from minset.sets import read_part
from minset.snakemake_inside import Mark, read_marks, slurm_comment, study_dag
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
            dag = study_dag(api, study, arguments, _cores(arguments))
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


def _job(dag, job, marks: dict[str, Mark], queue: dict[str, str], begun: list[float]) -> Job:
    def described(state: str, **more) -> Job:
        log = str(job.log[0])
        seconds = measured_s(job)
        return Job(_stage(job.rule), job.rule.name, state, job.threads, seconds, log=log, **more)

    mark = next((marks[file] for file in job.output if file in marks), None)
    listed = queue.get(slurm_comment(job)) if mark else None
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


def measured_s(job) -> float | None:
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
    """Frames that the sets want labelled, by the label store; `running` are Snakemake's jobs."""
    coming = {str(file) for job in dag.needrun_jobs() for file in job.output}
    frames, counted = Frames(), set()
    for job in (job for job in dag.jobs if job.rule.name == "label"):
        params, given = job.params, job.input
        frames.side_by_side = min(job.resources.processes, job.threads)
        if {str(given.frames), str(given.listed)} & coming:
            frames.more = True
            continue
        atoms, _ = read_part(given.frames, given.listed, params.part, params.size)
        scratch = Path(job.output[0]).with_suffix("")
        in_work = {path.name for path in scratch.glob("*")} if job in running else set()
        effort = dag.workflow.config["label_effort"][job.wildcards.system]
        count_frames(frames, atoms, params, effort, in_work, counted)
    return frames


def count_frames(
    frames: Frames, atoms: list, params, effort: dict, in_work: set[str], counted: set[str]
) -> None:
    """Add configurations to `frames` by what the store, which is only read, has of each.

    Parameters
    ----------
    params
        Of the rule `label`: ``labeler``, ``settings``, ``net_force_gate_eV_A``, ``store``.
    effort
        Settings of the labeler beside these; a failure met with others is no longer one.
    in_work
        Keys of the frames that are being computed.
    counted
        Keys that other sets have had counted; those of these are added.
    """
    labeler, gate, store = LABELERS[params.labeler], params.net_force_gate_eV_A, Path(params.store)
    for each in atoms:
        key = label_key(each, labeler.name, labeler.physics(params.settings, each))
        if key in counted:
            continue
        counted.add(key)
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
        elif failed and _same_effort(failed["settings"], effort):
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


def _same_effort(before: dict, effort: dict) -> bool:
    """Whether a failure was met with these commands and limits."""
    return canonical_json({key: before.get(key) for key in effort}) == canonical_json(effort)
