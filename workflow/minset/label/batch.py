"""Labelling of a batch of frames: each frame once, checked, and resumable after any kill."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from minset.label.access import access_told, lock, open_store
from minset.label.check import above_gate, check_label, net_force_eV_A
from minset.label.migrate import migrate
from minset.label.record import Labeler
from minset.label.side_by_side import called
from minset.label.store import (
    Failure,
    Label,
    LabelFailed,
    canonical_json,
    failure_path,
    label_key,
    label_path,
    read_failure,
    read_label,
    write_failure,
    write_label,
)

# crashes, kills and time limits of one frame, after which it is not tried again
_ATTEMPTS = 3


@dataclass(frozen=True)
class _Job:
    """What stays the same for all frames of a batch."""

    labeler: Labeler
    settings: dict[str, Any]
    store: Path
    scratch: Path
    gate_eV_A: float
    threads: int


def label_batch(
    frames: list[tuple[str, Atoms]],
    labeler: Labeler,
    settings: dict[str, Any],
    store: Path,
    scratch: Path,
    net_force_gate_eV_A: float,
    log: Callable[[str], None] = print,
    threads: int = 1,
    processes: int = 1,
) -> list[dict[str, Any]]:
    """Label the frames that the store does not have yet; every finished one survives a kill.

    Parameters
    ----------
    frames
        Name and configuration of each frame; species, numbers of atoms and cells may differ.
    labeler
        Entry of LABELERS that computes a label.
    settings
        Its complete settings, from ``labeler.settings_of``.
    store
        Label store, shared by studies and by batches that run at the same time; made if it is not
        there, brought into today's form if version 0.1 made it.
    scratch
        Folder for the calculation in progress; a failed one moves to the store.
    net_force_gate_eV_A
        Largest net force of a label, eV/A; it holds for stored labels too.
    log
        Takes one line of progress.
    threads
        Cores for one calculation.
    processes
        Calculations side by side.

    Returns
    -------
    list of dict
        One row per frame, in order: frame, key, status ('labelled' or 'failed'), reason, seconds,
        scf_steps, net_force_eV_A, reused (True where nothing was computed in this call), try_again
        (True for a failure that the next call may not meet).

    Raises
    ------
    LabelerUnusable, FileNotFoundError
        At once, from the first frame, if the labeler would give a label for none; nothing is
        remembered against any frame.
    PermissionError, OSError
        If there is no access to the store.
    """
    store = open_store(store)
    migrate(store, log)
    job = _Job(labeler, settings, store, Path(scratch), net_force_gate_eV_A, threads)
    keys = [label_key(atoms, labeler.name, labeler.physics(settings, atoms)) for _, atoms in frames]

    def attempt(index: int, wait: bool) -> dict[str, Any] | None:
        with lock(store, keys[index], wait) as held:
            return _label_frame(*frames[index], keys[index], job) if held else None

    with access_told(store):
        missing = {key for key in keys if not label_path(store, key).exists()}
    rows: dict[int, dict[str, Any]] = {}
    computed: list[float] = []
    started = time.monotonic()
    waiting, wait = list(range(len(frames))), False
    while waiting:
        busy = []
        # frames that another process computes come last; then wait for the first of them
        calls = [(index, wait and index == waiting[0]) for index in waiting]
        for index, row in called(attempt, calls, processes):
            if row is None:
                busy.append(index)
                continue
            rows[index] = row
            missing.discard(keys[index])
            if not row["reused"]:
                computed.append(row["seconds"])
            line = f"[{len(rows)}/{len(frames)}] {_outcome(row)}"
            line += f"; elapsed {_duration(time.monotonic() - started)}"
            if computed and missing:
                to_go = len(missing) * sum(computed) / len(computed) / processes
                line += f", about {_duration(to_go)} to go"
            log(line)
        if busy:
            log(f"{len(busy)} frame(s) are being labelled by another process: waiting for them")
        waiting, wait = sorted(busy), True
    return [rows[index] for index in range(len(frames))]


def _label_frame(name: str, atoms: Atoms, key: str, job: _Job) -> dict[str, Any]:
    """Row of one frame: from the store, from a remembered failure, or computed now."""
    if (label := read_label(job.store, key)) is not None:
        net, info = label.provenance["net_force_eV_A"], label.provenance
        # another study with a wider gate may have stored it
        reason = above_gate(net, job.gate_eV_A) if net > job.gate_eV_A else ""
        seconds = info["seconds"]
        return _row(name, key, reason, seconds, info.get("scf_steps"), net, reused=True)
    previous = read_failure(job.store, key)
    if previous is not None and _stands(previous, atoms, job):
        reason = f"{previous.reason} {_remembered(job.store, key)}"
        return _row(name, key, reason, None, None, previous.net_force_eV_A, reused=True)
    return _compute(name, atoms, key, previous.attempts if previous else 0, job)


def _compute(name: str, atoms: Atoms, key: str, attempts: int, job: _Job) -> dict[str, Any]:
    workdir = job.scratch / key
    shutil.rmtree(workdir, ignore_errors=True)
    workdir.mkdir(parents=True)
    raw, started = None, time.monotonic()
    try:
        raw = job.labeler.label(atoms.copy(), job.settings, workdir, job.threads)
        check_label(raw, len(atoms), job.gate_eV_A)
    except LabelFailed as failed:
        seconds = time.monotonic() - started
        net = net_force_eV_A(raw.forces_eV_A) if raw and np.ndim(raw.forces_eV_A) == 2 else None
        net = net if net is not None and np.isfinite(net) else None
        reason, permanent = failed.reason, failed.permanent
        if not permanent and attempts + 1 >= _ATTEMPTS:
            reason, permanent = f"{reason}, as in the runs before, {attempts + 1} in all", True
        failure = Failure(
            reason=reason,
            permanent=permanent,
            attempts=attempts + 1,
            output=_keep_output(failed, workdir, key, attempts + 1, job.store),
            labeler=job.labeler.name,
            settings=job.settings,
            net_force_eV_A=net,
        )
        write_failure(job.store, key, failure)
        advice = _remembered(job.store, key) if permanent else "(the next run tries again)"
        row = _row(name, key, f"{reason} {advice}", seconds, None, net, reused=False)
        return row | {"try_again": not permanent}
    seconds, net = time.monotonic() - started, net_force_eV_A(raw.forces_eV_A)
    provenance = {
        **raw.info,
        "labeler": job.labeler.name,
        "settings": job.labeler.physics(job.settings, atoms),
        "seconds": seconds,
        "net_force_eV_A": net,
    }
    stress = raw.stress_eV_A3
    stress = None if stress is None else (stress + stress.T) / 2
    label = Label(key, atoms, float(raw.energy_eV), raw.forces_eV_A, stress, provenance)
    write_label(job.store, label)
    failure_path(job.store, key).unlink(missing_ok=True)
    shutil.rmtree(failure_path(job.store, key).with_suffix(""), ignore_errors=True)
    shutil.rmtree(workdir, ignore_errors=True)
    return _row(name, key, "", seconds, raw.info.get("scf_steps"), net, reused=False)


def _stands(failure: Failure, atoms: Atoms, job: _Job) -> bool:
    """Whether a remembered failure would come again with the settings and the gate of this job."""
    # the others are in the key
    effort = set(job.settings) - set(job.labeler.physics(job.settings, atoms))
    settings = [{k: s.get(k) for k in effort} for s in (failure.settings, job.settings)]
    same_effort = canonical_json(settings[0]) == canonical_json(settings[1])
    passes_now = failure.net_force_eV_A is not None and failure.net_force_eV_A <= job.gate_eV_A
    return failure.permanent and same_effort and not passes_now


def _remembered(store: Path, key: str) -> str:
    return f"(not computed again; to have it tried again delete {failure_path(store, key)})"


def _keep_output(failed: LabelFailed, workdir: Path, key: str, run: int, store: Path) -> str:
    """Move the files of a failed calculation to the store; return the output's place there."""
    kept = failure_path(store, key).with_suffix("") / f"run-{run}"
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(workdir, kept)
    output = kept / failed.output.name if failed.output else kept
    return output.relative_to(store).as_posix()


def _row(
    frame: str,
    key: str,
    reason: str,
    seconds: float | None,
    scf_steps: int | None,
    net: float | None,
    reused: bool,
) -> dict[str, Any]:
    return {
        "frame": frame,
        "key": key,
        "status": "failed" if reason else "labelled",
        "reason": reason,
        "seconds": seconds,
        "scf_steps": scf_steps,
        "net_force_eV_A": net,
        "reused": reused,
        "try_again": False,
    }


def _outcome(row: dict[str, Any]) -> str:
    line = f"{row['frame']} {row['status']}"
    if row["reused"]:
        line += " (from the store)"
    elif row["status"] == "labelled":
        steps = "" if row["scf_steps"] is None else f"{row['scf_steps']} SCF steps, "
        line += f" in {row['seconds']:.1f} s ({steps}net force {row['net_force_eV_A']:.1e} eV/A)"
    return f"{line}: {row['reason']}" if row["reason"] else line


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
