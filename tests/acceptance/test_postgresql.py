"""Prefect on PostgreSQL, which is stopped at once, and behind a second server when the first one is killed."""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import Stack, free_port, stack_in
from tests.conftest import PLAIN, Assembly, Clip
from tests.dashboards.nginx import documented, needs_nginx, nginx
from tests.flows.conftest import LEAN_SERVER
from tests.postgresql import PostgreSQL, needs_postgresql, postgresql
from tests.waiting import looks

pytestmark = [pytest.mark.acceptance, needs_nginx, needs_postgresql]

DOCUMENT = Path(__file__).parents[2] / "docs" / "prefect.md"
AUTH = "prefect:of no importance"
CLIPS = 30
"""About seven spans of half a minute."""


@contextmanager
def prefect_server(folder: Path, port: int, database: PostgreSQL) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Prefect server by our launcher, as on a machine of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    env |= {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database.url,
        "PREFECT_SERVER_API_AUTH_STRING": AUTH,
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        **LEAN_SERVER,
    }
    command = [sys.executable, "-m", "flows.platform.prefect_server", "127.0.0.1", str(port)]
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def answers(port: int) -> None:
    """Wait until the server is there."""
    address = f"http://127.0.0.1:{port}/api/health"
    soon(lambda: httpx.get(address, auth=auth(), verify=PLAIN).is_success, f"no Prefect server on port {port}")


def documented_proxy(port: int, first: int, second: int) -> str:
    """Return the documented configuration with ports of this machine."""
    (whole,) = documented("nginx", DOCUMENT)
    for old, new in (
        ("listen 4200;", f"listen 127.0.0.1:{port};"),
        ("10.0.0.11:4200", f"127.0.0.1:{first}"),
        ("10.0.0.12:4200", f"127.0.0.1:{second}"),
    ):
        assert whole.count(old) == 1, old
        whole = whole.replace(old, new)
    return whole


def test_nothing_is_lost_when_postgresql_stops_at_once_or_a_prefect_server_dies(
    tmp_path: Path, speech: list[Clip], assemble: Callable[..., Assembly]
) -> None:
    proxy, first, second = free_port(), free_port(), free_port()
    with ExitStack() as running:
        database = running.enter_context(postgresql())
        one = running.enter_context(prefect_server(tmp_path / "one", first, database))
        answers(first)
        running.enter_context(nginx(tmp_path / "nginx", documented_proxy(proxy, first, second), proxy))
        stack = running.enter_context(
            stack_in(
                tmp_path,
                PREFECT_API_URL=f"http://127.0.0.1:{proxy}/api",
                PREFECT_API_AUTH_STRING=AUTH,
                TRANSCRIBER_SPAN_MAX_S="30",
                TRANSCRIBER_NUM_WORKERS="1",
                TRANSCRIBER_CPU_THREADS="1",
            )
        )
        start_services(stack, running)
        made = assemble(list(itertools.islice(itertools.cycle(speech), CLIPS)), pause_s=1.3)

        long = stack.submit(made.path)
        in_the_middle(stack, long)
        database.stop()
        assert httpx.post(f"http://127.0.0.1:{proxy}/api/flow_runs/filter", json={}, auth=auth()).is_server_error
        meanwhile = stack.submit(speech[0].path)
        database.start()
        running.enter_context(prefect_server(tmp_path / "two", second, database))
        complete(stack, long, made.text)
        complete(stack, meanwhile, speech[0].text)

        answers(second)
        again = stack.submit(assemble(list(itertools.islice(itertools.cycle(speech[::-1]), CLIPS)), pause_s=1.3).path)
        in_the_middle(stack, again)
        one.kill()
        complete(stack, again, " ".join(itertools.islice(itertools.cycle(clip.text for clip in speech[::-1]), CLIPS)))


def start_services(stack: Stack, running: ExitStack) -> None:
    """Start web process and workers as services of their own; the workers make pools and deployments."""
    for words in (["web"], ["worker", "--pool", "cpu"], ["worker", "--pool", "gpu"]):
        with (stack.data_dir.parent / "up.log").open("ab") as log:
            command = [sys.executable, "-m", "flows.cli", *words]
            process = subprocess.Popen(command, env=stack.env, stdout=log, stderr=log)
        running.callback(process.wait)
        running.callback(process.kill)
        soon((stack.data_dir / "operator-token").exists, "the web process has not started")
    soon(lambda: httpx.get(f"{stack.url}/readyz", verify=PLAIN).is_success, "the web process is not ready")
    for pool in ("cpu", "gpu"):
        line = f'transcriber_worker_slots{{pool="{pool}"}} '
        soon(lambda line=line: f"{line}0.0" not in (text := metrics(stack)) and line in text, f"no {pool} worker")  # type: ignore[misc]


def metrics(stack: Stack) -> str:
    return stack.call("GET", "/metrics").text


def soon(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds; a start takes long where the machine has other work."""
    for _ in looks(600, longest_pause_s=0.5):
        with suppress(httpx.TransportError):
            if condition():
                return
    raise TimeoutError(what)


def auth() -> tuple[str, str]:
    user, _, password = AUTH.partition(":")
    return user, password


def in_the_middle(stack: Stack, job_id: str) -> None:
    """Wait until some of its spans are transcribed and others are not."""
    soon(lambda: any(results(stack, job_id)), f"no span is transcribed: {stack.job(job_id)}")
    assert not all(results(stack, job_id))


def results(stack: Stack, job_id: str) -> list[bool]:
    return [bool(row["result"]) for row in stack.spans(job_id)]


def complete(stack: Stack, job_id: str, text: str) -> None:
    """Wait for its end; its text is what was said."""
    job = stack.wait_for(job_id, lambda job: job["state"] in {"completed", "failed"}, wait_s=600)
    assert job["state"] == "completed", job
    said = stack.transcript(job_id).text.split()
    assert abs(len(said) - len(text.split())) <= 0.05 * len(text.split()) + 1
