"""How a process sees to it that it does not outlive the one that started it."""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
SUPERVISOR = "TRANSCRIBER_SUPERVISOR_PID"
"""Set by `transcriber up` for the processes that it starts, and for nobody else."""


def die_with(parent_pid: int) -> None:
    """Ask the kernel to end this process when its parent ends; end at once if that has happened already.

    Linux alone offers this. Elsewhere the pipe that a child holds to its parent does the same, a moment later.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def die_with_supervisor() -> bool:
    """Do so if `transcriber up` has started this process; return whether it has."""
    parent = os.environ.pop(SUPERVISOR, None)
    if parent is not None:
        die_with(int(parent))
    return parent is not None
