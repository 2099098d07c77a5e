"""Show a fork under a command and an environment of its own, in `ps`."""

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def show(command: Sequence[str]) -> None:
    """Let /proc show this command and our environment, as if started with them.

    They are the memory in which the kernel put arguments and environment, one after the other. A command that is longer
    than the one before reaches into the environment, with spaces between its words, as PostgreSQL's do. Where there is
    no room, variables are left out. https://man7.org/linux/man-pages/man5/proc_pid_cmdline.5.html

    Where /proc may not be read, the title stays as it was.
    """
    with suppress(OSError):
        _show(command)


def _show(command: Sequence[str]) -> None:
    first, last, begin, end = _places()
    words = b"\0".join(os.fsencode(each) for each in command) + b"\0"
    title = words.ljust(last - first, b"\0") if len(words) <= last - first else words[:-1].replace(b"\0", b" ") + b"\0"
    if len(title) == last - first + 1:  # its end would be all that is in the environment, as readers of that see it
        title = title[:-1] + b" \0"
    size = (end if begin == last else last) - first
    ctypes.memmove(first, (title + _variables())[: size - 1].ljust(size, b"\0"), size)


def _places() -> tuple[int, int, int, int]:
    """Return where arguments begin and end, and the environment.

    They are fields 48 to 51 of /proc/self/stat.
    """
    after_name = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    first, last, begin, end = (int(each) for each in after_name[45:49])
    return first, last, begin, end


def _variables() -> bytes:
    """Return our settings, then inherited variables, then the rest; short ones first."""
    had = {
        each.partition(b"=")[0].decode(errors="replace")
        for each in Path("/proc/self/environ").read_bytes().split(b"\0")
    }

    def rank(name: str) -> tuple[bool, bool, int]:
        return not name.startswith("TRANSCRIBER_"), name not in had, len(os.environ[name])

    return b"".join(os.fsencode(f"{name}={os.environ[name]}\0") for name in sorted(os.environ, key=rank))
