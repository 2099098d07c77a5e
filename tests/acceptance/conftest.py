"""The whole platform as users start it: `transcriber up` with real processes in its own folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from storage.domain.job_messages import text_of, texts_of
from storage.domain.records import Transcript, from_json
from tests.conftest import PLAIN, TINY_MODEL
from tests.waiting import PATIENCE_S, looks

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

    @property
    def store(self) -> Path:
        """The folder of its storage."""
        return Path(self.env.get("TRANSCRIBER_STORAGE_URL", self.data_dir / "store"))

    def start(self, *, wait_s: float = 300) -> None:
        """Start it and wait until it is ready, which takes 10 s, or minutes where the machine has other work."""
        command = [sys.executable, "-m", "flows.cli", "up"]
        if self.process is not None:
            self.process.wait(PATIENCE_S)  # killed by a test
        with (self.data_dir.parent / "up.log").open("ab") as log:
            said_before = log.tell()
            self.process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            assert self.process.poll() is None, self.console()
            if "Ready after" in self.console(since_bytes=said_before):
                return
            time.sleep(0.1)
        raise AssertionError(f"not ready after {wait_s} s\n{self.console()}")

    @property
    def has_ended(self) -> bool:
        """Whether it ran and runs no longer: then nothing more will come of it."""
        return self.process is not None and self.process.poll() is not None

    def console(self, *, since_bytes: int = 0) -> str:
        said = (self.data_dir.parent / "up.log").read_bytes()[since_bytes:]
        return said.decode(errors="replace")[-6000:]

    def stop(self, *, wait_s: float = PATIENCE_S) -> int:
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
            self.process.wait(PATIENCE_S)

    def processes_like(self, *words: str) -> list[psutil.Process]:
        """The processes whose command line has all these words, parents before children."""
        return [one for one in self.processes() if all(word in one.cmdline() for word in words)]

    def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Ask the web process with the command line's token; it may be away for a moment."""
        headers = {"Authorization": f"Bearer {(self.data_dir / 'operator-token').read_text().strip()}"}
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = httpx.request(
                    method, f"{self.url}{path}", headers=headers, timeout=PATIENCE_S, verify=PLAIN, **kwargs
                )
                return answer.raise_for_status()
            except httpx.TransportError:
                if time.monotonic() > until or self.has_ended:
                    raise
                time.sleep(0.2)

    @property
    def prefect(self) -> str:
        """The address of its Prefect server."""
        return f"http://127.0.0.1:{self.env['PREFECT_SERVER_API_PORT']}"

    @property
    def prefect_auth(self) -> str:
        return (self.data_dir / "prefect-auth").read_text().strip()

    def transcriber(self, *arguments: str) -> str:
        """Run a command beside it, in this process, and return what it prints; a process takes seconds to start."""
        others = dict.fromkeys(key for key in os.environ if key.startswith(("PREFECT_", "TRANSCRIBER_")))
        done = CliRunner(env=others | self.env).invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def key_of(self, name: str) -> str:
        """Add an account, and return an API key of it."""
        self.transcriber("admin", "create-user", name)
        told = self.transcriber("admin", "create-key", name, "--name", "acceptance")
        return next(word for word in told.split() if word.startswith("wt_"))

    def submit(self, path: Path) -> str:
        """Send a recording as the administrator's; return the job's id."""
        with path.open("rb") as opened:
            form = {"owner": "admin", "lane": "interactive"}
            return str(self.call("POST", "/internal/v1/jobs", data=form, files={"file": opened}).json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as the ledger has it, and what it says in words."""
        job = dict(self.call("GET", f"/internal/v1/jobs/{job_id}").json())
        said = {"detail": text_of(job["detail"]), "error": text_of(job["error"]) or None}
        return job | said | {"given_up": texts_of(job["given_up"])}

    def spans(self, job_id: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/internal/v1/jobs/{job_id}/spans").json())

    def transcript(self, job_id: str) -> Transcript:
        return from_json(Transcript, self.call("GET", f"/internal/v1/jobs/{job_id}/transcript").content)

    def wait_for(self, job_id: str, done: Callable[[dict[str, Any]], bool], *, wait_s: float = 300) -> dict[str, Any]:
        """Wait until the job is as wanted, and return it."""
        for _ in looks(wait_s):
            if done(job := self.job(job_id)):
                return job
            assert not self.has_ended, self.console()
        raise AssertionError(f"after {wait_s} s: {self.job(job_id)}\n{self.console()}")


@contextmanager
def stack_in(folder: Path, **settings: str) -> Iterator[Stack]:
    """Make a platform, not yet started, and end whatever of it runs, even where its start failed."""
    data_dir, port, prefect_port = folder / "data", free_port(), free_port()
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    env |= {
        "TRANSCRIBER_DATA_DIR": str(data_dir),
        "TRANSCRIBER_PORT": str(port),
        "TRANSCRIBER_MODEL": str(TINY_MODEL),
        "TRANSCRIBER_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "LOGNAME": f"tests-{port}",  # names its workers: a platform beside it must not leave a number of theirs free
        "PREFECT_SERVER_API_PORT": str(prefect_port),
        **{
            f"TRANSCRIBER_RATE_LIMIT_{kind}": "off" for kind in ("API", "UPLOAD", "GENERAL")
        },  # tests ask again and again
        **settings,
    }
    made = Stack(data_dir=data_dir, env=env, url=f"http://127.0.0.1:{port}")
    try:
        yield made
    finally:
        made.kill_everything()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One platform for all journeys that leave it running."""
    with stack_in(tmp_path_factory.mktemp("stack")) as made:
        made.start()
        yield made


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A platform of a test's own, not yet started, for tests that kill parts of it."""
    with stack_in(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def patient_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A platform with short spans and one hearing at a time, so that there is time to kill something."""
    short = {"TRANSCRIBER_SPAN_MAX_S": "30", "TRANSCRIBER_NUM_WORKERS": "1", "TRANSCRIBER_CPU_THREADS": "1"}
    with stack_in(tmp_path_factory.mktemp("patient"), **short) as made:
        made.start()
        yield made


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Function) -> None:
    """End the shared platform after its last test: idle, it would cost the others a quarter of a core."""
    items = item.session.items
    later = items[items.index(item) + 1 :]
    if "stack" in item.fixturenames and not any("stack" in getattr(each, "fixturenames", ()) for each in later):
        shared = item.funcargs.get("stack")  # not there if its start failed
        if isinstance(shared, Stack):
            shared.kill_everything()
