"""Time left of a run in the terminal, after each line in which Snakemake counts its jobs."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from minset.status import measured_s
from minset.status_report import Job, Slots, duration, left, rates_of

_EVERY_S = 10  # the line is for people
_NAMED = 3


class Progress(logging.Handler):
    """Counts the jobs of a run by what Snakemake logs.

    Parameters
    ----------
    done
        Jobs that ran before, whose times are known.
    rest
        Those that the run has to do, by their numbers in it.
    slots
        What runs at once.
    measured_s
        Wall time of a job that has ended, by its number, s; None where it left none.
    say
        Takes the line.
    """

    def __init__(
        self,
        done: list[Job],
        rest: dict[int, Job],
        slots: Slots,
        measured_s: Callable[[int], float | None],
        say: Callable[[str], None],
    ):
        super().__init__()
        self.done, self.rest, self.slots = done, rest, slots
        self.measured_s, self.say = measured_s, say
        self.began: dict[int, float] = {}
        self.said = -_EVERY_S

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of jobs that start and end; after a count of them say what is left."""
        try:
            self._take(record)
        except Exception:  # as of any handler: no line is worth a run
            self.handleError(record)

    def _take(self, record: logging.LogRecord) -> None:
        event, now = getattr(record, "event", None), time.monotonic()
        if event == LogEvent.JOB_STARTED:
            self.began |= dict.fromkeys(record.jobs, now)
        elif event == LogEvent.JOB_FINISHED:
            job = self.rest.pop(record.job_id, None)
            if job is not None:
                self.done.append(replace(job, seconds=self.measured_s(record.job_id)))
        elif (
            event == LogEvent.PROGRESS and now - self.said >= _EVERY_S and (line := self.line(now))
        ):
            self.said = now
            self.say(line)

    def line(self, now: float) -> str:
        """What is left, at a moment of ``time.monotonic``; empty while that is anybody's guess."""
        rest = [
            replace(job, elapsed_s=now - self.began.get(number, now))
            for number, job in self.rest.items()
        ]
        seconds, unknown = left(rest, rates_of(self.done), self.slots)
        if 2 * sum(job.rule in unknown for job in rest) >= len(rest):
            return ""
        if not unknown:
            return f"about {duration(seconds)} left"
        return f"more than {duration(seconds)} left (no time yet of {_some(sorted(unknown))})"


def _some(rules: list[str]) -> str:
    """Rules in words, of many the first ones."""
    more = len(rules) - _NAMED
    return ", ".join(rules[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def show_time_left(workflow) -> None:
    """Say what is left of a run that begins, as often as its jobs end."""
    jobs = {job.jobid: job for job in workflow.dag.jobs if job.output}
    wanted = {job.jobid for job in workflow.dag.needrun_jobs()}
    described = {
        number: Job("", job.rule.name, "", job.threads, measured_s(job))
        for number, job in jobs.items()
    }
    given = workflow.resource_settings
    slots = Slots(given.cores, True, "") if workflow.local_exec else Slots(given.nodes, False, "")
    handler = Progress(
        [job for number, job in described.items() if number not in wanted],
        {number: job for number, job in described.items() if number in wanted},
        slots,
        lambda number: measured_s(jobs[number]),
        logger.info,
    )
    logger.addHandler(handler)
