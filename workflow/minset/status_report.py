"""What a status says: a table of stages, the failures with their reasons, and what time is left."""

import textwrap
from dataclasses import dataclass, field
from statistics import mean, median

_HEAD = ("stage", "done", "running", "failed", "to do", "seconds each", "left")
_FAILURES_SHOWN = 20


@dataclass(frozen=True)
class Job:
    """A job of a study.

    `state` is done, running, queued (by a cluster), failed or to do. `seconds` is the wall time of
    its last success, None without one, `elapsed_s` the time since a running job began. A job to do
    is `stopped` if it was interrupted, `outdated` if Snakemake will replace its result; a failed
    one is `ignored` if Snakemake does not miss its result.
    """

    stage: str
    rule: str
    state: str
    threads: int = 1
    seconds: float | None = None
    elapsed_s: float = 0.0
    log: str = ""
    reason: str = ""
    stopped: bool = False
    outdated: bool = False
    ignored: bool = False


@dataclass
class Frames:
    """Frames that a study wants labelled.

    `seconds` are the wall times of those that are done, `failures` reason and file of those
    without a label, `side_by_side` those that one job computes at a time; `more` says that some
    selections are still to come.
    """

    done: int = 0
    running: int = 0
    to_do: int = 0
    seconds: list[float] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    side_by_side: int = 1
    more: bool = False


@dataclass(frozen=True)
class Slots:
    """What runs at once: `number` jobs, or as many as have that number of cores; and in words."""

    number: int
    cores: bool
    words: str


def text(
    study: str, stages: list[str], jobs: list[Job], frames: Frames, slots: Slots, snakemake: str
) -> str:
    """The report of a study.

    Parameters
    ----------
    stages
        Names in their order; those without jobs are left out.
    snakemake
        Whether one runs, in words.
    """
    jobs = sorted(jobs, key=lambda job: stages.index(job.stage))
    rates = rates_of(jobs) | rates_of([job for job in jobs if job.state == "done"])
    rows, total_s, unknown = [_HEAD], 0.0, set()
    for stage in stages:
        of_stage = [job for job in jobs if job.stage == stage]
        if not of_stage:
            continue
        rest = [job for job in of_stage if job.state != "done"]
        known = [rates[job.rule] for job in of_stage if job.rule in rates]
        each = _number(mean(known)) if known else ""
        counts = _counts(of_stage)
        if stage == "label":
            seconds, without = frames_left(rest, frames, slots)
            rows.append(("label", *counts, "", ""))
            each = _number(median(frames.seconds)) if frames.seconds else ""
            stage, counts = "  frames", _frame_counts(frames)
        else:
            seconds, without = left(rest, rates, slots)
        rows.append((stage, *counts, each, _left_cell(seconds, without)))
        total_s += seconds
        unknown |= without
    done = sum(job.state == "done" for job in jobs)
    lines = [*_aligned(rows), *_failures(jobs, frames), *_remarks(study, jobs, frames), ""]
    if done == len(jobs):
        return "\n".join([*lines, f"{study}: all {done} jobs are done."])
    lines.append(
        f"{study}: {done} of {len(jobs)} jobs done, {snakemake}; "
        f"left: {_left_cell(total_s, unknown)} on {slots.words}."
    )
    if unknown and total_s:
        lines.append(f"No rate yet, not counted: {', '.join(sorted(unknown))}.")
    lines.append("An estimate from medians; that jobs wait for one another is not in it.")
    return "\n".join(lines)


def rates_of(jobs: list[Job]) -> dict[str, float]:
    """Median wall time of a job by rule, s."""
    measured: dict[str, list[float]] = {}
    for job in jobs:
        if job.seconds is not None:
            measured.setdefault(job.rule, []).append(job.seconds)
    return {rule: median(seconds) for rule, seconds in measured.items()}


def left(rest: list[Job], rates: dict[str, float], slots: Slots) -> tuple[float, set[str]]:
    """Wall time in s that jobs still need, and the rules among them without a rate (s a job)."""
    work = width = 0.0
    for job in rest:
        weight = job.threads if slots.cores else 1
        work += weight * max(rates.get(job.rule, 0.0) - job.elapsed_s, 0.0)
        width += weight
    seconds = work / min(slots.number, width) if rest else 0.0
    return seconds, {job.rule for job in rest} - set(rates)


def frames_left(rest: list[Job], frames: Frames, slots: Slots) -> tuple[float, set[str]]:
    """The same for label jobs, by the frames that they have to do."""
    count = frames.running + frames.to_do
    if not rest or not (count or frames.more):
        return 0.0, set()
    if not frames.seconds:
        return 0.0, {"label"}
    width = sum(job.threads if slots.cores else 1 for job in rest)
    at_once = min(slots.number, width) / width * len(rest) * frames.side_by_side
    return median(frames.seconds) * count / at_once, {"label"} if frames.more else set()


def _counts(jobs: list[Job]) -> tuple:
    """Cells of a row from done to to do."""
    states = [job.state for job in jobs]
    queued = states.count("queued")
    running = f"{states.count('running')}" + (f" (+{queued} queued)" if queued else "")
    return states.count("done"), running, states.count("failed"), states.count("to do")


def _frame_counts(frames: Frames) -> tuple:
    counts = frames.done, frames.running, len(frames.failures), frames.to_do
    return counts if any(counts) or not frames.more else ("", "", "", "?")


def _left_cell(seconds: float, unknown: set[str]) -> str:
    if unknown:
        return f"> {duration(seconds)}" if seconds else "no rate yet"
    return duration(seconds) if seconds else "-"


def _number(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def duration(seconds: float) -> str:
    """A time in words."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _aligned(rows: list[tuple]) -> list[str]:
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells
    ]


def _failures(jobs: list[Job], frames: Frames) -> list[str]:
    """What failed, once per reason, with the file of the first that has it."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for job in jobs:
        if job.state == "failed":
            by_reason.setdefault((job.rule, job.reason), []).append(job.log)
    for reason, file in frames.failures:
        by_reason.setdefault(("frame", reason), []).append(file)
    lines = ["", "failed:"] if by_reason else []
    for (what, reason), files in list(by_reason.items())[:_FAILURES_SHOWN]:
        many = f" (the first of {len(files)})" if len(files) > 1 else ""
        lines += [f"  {what}: {textwrap.shorten(reason, 200)}", f"    {files[0]}{many}"]
    if len(by_reason) > _FAILURES_SHOWN:
        lines.append(f"  and {len(by_reason) - _FAILURES_SHOWN} other reasons")
    return lines


def _remarks(study: str, jobs: list[Job], frames: Frames) -> list[str]:
    lines = []
    if frames.more and frames.done + frames.to_do:
        lines.append("Selections that are still to be made may want more frames.")
    if ignored := sorted({job.rule for job in jobs if job.ignored}):
        lines.append(
            f"What was made from earlier results of {', '.join(ignored)} is still there, so Snakemake "
            f"does not try these again: `snakemake --forcerun {' '.join(ignored)} --config "
            f"study={study}` does."
        )
    if stopped := sum(job.stopped for job in jobs):
        lines.append(f"Of the jobs to do, {stopped} were interrupted.")
    if outdated := sum(job.outdated for job in jobs):
        lines.append(
            f"Of the jobs to do, {outdated} have results that are out of date: "
            f"`snakemake -n --config study={study}` says why."
        )
    return ["", *lines] if lines else []
