"""Uploads over a real port survive a killed process and silent connections."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import httpx
import pytest

from dashboards.runtime import context
from storage.accounts import users
from storage.domain import names
from storage.domain.records import Job, Lane, Options
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.files.upload_store import Upload, UploadStore, new_ident
from storage.jobs import job_store
from storage.ledger.database import Ledger
from tests.conftest import PLAIN
from tests.dashboards.served import secret_of, serving
from tests.dashboards.site import TOKEN
from tests.dashboards.uploads.test_tus import metadata
from tests.waiting import PATIENCE_S, until

COMMAND = [sys.executable, "-m", "dashboards"]
BYTES_TYPE = "application/offset+octet-stream"
TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(slots=True, kw_only=True)
class Web:
    """A web process of its own, on settings that the environment tells it."""

    settings: Settings
    port: int
    process: subprocess.Popen[bytes] | None = None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TRANSCRIBER_")}
        return inherited | {
            "TRANSCRIBER_DATA_DIR": str(self.settings.storage.data_dir),
            "TRANSCRIBER_PORT": str(self.port),
            "TRANSCRIBER_WORKER_TOKEN": TOKEN,
            **self.more,
        }

    def run(self) -> subprocess.CompletedProcess[str]:
        """Start it where it cannot start, and return what it said."""
        return subprocess.run(COMMAND, env=self.env, capture_output=True, text=True, check=False, timeout=PATIENCE_S)

    def start(self) -> None:
        self.process = subprocess.Popen(COMMAND, env=self.env, stderr=subprocess.DEVNULL)
        until(self.lives)

    def lives(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        try:
            return httpx.get(f"{self.url}/livez", timeout=10, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def jobs(self) -> list[Job]:
        """Return all jobs, once the process is gone."""
        with Ledger.open(self.settings.storage.ledger_path) as ledger, ledger.read() as con:
            return job_store.page(con)


@pytest.fixture
def web(settings: Settings) -> Iterator[Web]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    made = Web(settings=settings, port=port)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def key_in(settings: Settings) -> str:
    from storage.accounts import api_keys

    with Ledger.open(settings.storage.ledger_path) as ledger, ledger.write() as con:
        user = users.by_name(con, "ada")
        assert user is not None
        return api_keys.create(con, user_id=user.id, name="test", actor="system:test")[0]


def create(http: httpx.Client, length: int) -> str:
    headers = {"Upload-Length": str(length), "Upload-Metadata": metadata(filename="long.wav")}
    answer = http.post("/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def patch_headers(offset: int) -> dict[str, str]:
    return {"Content-Type": BYTES_TYPE, "Upload-Offset": str(offset)}


def test_an_upload_goes_on_bit_by_bit_after_kill_9(web: Web, tone: Callable[..., bytes]) -> None:
    data = tone(180)
    headers = TUS | {"Authorization": f"Bearer {key_in(web.settings)}"}

    def cut_off() -> Iterator[bytes]:
        for start in range(0, 4_000_000, 250_000):
            yield data[start : start + 250_000]
        while not sum(path.stat().st_size for path in web.settings.storage.uploads_dir.glob("*.part")):
            time.sleep(0.01)
        web.kill()
        yield data[4_000_000:]

    web.start()
    with httpx.Client(base_url=web.url, headers=headers, timeout=PATIENCE_S) as http:
        url = create(http, len(data))
        with pytest.raises(httpx.TransportError):
            http.patch(url, content=cut_off(), headers=patch_headers(0))
    web.start()
    with httpx.Client(base_url=web.url, headers=headers, timeout=PATIENCE_S) as http:
        offset = int(http.head(url).headers["upload-offset"])
        assert 0 < offset <= 4_000_000
        answer = http.patch(url, content=data[offset:], headers=patch_headers(offset))
        assert answer.status_code == 204
    web.kill()
    (job,) = web.jobs()
    assert (job.id, job.media_sha256) == (answer.headers["x-job-id"], hashlib.sha256(data).hexdigest())
    assert Files.from_settings(web.settings.storage).read(names.media_name(job.media_sha256)) == data


def test_what_was_received_before_a_kill_becomes_a_job_after_it(web: Web, tone: Callable[..., bytes]) -> None:
    """Killed after the last byte, and killed between storing the media and accepting the job."""
    key, shelf = key_in(web.settings), UploadStore(web.settings.storage.uploads_dir)
    with Ledger.open(web.settings.storage.ledger_path) as ledger, ledger.read() as con:
        ada = users.by_name(con, "ada")
    assert ada is not None
    received, stored = tone(1), tone(2)
    first = Upload(
        id=new_ident(),
        owner_id=ada.id,
        name="first.wav",
        length_bytes=len(received),
        options=Options(),
        lane=Lane.BATCH,
    )
    shelf.data(shelf.save(first).id).write_bytes(received)
    (shelf.folder / "0f3a.form").write_bytes(received)  # of a request that nobody can go on with
    sha256 = hashlib.sha256(stored).hexdigest()
    second = replace(first, id=new_ident(), name="second.wav", length_bytes=len(stored), sha256=sha256)
    shelf.save(second)
    Files.from_settings(web.settings.storage).write(names.media_name(sha256), stored)

    web.start()
    with httpx.Client(base_url=web.url, headers=TUS | {"Authorization": f"Bearer {key}"}) as http:
        ids = {}
        for upload in (first, second):
            while "x-job-id" not in (answer := http.head(f"/uploads/{upload.id}")).headers:
                time.sleep(0.05)
            ids[upload.name] = answer.headers["x-job-id"]
    web.kill()
    made = {job.name: (job.id, job.media_bytes, job.lane) for job in web.jobs()}
    assert made == {
        "first.wav": (ids["first.wav"], len(received), Lane.BATCH),
        "second.wav": (ids["second.wav"], len(stored), Lane.BATCH),
    }
    assert not list(shelf.folder.glob("*.form"))


def test_a_second_web_process_says_who_holds_the_ledger(web: Web) -> None:
    with Ledger.open(web.settings.storage.ledger_path):
        done = web.run()
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_web_process_on_a_taken_port_says_so(web: Web) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", web.port))
        taken.listen()
        done = web.run()
    assert (done.returncode, "TRANSCRIBER_PORT" in done.stderr) == (1, True)


def test_a_silent_connection_gives_way_to_a_new_one_and_keeps_what_it_brought(
    settings: Settings, tone: Callable[..., bytes]
) -> None:
    data = tone(10)
    with serving(settings) as served:
        headers = TUS | {"Authorization": f"Bearer {secret_of('ada')}"}
        with httpx.Client(base_url=served.url, headers=headers, timeout=PATIENCE_S) as http, socket.socket() as silent:
            url = create(http, len(data))
            silent.connect(("127.0.0.1", int(served.url.rsplit(":", 1)[1])))
            lines = {**headers, **patch_headers(0), "Host": "x", "Content-Length": str(len(data))}
            told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            silent.sendall(f"PATCH {url} HTTP/1.1\r\n{told}\r\n".encode() + data[:50_000])
            path = context.current().shelf.data(url.rsplit("/", 1)[1])
            until_s = time.monotonic() + PATIENCE_S
            while (offset := int(http.head(url).headers["upload-offset"])) < 50_000 and time.monotonic() < until_s:
                time.sleep(0.02)
            assert path.stat().st_size == offset
            answer = http.patch(url, content=data[offset:], headers=patch_headers(offset))
            assert answer.status_code == 204
            with context.ledger().read() as con:
                job = job_store.get(con, answer.headers["x-job-id"])
    assert job.media_sha256 == hashlib.sha256(data).hexdigest()


def test_a_lost_connection_in_the_last_part_loses_no_byte(settings: Settings, tone: Callable[..., bytes]) -> None:
    data = tone(10)

    def broken() -> Iterator[bytes]:
        yield data[:100_000]
        raise httpx.WriteError("the network went")

    with serving(settings) as served:
        headers = TUS | {"Authorization": f"Bearer {secret_of('ada')}"}
        with httpx.Client(base_url=served.url, headers=headers, timeout=PATIENCE_S) as http:
            url = create(http, len(data))
            with pytest.raises(httpx.WriteError):
                http.patch(url, content=broken(), headers=patch_headers(0))
            while True:
                offset = int(http.head(url).headers["upload-offset"])
                answer = http.patch(url, content=data[offset:], headers=patch_headers(offset))
                if answer.status_code != 409:  # else what was under way when we asked has come in since: ask again
                    break
            assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(data)))
            with context.ledger().read() as con:
                assert job_store.get(con, answer.headers["x-job-id"]).media_sha256 == hashlib.sha256(data).hexdigest()
