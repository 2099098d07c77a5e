"""The real app behind a real port, and somebody who plays the workers by sending their reports."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from dashboards import context
from dashboards.app import build
from storage import jobs, keys, names, users
from storage.client import HttpReporter
from storage.errors import TranscriberError
from storage.records import Job, JobState, Segment, Span, Transcript, Word, to_json
from storage.reports import Completed, Exporting, Failed, Planned, SpanHeard, Started
from storage.settings import Settings
from storage.tokens import worker_token
from tests.dashboards.site import one_runtime

WORDS = ("Grüße", "an", "alle.")
SRT = "1\n00:00:00,000 --> 00:00:00,900\nGrüße an alle.\n"
VTT = "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\nGrüße an alle.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the app listens."""

    url: str
    settings: Settings


@contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """Serve the app from a thread; the tests reach its parts through `dashboards.context`."""
    with one_runtime(), socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(build(settings), log_config=None, ws="websockets-sansio", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Served(url=f"http://127.0.0.1:{listening.getsockname()[1]}", settings=settings)
        finally:
            server.should_exit = True
            thread.join(20)


def secret_of(name: str) -> str:
    """Make an API key for one of PEOPLE."""
    with context.ledger().write() as con:
        user = users.by_name(con, name)
        assert user is not None
        return keys.create(con, user_id=user.id, name="test", actor="system:test")[0]


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
        thread.join(20)


def _play(served: Served, over: threading.Event) -> None:
    reporter = HttpReporter(served.url, worker_token(served.settings))
    while not over.wait(0.02):
        with context.ledger().read() as con:
            waiting = jobs.page(con, state=JobState.QUEUED)
        for job in waiting:
            with suppress(TranscriberError):
                (_fail if job.name.startswith("bad") else _complete)(reporter, job)
    reporter.close()


def _fail(reporter: HttpReporter, job: Job) -> None:
    error = "the sound could not be read; send another recording"
    reporter.send(Failed(job_id=job.id, attempt=job.attempt, worker="played", error=error, code="audio_unreadable"))


def _complete(reporter: HttpReporter, job: Job) -> None:
    span = Span(index=0, start_s=0, end_s=1, samples_sha256="00aa")
    transcript, files = transcript_of(job), context.files()
    files.write(names.transcript_name(job.id), to_json(transcript))
    files.write(names.peaks_name(job.media_sha256, job.options.audio_track), bytes(10))
    stored_as = names.transcript_name(job.id)
    exports = {fmt: names.export_name(job.id, stored_as, fmt, job.options.cues) for fmt in ("srt", "vtt", "txt")}
    for fmt, text in zip(exports, (SRT, VTT, transcript.text), strict=True):
        files.write(exports[fmt], text.encode())
    ident, attempt, who = job.id, job.attempt, "played"
    reporter.send(Started(job_id=ident, attempt=attempt, worker=who))
    reporter.send(
        Planned(
            job_id=ident,
            attempt=attempt,
            worker=who,
            duration_s=1.0,
            speech_s=0.9,
            language="de",
            language_probability=0.9,
            spans=(span,),
        )
    )
    result = "results/00/00aa/x.json"
    reporter.send(SpanHeard(job_id=ident, attempt=attempt, worker=who, index=0, result=result, engine_s=0.1))
    reporter.send(Exporting(job_id=ident, attempt=attempt, worker=who))
    reporter.send(Completed(job_id=ident, attempt=attempt, worker=who, transcript=stored_as, exports=exports))


def transcript_of(job: Job) -> Transcript:
    words = tuple(
        Word(start_s=0.3 * place, end_s=0.3 * place + 0.3, text=f" {text}", probability=0.9)
        for place, text in enumerate(WORDS)
    )
    segment = Segment(start_s=0, end_s=0.9, text=" Grüße an alle.", words=words, avg_logprob=-0.2)
    return Transcript(
        job_id=job.id,
        media_sha256=job.media_sha256,
        name=job.name,
        duration_s=1.0,
        speech_s=0.9,
        language="de",
        language_probability=0.9,
        model="tiny",
        fingerprint="f00d",
        engine="played",
        options=job.options,
        segments=(segment,),
    )
