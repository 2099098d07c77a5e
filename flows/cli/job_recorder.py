"""Where `transcriber transcribe` records its work: the ledger itself, the web process that holds it, or nowhere.

A recording that is heard here is accepted as already in hand, so that nobody else is given it. When recording fails
midway the hearing goes on, and the book says so.
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

from storage import names
from storage.errors import JobMoved, LedgerHeld, NotFound, StaleAttempt, TranscriberError
from storage.files import Files
from storage.ledger import Ledger
from storage.records import Job, Lane, Options, Plan, Role, Transcript, from_json, to_json
from storage.reports import Completed, Failed, Noted, Planned, Report, SpanHeard
from storage.settings import Settings
from tasks.export import store
from tasks.transcribe import HeardSpan

logger = logging.getLogger(__name__)

PATIENCE_S = 5.0
NOTE_EVERY_S = 30.0
OWNER = "admin"
OWNER_WITHOUT_ADMIN = "cli"


@dataclass(kw_only=True)
class Book:
    """An open book; `where` says for the reader where it is, or why there is none."""

    files: Files
    worker: str
    where: str
    accept_job: Callable[[Path, str, Options], Job] | None = None
    send: Callable[[Report], Job] | None = None
    close: Callable[[], None] = lambda: None
    lost: str | None = None

    @property
    def kept(self) -> bool:
        """Whether anything is recorded at all."""
        return self.accept_job is not None

    def accept(self, path: Path, sha256: str, options: Options) -> "Entry":
        """Store the recording and return its entry; one without a job where nothing can be recorded."""
        if self.accept_job is None or self.lost:
            return Entry(book=self, job=None)
        try:
            return Entry(book=self, job=self.accept_job(path, sha256, options))
        except TranscriberError as error:
            self.lost = str(error)
            logger.warning("not recorded: %s", error, extra={"action": "cli.record"})
            return Entry(book=self, job=None)


@dataclass(kw_only=True)
class Entry:
    """One recording's entry in a book."""

    book: Book
    job: Job | None
    stale: bool = False
    _planned: bool = False
    _early: list[HeardSpan] = field(default_factory=list)
    _noted_at: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def job_id(self) -> str:
        return self.job.id if self.job else ""

    def planned(self, plan: Plan, language: str | None, probability: float | None) -> None:
        """Record how the recording was cut, then the spans that were heard before that was known."""
        self._send(
            Planned,
            duration_s=plan.duration_s,
            speech_s=plan.speech_s,
            language=language,
            language_probability=probability,
            spans=plan.spans,
        )
        with self._lock:
            self._planned, early, self._early = True, self._early, []
        for heard in early:
            self.heard(heard)

    def heard(self, found: HeardSpan) -> None:
        """Record that a span has its result on storage."""
        with self._lock:
            if not self._planned:
                self._early.append(found)
                return
        self._send(
            SpanHeard,
            index=found.span.index,
            result=found.result,
            engine_s=found.heard.engine_s,
            reused=found.reused,
            given_up=found.heard.given_up,
        )

    def note(self, detail: str) -> None:
        """Say how far the work is, twice a minute at most: that it goes on, and a line for who looks at the job."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted_at < NOTE_EVERY_S:
                return
            self._noted_at = now
        self._send(Noted, detail=detail)

    def completed(self, transcript: Transcript) -> None:
        """Store the transcript and all its files, and record that the job is done."""
        if self.job is None:
            return
        stored_as = names.transcript_name(self.job_id)
        self.book.files.write(stored_as, to_json(transcript))
        exports = store(self.book.files, transcript, stored_as=stored_as)
        self._send(Completed, transcript=stored_as, exports=exports)

    def failed(self, error: TranscriberError) -> None:
        """Record why the recording could not be transcribed."""
        self._send(Failed, error=str(error), code=error.code)

    def _send(self, kind: Callable[..., Report], **told: Any) -> None:
        send = self.book.send
        if self.job is None or send is None or self.book.lost or self.stale:
            return
        try:
            send(kind(job_id=self.job.id, attempt=self.job.attempt, worker=self.book.worker, **told))
        except (StaleAttempt, JobMoved):
            self.stale = True  # somebody has cancelled the job; `should_stop` says so
        except TranscriberError as error:
            self.book.lost = str(error)
            logger.warning("not recorded any more: %s", error, extra={"action": "cli.record"})


def open_book(settings: Settings, files: Files) -> Book:
    """Return the book: the ledger if nobody holds it, else the web process that does, else none."""
    from flows.actor import operator

    actor = operator()
    worker = f"{actor}@{socket.gethostname()}:{os.getpid()}"
    try:
        ledger = Ledger.open(settings.storage.ledger_path)
    except LedgerHeld:
        return _over_http(settings, files, actor, worker)
    except (TranscriberError, OSError) as error:
        return Book(files=files, worker=worker, where=f"nothing is recorded: {error}")
    return _in_ledger(ledger, files, actor, worker)


def _in_ledger(ledger: Ledger, files: Files, actor: str, worker: str) -> Book:
    from storage import reports
    from storage.intake import take_in

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

    return Book(
        files=files,
        worker=worker,
        where=f"recorded in {ledger.path}",
        accept_job=accept,
        send=lambda report: reports.apply(ledger, files, report, actor=actor),
        close=ledger.close,
    )


def _owner_id(con: Any, *, actor: str) -> str:
    """Return whose jobs they become: the administrator's, or, where nobody has been there yet, an account's for this.

    Nobody knows that account's password; an administrator may set one.
    """
    import secrets

    from storage import users

    owner = users.by_name(con, OWNER) or users.by_name(con, OWNER_WITHOUT_ADMIN)
    if owner is None:
        password = secrets.token_urlsafe(24)
        owner = users.create(con, name=OWNER_WITHOUT_ADMIN, password=password, role=Role.MEMBER, actor=actor)
    return owner.id


def _over_http(settings: Settings, files: Files, actor: str, worker: str) -> Book:
    from storage.client import HttpReporter
    from storage.tokens import worker_token

    url = settings.web.base_url
    reporter = HttpReporter(url, worker_token(settings), patience_s=PATIENCE_S)
    try:
        reporter.client.call("GET", "/internal/v1/jobs/none", patience_s=0)  # it is there if it says: no such job
    except TranscriberError as error:
        if error.code != NotFound.code:
            reporter.close()
            return Book(files=files, worker=worker, where=f"nothing is recorded: {error}")
    return Book(
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
    asked = {
        "owner": OWNER,
        "name": path.name,
        "media_sha256": sha256,
        "media_bytes": path.stat().st_size,
        "options": asdict(replace(options, model=Path(options.model).name)),
        "lane": Lane.INTERACTIVE.value,
        "actor": actor,
        "in_hand": True,
    }
    return from_json(Job, reporter.client.call("POST", "/internal/v1/jobs", asked))
