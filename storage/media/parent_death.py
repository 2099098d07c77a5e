"""End a process when the process that started it ends."""

import contextlib
import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
SUPERVISOR = "TRANSCRIBER_SUPERVISOR_PID"
"""Set for the processes that `transcriber up` and workers start, and for nothing else."""


def be_killed_with_parent() -> None:
    """Let the kernel kill this process when its parent ends.

    Only Linux offers this. Elsewhere the pipe between child and parent does the same, a moment later.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def die_with(parent_pid: int) -> None:
    """Be killed with this parent; exit if it has ended already."""
    be_killed_with_parent()
    if os.getppid() != parent_pid:
        os._exit(1)


def die_with_supervisor() -> bool:
    """Die with the process of ours that started this one; return whether one did."""
    parent = os.environ.pop(SUPERVISOR, None)
    if parent is not None:
        die_with(int(parent))
    return parent is not None
