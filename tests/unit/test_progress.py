"""The line of a run that says what is left, from records as Snakemake logs them."""

import logging
import time

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from minset.progress import Progress
from minset.status_report import Job, Slots


def told(event: LogEvent, **more) -> logging.LogRecord:
    return logging.makeLogRecord({"event": event, **more})


@pytest.fixture
def clock(monkeypatch):
    """A clock to be set."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def progress(done: list[Job], rest: dict[int, Job], cores: int, seconds: dict[int, float]):
    lines: list[str] = []
    return Progress(done, rest, Slots(cores, True, ""), seconds.get, lines.append), lines


def ended(handler: Progress, number: int) -> None:
    handler.emit(told(LogEvent.JOB_FINISHED, job_id=number))
    handler.emit(told(LogEvent.PROGRESS, done=1, total=9))


def test_what_is_left_comes_from_the_times_of_jobs_of_the_same_rule(clock):
    rest = {n: Job("", "simulate", "") for n in range(6)} | {6: Job("", "table", "")}
    handler, lines = progress([Job("", "table", "", seconds=30.0)], rest, 2, {0: 300.0, 1: 600.0})
    handler.emit(told(LogEvent.JOB_STARTED, jobs=[0, 1]))
    ended(handler, 0)
    clock[0] += 60  # job 1 has run for a minute
    ended(handler, 9)  # not one that was to be done
    # 5 x 300 s and 30 s on two cores, then less a minute
    assert lines == ["about 12.8 min left", "about 12.2 min left"]
    clock[0] += 60
    ended(handler, 1)
    assert lines[-1] == "about 15.2 min left"  # 4 x 450 s and 30 s


def test_kinds_of_jobs_that_were_never_timed_are_named(clock):
    rest = {n: Job("", "pool", "") for n in range(5)}
    rest |= {
        n + 5: Job("", rule, "") for n, rule in enumerate(("select", "label", "train", "errors"))
    }
    handler, lines = progress([], rest, 1, {0: 40.0, 5: 10.0})
    handler.emit(told(LogEvent.PROGRESS, done=0, total=9))
    ended(handler, 0)
    assert lines == []  # of half of the jobs nothing is known
    ended(handler, 5)
    assert lines == ["more than 2.7 min left (no time yet of errors, label, train)"]


def test_of_many_kinds_the_first_are_named(clock):
    rest = {n: Job("", "pool", "") for n in range(9)} | {
        n + 9: Job("", c, "") for n, c in enumerate("abcde")
    }
    handler, lines = progress([], rest, 1, {0: 1.0})
    ended(handler, 0)
    assert lines == ["more than 8 s left (no time yet of a, b, c and 2 more)"]


def test_it_is_said_every_ten_seconds_at_most_and_not_at_the_end(clock):
    rest = {n: Job("", "table", "") for n in range(4)}
    handler, lines = progress([Job("", "table", "", seconds=30.0)], rest, 1, {})
    for number, seconds in ((0, 0.0), (1, 5.0), (2, 5.0), (3, 20.0)):
        clock[0] += seconds
        ended(handler, number)
    assert lines == ["about 90 s left", "about 30 s left"]
