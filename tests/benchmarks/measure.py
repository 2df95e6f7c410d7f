"""Timing of contestants in turns, and tables of results that grow row by row."""

import contextlib
import csv
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextlib.contextmanager
def denormals_flushed() -> Iterator[None]:
    """Numbers below 1e-38 count as zero, which schnetpack leaves to its user; in this thread alone."""
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def with_threads(names: list[str], threads: int) -> list[str]:
    """Contestants; with more threads without those that flush, as torch does in the calling one alone."""
    return [name for name in names if threads == 1 or not name.endswith("flushed")]


def interleaved(
    runs: dict[str, Callable[[], float]], budget_s: float, most: int = 5
) -> dict[str, list[float]]:
    """Repeat runs in turns, so that whatever else slows the machine slows all of them.

    Parameters
    ----------
    runs
        Functions that do one repetition and return its result in seconds, by contestant.
    budget_s
        Wall time for each contestant, its first repetition included. It may be exceeded, up to
        twice, to reach three repetitions, and one repetition is always made.
    most
        Repetitions after which a contestant is done.
    """
    results, spent, waiting = {name: [] for name in runs}, dict.fromkeys(runs, 0.0), list(runs)
    while waiting:
        for name in list(waiting):
            began = time.perf_counter()
            results[name].append(runs[name]())
            spent[name] += time.perf_counter() - began
            done = len(results[name])
            limit = budget_s if done >= 3 else 2 * budget_s
            if done >= most or spent[name] * (done + 1) / done > limit:
                waiting.remove(name)
    return results


def spread(values: list[float], name: str, digits: int = 4) -> dict[str, float]:
    """Median and quartiles of repeated measurements as columns of a table."""
    low, median, high = np.percentile(values, [25, 50, 75])
    columns = {name: median, f"{name}_q1": low, f"{name}_q3": high}
    return {key: float(f"{value:.{digits}g}") for key, value in columns.items()}


def append_rows(path: Path, rows: list[dict]) -> None:
    """Add rows to a CSV table, with the time of the measurement; they survive a kill."""
    fresh = not path.exists()
    now = datetime.now().isoformat(timespec="seconds")
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "measured"])
        if fresh:
            writer.writeheader()
        writer.writerows(row | {"measured": now} for row in rows)
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV table; none if it is not there."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def missing(path: Path, contestants: list[str], **case) -> list[str]:
    """Contestants that have no row yet for a case, such as ``model="small", ions=100``."""
    wanted = {key: str(value) for key, value in case.items()}
    done = {row["contestant"] for row in read_rows(path) if wanted.items() <= row.items()}
    return [name for name in contestants if name not in done]
