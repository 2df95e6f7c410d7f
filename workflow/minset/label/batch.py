"""Labelling of a batch of frames: each frame once, checked, and resumable after any kill."""

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from minset.label.store import (
    Failure,
    Label,
    LabelFailed,
    RawLabel,
    canonical_json,
    failure_path,
    label_key,
    label_path,
    read_failure,
    read_label,
    write_failure,
    write_label,
)
from minset.processes import die_with

# stresses are symmetric up to the grid noise of the labeler
_ASYMMETRY_REL = 1e-3
_ASYMMETRY_EV_A3 = 1e-5
# crashes, kills and time limits of one frame, after which it is not tried again
_ATTEMPTS = 3


@dataclass(frozen=True)
class Labeler:
    """A labeler: `label(atoms, settings, workdir, threads) -> RawLabel`,
    `physics_settings(settings)`, the part of the settings that changes a label, and the names of
    the settings that a study may give."""

    name: str
    label: Callable[[Atoms, dict, Path, int], RawLabel]
    physics_settings: Callable[[dict], dict]
    study_settings: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Job:
    """What stays the same for all frames of a batch."""

    labeler: Labeler
    settings: dict[str, Any]
    physics: dict[str, Any]
    store: Path
    scratch: Path
    gate_eV_A: float
    threads: int


def batch_of(frame_index: int, batches: int) -> int:
    """Batch that labels a frame: index modulo the number of batches."""
    if batches < 1:
        raise ValueError(f"the number of label batches must be at least 1, not {batches}")
    return frame_index % batches


def net_force_eV_A(forces_eV_A: np.ndarray) -> float:
    """Norm of the vector sum of the forces (n, 3) on a cell, in eV/A; exactly 0 in nature."""
    return float(np.linalg.norm(np.sum(forces_eV_A, axis=0)))


def check_label(raw: RawLabel, n_atoms: int, net_force_gate_eV_A: float) -> None:
    """Raise LabelFailed (permanent) unless a label is whole, finite and within the gate.

    Parameters
    ----------
    raw : label to check.
    n_atoms : number of atoms of the frame.
    net_force_gate_eV_A : largest net force accepted, eV/A; it exposes grid noise.
    """
    forces, stress = np.asarray(raw.forces_eV_A), np.asarray(raw.stress_eV_A3)
    if forces.shape != (n_atoms, 3):
        raise LabelFailed(f"forces of shape {forces.shape} for {n_atoms} atoms", permanent=True)
    if stress.shape != (3, 3):
        raise LabelFailed(f"stress of shape {stress.shape} instead of (3, 3)", permanent=True)
    for name, value in (("energy", raw.energy_eV), ("forces", forces), ("stress", stress)):
        if not np.isfinite(value).all():
            raise LabelFailed(f"{name} with values that are not finite", permanent=True)
    asymmetry = np.abs(stress - stress.T).max()
    if asymmetry > _ASYMMETRY_EV_A3 + _ASYMMETRY_REL * np.abs(stress).max():
        raise LabelFailed(f"stress not symmetric by {asymmetry:.1e} eV/A^3", permanent=True)
    net = net_force_eV_A(forces)
    if net > net_force_gate_eV_A:
        raise LabelFailed(_above_gate(net, net_force_gate_eV_A), permanent=True)


