"""Record the work of `transcriber transcribe`: in the ledger, through the web process, or nowhere.

A recording that is transcribed here is accepted as already in progress, so that no worker gets it. If recording fails
midway, the transcription continues, and `lost` says why.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from storage.domain import names
from storage.domain.errors import JobMoved, LedgerHeld, NotFound, StaleAttempt, TranscriberError
from storage.domain.job_messages import JobMessage, encode, raised
from storage.domain.records import Job, Lane, Options, Plan, Role, Transcript, from_json
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs.reports import Completed, Failed, Noted, Planned, Report, SpanHeard
from storage.ledger.database import Ledger
from storage.transcripts import transcript_files
from tasks.exports.writers import store
from tasks.pipeline import TranscribedSpan

logger = logging.getLogger(__name__)

PATIENCE_S = 5.0
NOTE_EVERY_S = 30.0
OWNER = "admin"
OWNER_WITHOUT_ADMIN = "cli"


@dataclass(kw_only=True)
class Destination:
    """The destination of records; `where` tells the reader which one it is, or why none."""

    files: Files
    worker: str
    where: str
    accept_job: Callable[[Path, str, Options], Job] | None = None
    send: Callable[[Report], Job] | None = None
    close: Callable[[], None] = lambda: None
    lost: str | None = None

    @property
    def records(self) -> bool:
        """Whether anything is recorded at all."""
        return self.accept_job is not None

    def accept(self, path: Path, sha256: str, options: Options) -> "JobRecord":
        """Store the recording and return its record, without a job if nothing can be recorded."""
        if self.accept_job is None or self.lost:
            return JobRecord(destination=self, job=None)
        try:
            return JobRecord(destination=self, job=self.accept_job(path, sha256, options))
        except TranscriberError as error:
            self.lost = str(error)
            logger.warning("not recorded: %s", error, extra={"action": "cli.record"})
            return JobRecord(destination=self, job=None)


@dataclass(kw_only=True)
class JobRecord:
    """The record of one recording."""

    destination: Destination
    job: Job | None
    stale: bool = False
    _planned: bool = False
    _early: list[TranscribedSpan] = field(default_factory=list)
    _noted_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def job_id(self) -> str:
        return self.job.id if self.job else ""

    def planned(self, plan: Plan, language: str | None, probability: float | None) -> None:
        """Record how the recording was cut, then the spans that finished before that."""
        self._send(
            Planned,
            duration_s=plan.duration_s,
            speech_s=plan.speech_s,
            language=language,
            language_probability=probability,
            spans=plan.spans,
            media_start_s=plan.media_start_s,
        )
        with self._lock:
            self._planned, early, self._early = True, self._early, []
        for transcribed in early:
            self.span_done(transcribed)

    def span_done(self, transcribed: TranscribedSpan) -> None:
        """Record that a span's result is on storage."""
        with self._lock:
            if not self._planned:
                self._early.append(transcribed)
                return
        self._send(
            SpanHeard,
            index=transcribed.span.index,
            result=transcribed.result_name,
            engine_s=transcribed.result.engine_s,
            reused=transcribed.reused,
            given_up=transcribed.result.given_up,
        )

    def note(self, detail: JobMessage) -> None:
        """Report progress, twice a minute at most, so that the job counts as alive."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted_at < NOTE_EVERY_S:
                return
            self._noted_at = now
        self._send(Noted, detail=encode(detail))

    def completed(self, transcript: Transcript) -> None:
        """Store the transcript and its files, and record that the job is completed."""
        if self.job is None:
            return
        stored_as = transcript_files.store_first(self.destination.files, transcript, attempt=self.job.attempt)
        exports = store(self.destination.files, transcript, stored_as=stored_as)
        self._send(Completed, transcript=stored_as, exports=exports)

    def failed(self, error: TranscriberError) -> None:
        """Record why the recording could not be transcribed."""
        self._send(Failed, error=encode(raised(error)), code=error.code)

    def _send(self, kind: Callable[..., Report], **fields: Any) -> None:
        send = self.destination.send
        if self.job is None or send is None or self.destination.lost or self.stale:
            return
        try:
            send(kind(job_id=self.job.id, attempt=self.job.attempt, worker=self.destination.worker, **fields))
        except (StaleAttempt, JobMoved):
            self.stale = True  # somebody cancelled the job; `should_stop` returns it
        except TranscriberError as error:
            self.destination.lost = str(error)
            logger.warning("not recorded any more: %s", error, extra={"action": "cli.record"})


def open_destination(settings: Settings, files: Files) -> Destination:
    """Return the ledger if it is free, else the web process, else no destination."""
    from flows.platform.os_user import operator

    actor = operator()
    worker = f"{actor}@{socket.gethostname()}:{os.getpid()}"
    try:
        ledger = Ledger.open(settings.storage.ledger_path)
    except LedgerHeld:
        return _over_http(settings, files, actor, worker)
    except (TranscriberError, OSError) as error:
        return Destination(files=files, worker=worker, where=f"nothing is recorded: {error}")
    return _in_ledger(ledger, files, actor, worker)


def _in_ledger(ledger: Ledger, files: Files, actor: str, worker: str) -> Destination:
    from storage.jobs import reports
    from storage.jobs.intake import take_in

    owner_id = ledger.run(_owner_id, actor=actor)

    def accept(path: Path, sha256: str, options: Options) -> Job:
        return take_in(
            ledger,
            files,
            path,
            sha256=sha256,
            owner_id=owner_id,
            name=path.name,
            options=options,
            lane=Lane.INTERACTIVE,
            actor=actor,
            move=False,
            in_hand=True,
        )

    return Destination(
        files=files,
        worker=worker,
        where=f"recorded in {ledger.path}",
        accept_job=accept,
        send=lambda report: reports.apply(ledger, files, report, actor=actor),
        close=ledger.close,
    )


def _owner_id(con: Any, *, actor: str) -> str:
    """Return the owner of the jobs: the administrator, or a special account without one.

    Nobody knows that account's password; an administrator may set one.
    """
    import secrets

    from storage.accounts import users

    owner = users.by_name(con, OWNER) or users.by_name(con, OWNER_WITHOUT_ADMIN)
    if owner is None:
        password = secrets.token_urlsafe(24)
        owner = users.create(con, name=OWNER_WITHOUT_ADMIN, password=password, role=Role.MEMBER, actor=actor)
    return owner.id


def _over_http(settings: Settings, files: Files, actor: str, worker: str) -> Destination:
    from storage.remote.service_tokens import strongest_token
    from storage.remote.web_client import HttpReporter

    url = settings.web.base_url
    reporter = HttpReporter(url, strongest_token(settings), patience_s=PATIENCE_S)
    try:
        reporter.client.call(
            "GET", "/internal/v1/jobs/none", patience_s=0
        )  # the process is there if it answers: no such job
    except TranscriberError as error:
        if error.code != NotFound.code:
            reporter.close()
            return Destination(files=files, worker=worker, where=f"nothing is recorded: {error}")
    return Destination(
        files=files,
        worker=worker,
        where=f"recorded by the web process at {url}",
        accept_job=partial(_accept_over_http, reporter, files=files, actor=actor),
        send=reporter.send,
        close=reporter.close,
    )


def _accept_over_http(reporter: Any, path: Path, sha256: str, options: Options, *, files: Files, actor: str) -> Job:
    media = names.media_name(sha256)
    if not files.exists(media):
        files.put(media, path)
    job_fields = {
        "owner": OWNER,
        "name": path.name,
        "media_sha256": sha256,
        "media_bytes": path.stat().st_size,
        "options": asdict(replace(options, model=Path(options.model).name)),
        "lane": Lane.INTERACTIVE.value,
        "actor": actor,
        "in_hand": True,
    }
    return from_json(Job, reporter.client.call("POST", "/internal/v1/jobs", job_fields))
