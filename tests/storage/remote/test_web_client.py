"""Reports over HTTP against real servers that fail in various ways."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from storage.domain.errors import (
    LedgerUnreachable,
    NotFound,
    NotSignedIn,
    RemoteError,
    StaleAttempt,
    StorageFull,
    TranscriberError,
)
from storage.domain.records import Job, JobState, to_json
from storage.files.file_store import Files
from storage.jobs import reports
from storage.jobs.reports import Advanced, Started
from storage.ledger.database import Ledger
from storage.remote.web_client import HttpReporter, WebClient
from tests.factories import heartbeat

Answer = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next of `answers`; the last one stays."""

    answers: list[Answer]
    seen: list[tuple[str, str | None, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["Authorization"], body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(self, body)

    def say(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    return lambda handler, _: handler.say(code, body, **headers)


def refuse(error: TranscriberError) -> Answer:
    told = {"code": error.code, "message": str(error), "type": type(error).__name__}
    return status(error.status, json.dumps({"error": told}).encode())


def hang_up(handler: Handler, _: bytes) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Handler.answers, Handler.seen = [status(200, b"{}")], []
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def web(server: ThreadingHTTPServer) -> Iterator[HttpReporter]:
    reporter = HttpReporter(f"http://127.0.0.1:{server.server_port}/", SecretStr("secret"), patience_s=5)
    yield reporter
    reporter.close()


@pytest.fixture
def applying(ledger: Ledger, files: Files) -> Answer:
    """Answers as the web process does."""

    def answer(handler: Handler, body: bytes) -> None:
        try:
            job = reports.apply(ledger, files, reports.read(body), actor="worker:w")
        except TranscriberError as error:
            refuse(error)(handler, body)
        else:
            handler.say(200, to_json(job))

    return answer


def started(job: Job) -> Started:
    return Started(job_id=job.id, attempt=job.attempt, worker="w")


def advanced(job: Job, done_s: float = 1) -> Advanced:
    return Advanced(job_id=job.id, attempt=job.attempt, worker="w", index=0, done_s=done_s)


def test_a_report_is_sent_with_the_token_and_answered_with_the_job(
    web: HttpReporter, make_job: Any, applying: Answer
) -> None:
    Handler.answers = [applying]
    assert web.send(started(make_job())).state is JobState.INGESTING
    assert Handler.seen[0][:2] == ("/internal/v1/reports", "Bearer secret")


def test_it_is_sent_again_until_the_web_process_is_back(web: HttpReporter, make_job: Any, applying: Answer) -> None:
    Handler.answers = [status(503), hang_up, status(502, b"<html>"), applying]
    assert web.send(started(make_job())).state is JobState.INGESTING
    assert len({body for _, _, body in Handler.seen}) == 1


def test_a_report_waits_while_the_disk_of_the_ledger_is_full(
    web: HttpReporter, make_job: Any, applying: Answer
) -> None:
    """Otherwise a full disk of some seconds would fail the job for good."""
    full = StorageFull("the ledger", "No space left on device")
    Handler.answers = [refuse(full), refuse(full), applying]
    assert web.send(Started(job_id=make_job().id, attempt=1, worker="w")).state is JobState.INGESTING


def test_a_person_is_told_at_once_that_the_disk_is_full(server: ThreadingHTTPServer) -> None:
    Handler.answers = [refuse(StorageFull("the ledger", "No space left on device"))]
    url, told = f"http://127.0.0.1:{server.server_port}", pytest.raises(RemoteError, match="free some space")
    with WebClient(url, SecretStr("secret"), patience_s=5) as client, told:
        client.call("POST", "/internal/v1/admin/users", {})
    assert len(Handler.seen) == 1


def test_an_answer_lost_on_the_way_is_asked_for_again_and_applied_once(
    web: HttpReporter, make_job: Any, applying: Answer, ledger: Ledger
) -> None:
    class Deaf(Handler):
        def __init__(self) -> None: ...

        def say(self, status: int, body: bytes, **headers: str) -> None: ...

    def apply_and_hang_up(handler: Handler, body: bytes) -> None:
        applying(Deaf(), body)
        hang_up(handler, body)

    Handler.answers = [apply_and_hang_up, applying]
    job = web.send(started(make_job()))
    with ledger.read() as con:
        rows = con.execute("SELECT count(*) FROM audit WHERE action = 'job.start'").fetchall()
    assert (job.version, rows) == (2, [(1,)])


def test_it_waits_as_long_as_it_is_asked_to(web: HttpReporter, make_job: Any, applying: Answer) -> None:
    Handler.answers = [status(429, Retry_After="1"), applying]
    began = time.monotonic()
    web.send(started(make_job()))
    assert time.monotonic() - began >= 1


def test_a_web_process_that_stays_away_is_unreachable(make_job: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = HttpReporter(f"http://127.0.0.1:{taken.getsockname()[1]}", SecretStr("s"), patience_s=0.5)
        with pytest.raises(LedgerUnreachable, match="TRANSCRIBER_WEB_URL"):
            nobody.send(started(make_job()))
        nobody.close()


def test_pauses_grow_and_are_not_all_alike(
    web: HttpReporter, make_job: Any, applying: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("storage.remote.web_client.time.sleep", pauses.append)
    Handler.answers = [*[status(503)] * 4, applying]
    web.send(started(make_job()))
    assert len(set(pauses)) == 4
    assert pauses[3] > pauses[0]


def test_a_stale_attempt_is_raised_at_once(web: HttpReporter, make_job: Any) -> None:
    job = make_job()
    Handler.answers = [refuse(StaleAttempt(job.id, 1))]
    with pytest.raises(StaleAttempt) as caught:
        web.send(started(job))
    assert caught.value.job_id == job.id
    assert len(Handler.seen) == 1


def test_other_refusals_come_back_as_themselves_or_in_their_own_words(web: HttpReporter, make_job: Any) -> None:
    job = make_job()
    Handler.answers = [refuse(NotFound("job", job.id))]
    with pytest.raises(NotFound):
        web.send(started(job))
    Handler.answers = [refuse(NotSignedIn("wrong token"))]
    with pytest.raises(NotSignedIn, match="token"):
        web.send(started(job))
    Handler.answers = [status(418, b'{"error": {"code": "teapot", "message": "short and stout", "type": "x"}}')]
    with pytest.raises(RemoteError, match="short and stout"):
        web.send(started(job))


@pytest.mark.parametrize("body", [b"<html>not found</html>", b"{}", b"[]", b'{"error": "no"}'])
def test_something_else_on_that_port_is_called_so(web: HttpReporter, make_job: Any, body: bytes) -> None:
    Handler.answers = [status(404, body)]
    with pytest.raises(LedgerUnreachable, match="something else"):
        web.send(started(make_job()))


def test_live_progress_is_tried_once_and_may_be_lost(web: HttpReporter, make_job: Any, applying: Answer) -> None:
    job = make_job()
    Handler.answers = [applying]
    last = web.send(started(job))
    Handler.answers = [status(503)]
    assert web.send(advanced(job)) == last
    assert len(Handler.seen) == 2


def test_live_progress_of_a_stale_attempt_still_says_so(web: HttpReporter, make_job: Any, applying: Answer) -> None:
    job = make_job()
    Handler.answers = [applying]
    web.send(started(job))
    Handler.answers = [refuse(StaleAttempt(job.id, 1))]
    with pytest.raises(StaleAttempt):
        web.send(advanced(job))


def test_threads_share_one_reporter(web: HttpReporter, make_job: Any, applying: Answer) -> None:
    Handler.answers = [applying]
    made = [make_job() for _ in range(6)]
    states: list[JobState] = []
    threads = [threading.Thread(target=lambda job=job: states.append(web.send(started(job)).state)) for job in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == [JobState.INGESTING] * 6


def test_a_beat_is_answered_with_the_models_to_fetch(server: ThreadingHTTPServer) -> None:
    Handler.answers = [status(200, b'{"wanted_models": ["small"]}')]
    with WebClient(f"http://127.0.0.1:{server.server_port}", SecretStr("secret")) as web:
        assert web.beat(heartbeat()) == ("small",)
        Handler.answers = [status(503)]
        with pytest.raises(LedgerUnreachable):
            web.beat(heartbeat())
