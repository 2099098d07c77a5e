"""The real app behind a real port, with simulated workers that send reports."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn
from playwright.sync_api import BrowserContext

from dashboards.app import build
from dashboards.http.access_middleware import COOKIE
from dashboards.runtime import context
from dashboards.serve import server_config
from storage.accounts import api_keys, sessions, users
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.records import Job, JobState, Segment, Transcript, Word
from storage.domain.settings import Settings
from storage.jobs import job_store
from storage.remote.service_tokens import worker_token
from storage.remote.web_client import HttpReporter
from tests.dashboards.site import one_runtime
from tests.factories import FlowRun, transcript_of
from tests.waiting import PATIENCE_S

WORDS = ("Grüße", "an", "alle.")
SRT = "1\n00:00:00,000 --> 00:00:00,900\nGrüße an alle.\n"
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nGrüße an alle.\n"
LOOKS_AFTER_S, LOOKS_AT_LEAST_EVERY_S = 0.02, 0.1
"""Looking fifty times a second while nothing waits took a quarter of the test process beside a browser."""
_ports: list[int] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the app listens."""

    url: str
    settings: Settings


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """Serve the app from a thread; the tests reach its parts through `dashboards.runtime.context`."""
    with one_runtime(), socket.socket(proto=socket.IPPROTO_TCP) as listening:  # asyncio looks at it for TCP_NODELAY
        _bind(listening)
        server = uvicorn.Server(server_config(build(settings), settings.web))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Served(url=f"http://127.0.0.1:{listening.getsockname()[1]}", settings=settings)
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


def _bind(listening: socket.socket) -> None:
    """Bind to the port of this process's app before, if it is free.

    By its address a browser knows what it has loaded and compiled.
    """
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for port in (*_ports, 0):
        with suppress(OSError):
            listening.bind(("127.0.0.1", port))
            break
    _ports[:] = [listening.getsockname()[1]]


def sign_in(browser: BrowserContext, served: Served, name: str = "ada") -> None:
    """Give a browser the cookie of a new session of one of PEOPLE.

    Tests of logging in fill the form; for the others, a page less is drawn.
    """
    with context.ledger().write() as con:
        user = users.by_name(con, name)
        assert user is not None
        token, _ = sessions.start(con, user, client="test", now=utc_now(), max_days=1)
    browser.add_cookies([{"name": COOKIE, "value": token, "url": served.url}])


def secret_of(name: str) -> str:
    """Make an API key for one of PEOPLE."""
    with context.ledger().write() as con:
        user = users.by_name(con, name)
        assert user is not None
        return api_keys.create(con, user_id=user.id, name="test", actor="system:test")[0]


@contextmanager
def played_workers(served: Served) -> Iterator[None]:
    """Complete every job that is queued, or fail those whose name begins with "bad"."""
    over = threading.Event()
    thread = threading.Thread(target=_play, args=(served, over))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE_S)


def _play(served: Served, over: threading.Event) -> None:
    reporter = HttpReporter(served.url, worker_token(served.settings))
    pause_s = LOOKS_AFTER_S
    while not over.wait(pause_s):
        with context.ledger().read() as con:
            waiting = job_store.page(con, state=JobState.QUEUED)
        pause_s = LOOKS_AFTER_S if waiting else min(2 * pause_s, LOOKS_AT_LEAST_EVERY_S)
        for job in waiting:
            with suppress(TranscriberError):
                _end(reporter, job)
    reporter.close()


def _end(reporter: HttpReporter, job: Job) -> None:
    files, transcript = context.files(), greeting_of(job)
    run = FlowRun(reporter, files, job, transcript, worker="played", flow_run_id=None)
    if job.name.startswith("bad"):
        run.fail("the sound could not be read; send another recording", "audio_unreadable")
        return
    files.write(names.peaks_name(job.media_sha256, job.options.audio_track), bytes(10))
    run.whole_way({"srt": SRT.encode(), "vtt": VTT.encode(), "txt": transcript.text.encode()})


def greeting_of(job: Job) -> Transcript:
    words = tuple(
        Word(start_s=0.3 * place, end_s=0.3 * place + 0.3, text=f" {text}", probability=0.9)
        for place, text in enumerate(WORDS)
    )
    segment = Segment(start_s=0, end_s=0.9, text=" Grüße an alle.", words=words, avg_logprob=-0.2)
    facts = {"duration_s": 1.0, "speech_s": 0.9, "language": "de", "language_probability": 0.9, "given_up": ()}
    return transcript_of(job, [segment], engine="played", **facts)
