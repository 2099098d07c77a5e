"""A real Prefect server and real warm workers for tests of flows."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flows.platform import deploy
from tests.conftest import PLAIN, TINY_MODEL
from tests.processes import end, kill
from tests.waiting import PATIENCE_S, until

ROOT = Path(__file__).parents[2]
SMALL_FLOWS = ("mark", "lethal", "patient")
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LEAN_SERVER = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}
"""What `transcriber up` tells a Prefect server too: it starts without importing every integration."""
ENDS = contextlib.ExitStack()
"""Ends the server and its workers."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """End the server with the last test that needs it: there are others for minutes, and it is never quite idle."""
    yield
    if item is last_with_server(item.session):
        ENDS.close()


@cache
def last_with_server(session: pytest.Session) -> pytest.Item | None:
    found = (item for item in reversed(session.items) if "server_process" in getattr(item, "fixturenames", ()))
    return next(found, None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A Prefect server with our pools and deployments, and the environment that leads to it."""

    api_url: str
    env: dict[str, str]
    http: httpx.Client
    deployments: dict[tuple[str, str], str] = field(default_factory=dict)

    def start(
        self, flow: str, *, pool: str = "cpu", queue: str = "interactive", tags: tuple[str, ...] = (), **parameters: Any
    ) -> str:
        """Start a run of one of the small flows and return its id."""
        deployment = self.deployments.get((flow, pool)) or self._deploy(flow, pool)
        body = {"parameters": parameters, "work_queue_name": queue, "tags": list(tags)}
        return str(self._send(f"/deployments/{deployment}/create_flow_run", body)["id"])

    def _deploy(self, flow: str, pool: str) -> str:
        body = {
            "name": f"{flow}-{pool}",
            "flow_id": self._send("/flows/", {"name": flow})["id"],
            "entrypoint": f"tests/flows/small_flows.py:{flow}",
            "path": ".",
            "work_pool_name": pool,
            "enforce_parameter_schema": False,
        }
        self.deployments[flow, pool] = str(self._send("/deployments/", body)["id"])
        return self.deployments[flow, pool]

    def _send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(path, json=body)
        for _ in range(20):
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.2)  # SQLite is busy
            answer = self.http.post(path, json=body)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def run(self, flow_run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/flow_runs/{flow_run_id}").raise_for_status().json()
        return found

    def end(self, flow_run_id: str) -> dict[str, Any]:
        """Wait for the run's final state and return the run."""
        until(lambda: self.run(flow_run_id)["state_type"] in FINAL)
        return self.run(flow_run_id)

    def set_state(self, flow_run_id: str, kind: str) -> None:
        self._send(f"/flow_runs/{flow_run_id}/set_state", {"state": {"type": kind, "name": kind.title()}})


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of every process of these tests: free ports, and a folder of their own."""
    folder = tmp_path_factory.mktemp("prefect")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    return env | {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api",
        **LEAN_SERVER,
        "TRANSCRIBER_DATA_DIR": str(folder / "data"),
        "TRANSCRIBER_WEB_URL": f"http://127.0.0.1:{free_port()}",
        "TRANSCRIBER_MODEL": str(TINY_MODEL),
        "TRANSCRIBER_BATCH_SOURCES": f"admin={tmp_path_factory.getbasetemp()}",
    }


@pytest.fixture(scope="session")
def server_process(surroundings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The Prefect server, started and perhaps not there yet."""
    port = surroundings["PREFECT_API_URL"].rpartition(":")[2].removesuffix("/api")
    command = [sys.executable, "-m", "flows.platform.prefect_server", "127.0.0.1", port]
    with ENDS, Path(surroundings["PREFECT_HOME"], "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=surroundings, cwd=ROOT, stdout=log, stderr=log)
        ENDS.callback(end, process)
        yield process


@pytest.fixture(scope="session")
def server(
    surroundings: dict[str, str], server_process: subprocess.Popen[bytes], first_worker: "Worker"
) -> Iterator[Server]:
    """One Prefect server for all tests of flows; a worker starts beside it, as in `transcriber up`."""
    api_url = surroundings["PREFECT_API_URL"]
    until(lambda: answers(f"{api_url}/health"))
    deploy.apply(api_url)
    with deploy.prefect_http(api_url) as http:
        yield Server(api_url=api_url, env=surroundings, http=http)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, verify=PLAIN).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@dataclass(slots=True, kw_only=True)
class Worker:
    """A worker process started as `transcriber worker` does."""

    process: subprocess.Popen[bytes]
    log: Path

    def child(self) -> psutil.Process:
        """Return the resident process, once it is there."""

        def found() -> psutil.Process | None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in psutil.Process(self.process.pid).children():
                    if "flows.worker.child_main" in each.cmdline():
                        return each
            return None

        child: psutil.Process = until(found)
        return child

    def stop(self, number: int = signal.SIGINT, *, within_s: float = PATIENCE_S) -> int:
        self.process.send_signal(number)
        return self.process.wait(within_s)


@pytest.fixture(scope="session")
def start_worker(
    surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Worker]]:
    """Return `start_worker(pool)`; a pool that is neither cpu nor gpu gets a worker like that of cpu.

    Python code may come `first`.
    """

    def start(pool: str, first: str = "") -> Worker:
        log = tmp_path_factory.mktemp("worker") / "log"
        work = f"from flows.worker.run_worker import work; work({pool!r}, device=None, limit=None)"
        command = [sys.executable, "-c", f"{first}\n{work}"]
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=surroundings, cwd=ROOT, stdout=out, stderr=out)
        ENDS.callback(kill, process)
        return Worker(process=process, log=log)

    with ENDS:
        yield start


@pytest.fixture(scope="session")
def first_worker(start_worker: Callable[[str], Worker], server_process: subprocess.Popen[bytes]) -> Worker:
    """A worker of the cpu pool, started and perhaps not there yet."""
    return start_worker("cpu")


@pytest.fixture(scope="session")
def worker(server: Server, first_worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Worker:
    """A warm worker of the cpu pool that has done its first run."""
    folder = tmp_path_factory.mktemp("first")
    assert server.end(server.start("mark", folder=str(folder), name="first"))["state_type"] == "COMPLETED"
    return first_worker
