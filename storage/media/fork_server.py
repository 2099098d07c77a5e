"""Fork children that have their modules loaded: `python -m storage.media.fork_server SOCKET`.

A new interpreter spends a third of a second on imports before it reads a byte; a fork spends a few milliseconds. The
server itself never opens media. `storage.media.sandbox` starts it, and sends a message for each child: the module and
its arguments as JSON, with two descriptors, the child's output and a socket. On this socket the server returns the
child's process id and pidfd, and later its exit status. It ends, with its children, when its client is gone, and after
a while without work.
"""

import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from storage.media.parent_death import die_with

IDLE_S = 60.0
MAX_MESSAGE_BYTES = 64 << 10
NUMBER = struct.Struct("=i")
LOADED = ("av", "av.audio.resampler", "av.stream", "av.subtitles.stream", "resource")


class ForkServer:
    """Serves one client, on a socket that keeps the borders of messages."""

    def __init__(self, control: socket.socket, idle_s: float = IDLE_S) -> None:
        self._control, self._idle_s = control, idle_s
        self._children: dict[int, tuple[int, socket.socket]] = {}  # by pidfd
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self) -> None:
        """Fork and reap until the client is gone or idle."""
        while ready := self._selector.select(None if self._children else self._idle_s):
            for key, _ in ready:
                if key.fileobj is not self._control:
                    self._reap(key.fd)
                elif not self._take():
                    self._kill_all()
                    return

    def _take(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, MAX_MESSAGE_BYTES, 2)
        if len(descriptors) != 2:
            return False
        output, status = descriptors[0], socket.socket(fileno=descriptors[1])
        module, *arguments = json.loads(message)
        program = importlib.import_module(module)
        server, pid = os.getpid(), os.fork()
        if not pid:
            die_with(server)  # the process that asked for it may be gone as well
            self._leave(status)
            _run(program.main, output, [module, *arguments])
        os.close(output)
        pidfd = os.pidfd_open(pid)
        self._children[pidfd] = pid, status
        self._selector.register(pidfd, selectors.EVENT_READ)
        with suppress(OSError):
            socket.send_fds(status, [NUMBER.pack(pid)], [pidfd])
        return True

    def _reap(self, pidfd: int) -> None:
        pid, status = self._children.pop(pidfd)
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, wait_status = os.waitpid(pid, 0)
        with status, suppress(OSError):
            status.send(NUMBER.pack(os.waitstatus_to_exitcode(wait_status)))

    def _kill_all(self) -> None:
        for pidfd in self._children:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def _leave(self, status: socket.socket) -> None:
        """Close what belongs to the server, in a child."""
        self._selector.close()
        self._control.close()
        status.close()
        for pidfd, (_, other) in self._children.items():
            os.close(pidfd)
            other.close()


def _run(program: Callable[[], None], output: int, arguments: list[str]) -> NoReturn:
    """Run the program as `python -m` would, and end."""
    status = 1
    try:
        os.dup2(output, sys.stdout.fileno())
        os.close(output)
        sys.argv = arguments
        program()
        sys.stdout.flush()
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    """Serve the client at the other end of the socket whose descriptor is given."""
    for module in LOADED:
        importlib.import_module(module)
    with socket.socket(fileno=int(sys.argv[1])) as control:
        ForkServer(control).serve()


if __name__ == "__main__":
    main()
