"""Calls side by side in forked processes, none of which outlives an error or a kill of the first."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from typing import Any

from minset.processes import die_with

_CALL: Callable[[int, bool], Any]
_STOPPED: Any  # set by the first call that raises


def called(
    call: Callable[[int, bool], Any], arguments: list[tuple[int, bool]], processes: int
) -> Iterator[tuple[int, Any]]:
    """Yield the first argument and the result of each call as they are done.

    Parameters
    ----------
    call
        What to call; with more than one process its results are pickled, itself it is not.
    arguments
        Of each call.
    processes
        Calls at the same time; 1 calls here, in order.

    Raises
    ------
    RuntimeError
        If a process was killed. An exception of a call is raised as it is, and ends all others.
    """
    if processes == 1:
        yield from ((each[0], call(*each)) for each in arguments)
        return
    # forked, so that a call need not be pickled
    context = get_context("fork")
    worker = (_become_worker, (call, context.RawValue("b", 0), os.getpid()))
    with ProcessPoolExecutor(processes, context, *worker) as pool:
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


def _become_worker(call, stopped, parent: int) -> None:
    global _CALL, _STOPPED
    _CALL, _STOPPED = call, stopped
    die_with(parent, signal.SIGKILL)


def _call(index: int, wait: bool) -> Any:
    """The call, unless another one has raised: the first process has yet to see that."""
    if _STOPPED.value:
        return None
    try:
        return _CALL(index, wait)
    except BaseException:
        _STOPPED.value = 1
        raise
