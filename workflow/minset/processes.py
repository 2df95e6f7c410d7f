"""Processes that leave nothing running behind."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with(parent: int, number: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent dies, however that happens.

    Parameters
    ----------
    parent
        Process that made this one; where it is gone already, this process ends here.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)
