"""Child processes for hostile media: without our secrets, under resource limits.

A decoder that crashes, loops or exhausts memory ends its child and nothing else.
https://man7.org/linux/man-pages/man2/setrlimit.2.html
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, Self

from storage.media.fork_server import NUMBER

MAX_MEMORY_BYTES = 1536 << 20  # address space; an hour of film at 60 frames per second takes 170 MiB
MAX_OPEN_FILES = 64
GIVES_UP = "it is damaged so that the decoder gives up"
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
"""Environment variables that Python and the decoder need; tokens and passwords are excluded."""


FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""Exit statuses of a child that the kernel, a service manager or a person ended: no fault of the file."""


def start(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start `python -m module`, which must call `confine` first; its output is a pipe."""
    command = [sys.executable, "-m", module, *arguments]
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        command, stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere, bufsize=0, env=clean_environment()
    )


def fork(module: str, *arguments: str) -> "ForkedChild | subprocess.Popen[bytes]":
    """Run the module's `main` like `start`, within milliseconds.

    Paths must be absolute. Where there are no pidfds (Linux has them), it is started.
    """
    return (_fork_server.fork(module, *arguments) if sys.platform == "linux" else None) or start(module, *arguments)


def confine(cpu_s: int, *, memory_bytes: int = MAX_MEMORY_BYTES, open_files: int = MAX_OPEN_FILES) -> None:
    """Limit this process; after `cpu_s` seconds of processor time it gets SIGXCPU."""
    import resource

    for limit, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))


def clean_environment() -> dict[str, str]:
    """Return the environment variables that a child may have."""
    return {name: value for name, value in os.environ.items() if name in PASSED_ON}


class ForkedChild:
    """A child of the fork server; a context manager."""

    def __init__(self, pid: int, pidfd: int, status: socket.socket, stdout: IO[bytes]) -> None:
        self.pid, self.stdout = pid, stdout
        self._pidfd, self._status = pidfd, status
        self._returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, below 0 for a signal.

        Raises:
            subprocess.TimeoutExpired: it is still running.
        """
        if self._returncode is None:
            ready = select.poll()
            ready.register(self._status, select.POLLIN)
            if not ready.poll(None if timeout is None else 1000 * timeout):
                raise subprocess.TimeoutExpired("fork", timeout or 0.0)
            told = self._status.recv(NUMBER.size)
            if not told:  # the server was killed, and nobody else ends its children
                self.kill()
            self._returncode = NUMBER.unpack(told)[0] if told else -signal.SIGKILL
            self._status.close()
            os.close(self._pidfd)
        return self._returncode

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        if self._returncode is None:
            try:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            except ProcessLookupError:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.wait()


class _ForkServerClient:
    """Starts the fork server when it is needed, and asks it for children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, module: str, *arguments: str) -> ForkedChild | None:
        """Return the child, or None if the server cannot be had."""
        message = json.dumps([module, *arguments]).encode()
        for _ in range(2):  # the first may have ended for lack of work
            with self._lock:
                control = self._connected()
                if child := _asked(control, message):
                    return child
                self._close()
        return None

    def forget(self) -> None:
        """Leave the server to the process that started it, in a fork of this one."""
        if self._control is not None:
            self._control.close()
        self._lock, self._control, self._process = threading.Lock(), None, None

    def _connected(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [sys.executable, "-m", "storage.media.fork_server", str(theirs.fileno())]
                nowhere = subprocess.DEVNULL
                env = clean_environment() | {"OPENBLAS_NUM_THREADS": "1"}  # a fork keeps no threads
                self._process = subprocess.Popen(
                    command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=env, pass_fds=[theirs.fileno()]
                )
            self._control = ours
        return self._control

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.wait()
            self._process = None


def _asked(control: socket.socket, message: bytes) -> ForkedChild | None:
    """Ask for a child; return None if the server is gone."""
    output, its_output = os.pipe()
    status, its_status = socket.socketpair()
    try:
        socket.send_fds(control, [message], [its_output, its_status.fileno()])
    except OSError:
        os.close(output)
        status.close()
        return None
    finally:
        os.close(its_output)
        its_status.close()
    told, descriptors, _, _ = socket.recv_fds(status, NUMBER.size, 1)
    if not told:
        os.close(output)
        status.close()
        return None
    return ForkedChild(NUMBER.unpack(told)[0], descriptors[0], status, os.fdopen(output, "rb", buffering=0))


_fork_server = _ForkServerClient()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork_server.forget)
