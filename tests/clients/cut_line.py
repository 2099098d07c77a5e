"""A line to a server that can be cut: it forwards bytes, and breaks where a test says so."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.waiting import PATIENCE_S


class CutLine:
    """Forwards connections to `port`; closes one, without a word, after `cut_after` bytes to the server."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.port = 0
        self.cut_after: int | None = None
        self.cuts = 0
        self._open: set[socket.socket] = set()

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def cut_now(self) -> None:
        """Close all open connections."""
        for each in list(self._open):
            self._close(each)
        self.cuts += 1

    def _forward(self, near: socket.socket) -> None:
        with suppress(OSError):
            far = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
            far.settimeout(None)
            self._open |= {near, far}
            threading.Thread(target=self._back, args=(far, near), daemon=True).start()
            while block := near.recv(65536):
                if self.cut_after is not None:
                    self.cut_after -= len(block)
                    if self.cut_after <= 0:
                        self.cut_after = None
                        self.cuts += 1
                        break
                far.sendall(block)
            self._close(far)
        self._close(near)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):
            while block := far.recv(65536):
                near.sendall(block)
        self._close(far)
        self._close(near)

    def _close(self, each: socket.socket) -> None:
        self._open.discard(each)
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def cut_line() -> Iterator[CutLine]:
    """Open a line; give it the `port` of the server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = CutLine(listening)
        thread = threading.Thread(target=line.serve)
        thread.start()
        try:
            yield line
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            line.cut_now()
            thread.join(PATIENCE_S)
