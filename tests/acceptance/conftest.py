"""The whole platform as its users start it: `transcriber up` with real processes, in a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

ADMIN_PASSWORD = "first-password-of-the-admin"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True, kw_only=True)
class Stack:
    """One running (or stopped) `transcriber up`; start and stop it at will, the data dir stays."""

    data_dir: Path
    env: dict[str, str]
    url: str
    admin_password: str = ADMIN_PASSWORD
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait_s: float = 60) -> None:
        log = (self.data_dir.parent / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "up"], env=self.env, stdout=log, stderr=log, start_new_session=True
        )
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            assert self.process.poll() is None, self.console()
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(f"not ready after {wait_s} s\n{self.console()}")

    def console(self) -> str:
        return (self.data_dir.parent / "up.log").read_text(errors="replace")[-6000:]

    def stop(self, *, wait_s: float = 15) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(wait_s)

    def processes(self) -> list[psutil.Process]:
        """Every process that runs on this data dir, the supervisor among them."""
        mark = self.env["TRANSCRIBER_DATA_DIR"]
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TRANSCRIBER_DATA_DIR") == mark:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def kill_everything(self) -> None:
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        if self.process is not None:
            self.process.wait(10)

    def token(self) -> str:
        return (self.data_dir / "worker-token").read_text().strip()


def make_stack(folder: Path) -> Stack:
    data_dir, port, prefect_port = folder / "data", free_port(), free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    env |= {
        "TRANSCRIBER_DATA_DIR": str(data_dir),
        "TRANSCRIBER_PORT": str(port),
        "TRANSCRIBER_MODEL": "demo",
        "TRANSCRIBER_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "PREFECT_SERVER_API_PORT": str(prefect_port),
    }
    return Stack(data_dir=data_dir, env=env, url=f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One platform for all journeys that leave it running."""
    made = make_stack(tmp_path_factory.mktemp("stack"))
    made.start()
    yield made
    made.kill_everything()


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A platform of a test's own, not yet started, for tests that kill parts of it."""
    made = make_stack(tmp_path)
    yield made
    made.kill_everything()
