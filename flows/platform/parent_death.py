"""End a process when the process that started it ends."""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
SUPERVISOR = "TRANSCRIBER_SUPERVISOR_PID"
"""Set for the processes that `transcriber up` and workers start, and for nothing else."""


def die_with(parent_pid: int) -> None:
    """Let the kernel kill this process when its parent ends; exit if it has.

    Only Linux offers this. Elsewhere the pipe between child and parent does the same, a moment later.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def die_with_supervisor() -> bool:
    """Die with the process of ours that started this one; return whether one did."""
    parent = os.environ.pop(SUPERVISOR, None)
    if parent is not None:
        die_with(int(parent))
    return parent is not None