def _above_gate(net: float, gate: float) -> str:
    return f"net force on the cell {net:.2e} eV/A is above the gate of {gate:.2e} eV/A"


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
    frames : name and configuration of each frame.
    labeler, settings : what computes a label, and with which settings.
    store : label store, shared by studies and by batches that run at the same time.
    scratch : folder for the calculation in progress; a failed one moves to the store.
    net_force_gate_eV_A : largest net force of a label, eV/A; it holds for stored labels too.
    log : takes one line of progress.
    threads : cores for one calculation.
    processes : calculations side by side.

    Returns
    -------
    One row per frame, in order: frame, key, status ('labelled' or 'failed'), reason, seconds,
    scf_steps, net_force_eV_A, reused (True where nothing was computed in this call), try_again
    (True for a failure that the next call may not meet).
    """
    physics = labeler.physics_settings(settings)
    keys = [label_key(atoms, labeler.name, physics) for _, atoms in frames]
    job = _Job(labeler, settings, physics, Path(store), Path(scratch), net_force_gate_eV_A, threads)

    def attempt(index: int, wait: bool) -> dict[str, Any] | None:
        with _lock(job.store, keys[index], wait) as held:
            return _label_frame(*frames[index], keys[index], job) if held else None

    rows: dict[int, dict[str, Any]] = {}
    computed: list[float] = []
    missing = {key for key in keys if not label_path(job.store, key).exists()}
    started = time.monotonic()
    waiting, wait = list(range(len(frames))), False
    while waiting:
        busy = []
        # frames that another process computes come last; then wait for the first of them
        calls = [(index, wait and index == waiting[0]) for index in waiting]
        for index, row in _called(attempt, calls, processes):
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


_CALL: Callable[[int, bool], dict[str, Any] | None]


def _called(call, arguments: list[tuple[int, bool]], processes: int) -> Iterator[tuple[int, Any]]:
    """Yield the first argument and the result of each call as they are done."""
    if processes == 1:
        yield from ((each[0], call(*each)) for each in arguments)
        return
    # forked, so that a call need not be pickled
    worker = (_become_worker, (call, os.getpid()))
    with ProcessPoolExecutor(processes, get_context("fork"), *worker) as pool:
        futures = {pool.submit(_call, *each): each[0] for each in arguments}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenExecutor:
            raise RuntimeError(
                "a process of the batch was killed, perhaps because memory ended; run again: what "
                "is in the store is not computed again"
            ) from None
        except BaseException:
            # what a worker has started ends with it
            for child in active_children():
                child.kill()
            raise


def _become_worker(call, parent: int) -> None:
    global _CALL
    _CALL = call
    die_with(parent, signal.SIGKILL)


def _call(index: int, wait: bool) -> dict[str, Any] | None:
    return _CALL(index, wait)


def _label_frame(name: str, atoms: Atoms, key: str, job: _Job) -> dict[str, Any]:
    """Row of one frame: from the store, from a remembered failure, or computed now."""
    if (label := read_label(job.store, key)) is not None:
        net, info = label.provenance["net_force_eV_A"], label.provenance
        # another study with a wider gate may have stored it
        reason = _above_gate(net, job.gate_eV_A) if net > job.gate_eV_A else ""
        seconds = info["seconds"]
        return _row(name, key, reason, seconds, info.get("scf_steps"), net, reused=True)
    previous = read_failure(job.store, key)
    if previous is not None and _stands(previous, job):
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
        "settings": job.physics,
        "seconds": seconds,
        "net_force_eV_A": net,
    }
    stress = (raw.stress_eV_A3 + raw.stress_eV_A3.T) / 2
    label = Label(key, atoms, float(raw.energy_eV), raw.forces_eV_A, stress, provenance)
    write_label(job.store, label)
    failure_path(job.store, key).unlink(missing_ok=True)
    shutil.rmtree(failure_path(job.store, key).with_suffix(""), ignore_errors=True)
    shutil.rmtree(workdir, ignore_errors=True)
    return _row(name, key, "", seconds, raw.info.get("scf_steps"), net, reused=False)


def _stands(failure: Failure, job: _Job) -> bool:
    """Whether a remembered failure would come again with the settings and the gate of this job."""
    same_settings = canonical_json(failure.settings) == canonical_json(job.settings)
    passes_now = failure.net_force_eV_A is not None and failure.net_force_eV_A <= job.gate_eV_A
    return failure.permanent and same_settings and not passes_now


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


@contextmanager
def _lock(store: Path, key: str, wait: bool) -> Iterator[bool]:
    """Hold the lock of a key; yields False where another process has it and `wait` is False.

    The kernel drops a flock with the process, however it dies, so none is ever stale. It works on
    local disks, on NFSv4 and on Lustre mounted with flock.
    """
    path = store / "locks" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        held = True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            held = False
        yield held
