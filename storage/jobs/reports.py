"""Reports of flow runs to the ledger, applied in process or sent over HTTP.

Every report has an id and may be sent twice: the second one changes nothing and gets the first one's answer. A report
on an outdated attempt raises `StaleAttempt`, which tells the worker to stop. What applies reports is imported by the
process that has the ledger: workers need none of it, nor DuckDB, which takes 12 MB in each process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol
from uuid import uuid4

from pydantic import Field, TypeAdapter

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NotStored, StaleAttempt
from storage.domain.job_messages import decode, encode
from storage.domain.records import Job, JobState, Span, Transcript, from_json, to_json
from storage.transcripts.transcript_files import drop_partial

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from storage.files.file_store import Files
    from storage.jobs.job_rows import JobUpdate
    from storage.ledger.database import Ledger


def _new_id() -> str:
    return str(uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    job_id: str
    attempt: int
    worker: str
    id: str = field(default_factory=_new_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(_Report):
    """A flow run started the job: it is `ingesting`. A repeated report changes nothing."""

    kind: Literal["started"] = "started"
    flow_run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(_Report):
    """More spans were cut while the recording is being read: the job is `transcribing`.

    `read_s` is how far it has been read and cut, `duration_s` the length in its header, if there is one.
    """

    kind: Literal["cut"] = "cut"
    spans: tuple[Span, ...]
    read_s: float
    duration_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(_Report):
    """The recording has been read and cut completely: the job is `transcribing`."""

    kind: Literal["planned"] = "planned"
    duration_s: float
    speech_s: float
    language: str | None
    language_probability: float | None
    spans: tuple[Span, ...]
    media_start_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced(_Report):
    """This many seconds of span `index` are transcribed (live progress, no audit row)."""

    kind: Literal["advanced"] = "advanced"
    index: int
    done_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanHeard(_Report):
    """Span `index` has its result on storage; `reused` if it was there before."""

    kind: Literal["span_heard"] = "span_heard"
    index: int
    result: str
    engine_s: float
    reused: bool = False
    given_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable(_Report):
    """This many parts of the text so far are on storage (no audit row)."""

    kind: Literal["readable"] = "readable"
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(_Report):
    """What the job is doing, as an encoded message."""

    kind: Literal["noted"] = "noted"
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting(_Report):
    """All spans are transcribed; stitching, checking and writing files: `exporting`."""

    kind: Literal["exporting"] = "exporting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(_Report):
    """The transcript is on storage, and its files under `exports` (format to name).

    `earlier` are reports of the same attempt that were not sent before; they are applied first, in one transaction.
    """

    kind: Literal["completed"] = "completed"
    transcript: str
    exports: dict[str, str]
    earlier: tuple[Planned | SpanHeard, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(_Report):
    """The attempt failed; `error` is the encoded message."""

    kind: Literal["failed"] = "failed"
    error: str
    code: str


Report = Annotated[
    Started | Cut | Planned | Advanced | SpanHeard | Readable | Noted | Exporting | Completed | Failed,
    Field(discriminator="kind"),
]


class Reporter(Protocol):
    """The destination of a flow run's reports."""

    def send(self, report: Report) -> Job:
        """Apply the report and return the job as it is now.

        Raises:
            StaleAttempt: the attempt is outdated (cancelled, failed or replaced); stop working.
            NotFound: there is no such job.
            LedgerUnreachable: the web process was unavailable for longer than the retries last.
        """
        ...


ANSWER = "SELECT answer FROM answers WHERE report_id = $report_id"
KEEP_ANSWER = """
INSERT INTO answers (report_id, job_id, answer, answered_at) VALUES ($report_id, $job_id, $answer, $now)
"""
APPLIED_AGAIN = (Cut, Advanced, Readable, Noted)
"""Reports that may be applied twice, since nothing is counted: their answers are neither kept nor looked for."""
_ANY: TypeAdapter[Any] = TypeAdapter(Report)


def read(body: bytes | str) -> Report:
    """Parse a report received over HTTP.

    Raises:
        BadRequest: the body is not a report.
    """
    try:
        report: Report = _ANY.validate_json(body)
    except ValueError as error:
        raise BadRequest("report", f"not understood ({str(error).splitlines()[0]})") from error
    return report


def apply(
    ledger: "Ledger",
    files: "Files",
    report: Report,
    *,
    actor: str,
    on_applied: Callable[[Job], None] = lambda _: None,
) -> Job:
    """Apply a report and return the job; a repeated report gets its first answer.

    Answer and change are one transaction. A transcript is read from storage before it. `on_applied` receives the job
    once that is in the ledger, while its manifest is written.

    Raises:
        StaleAttempt: the attempt is cancelled, failed or replaced; nothing is written.
        NotFound: there is no such job, or no such span of it.
        NotStored: the transcript that the report names is not on storage.
    """
    from storage.jobs import manifests

    transcript = _transcript(files, report) if isinstance(report, Completed) else None
    job = ledger.run(_apply, report, transcript, actor=actor)
    on_applied(job)
    if job.state.finished:
        manifests.describe_ended(ledger, files, job.id)
        drop_partial(files, job.id)
    return job


def _apply(con: "DuckDBPyConnection", report: Report, transcript: Transcript | None, *, actor: str) -> Job:
    from storage.jobs import job_rows

    if not isinstance(report, APPLIED_AGAIN) and (answer := _answer(con, report)):
        return answer
    job = job_rows.get(con, report.job_id)
    failed_again = isinstance(report, Failed) and job.state is JobState.FAILED
    if job.attempt != report.attempt or (job.state in {JobState.CANCELLED, JobState.FAILED} and not failed_again):
        raise StaleAttempt(report.job_id, report.attempt)
    if job.state.finished:
        return job
    change = job_rows.JobUpdate(con, job, actor=actor)
    _change(change, report, transcript)
    job = change.store()
    if not isinstance(report, APPLIED_AGAIN):
        values = {"report_id": report.id, "job_id": job.id, "answer": to_json(job).decode(), "now": utc_now()}
        con.execute(KEEP_ANSWER, values)
    return job


def _change(change: "JobUpdate", report: Report, transcript: Transcript | None) -> None:
    from storage.jobs import progress

    match report:
        case Started():
            progress.started(change, flow_run_id=report.flow_run_id)
        case Cut():
            progress.cut(change, spans=report.spans, read_s=report.read_s, duration_s=report.duration_s)
        case Planned():
            progress.planned(
                change,
                duration_s=report.duration_s,
                speech_s=report.speech_s,
                language=report.language,
                language_probability=report.language_probability,
                spans=report.spans,
                media_start_s=report.media_start_s,
            )
        case Advanced():
            progress.advanced(change, index=report.index, done_s=report.done_s)
        case SpanHeard():
            progress.span_heard(
                change,
                index=report.index,
                result=report.result,
                worker=report.worker,
                engine_s=report.engine_s,
                reused=report.reused,
                given_up=report.given_up,
            )
        case Readable():
            progress.readable(change, parts=report.parts)
        case Noted():
            change.set(detail=encode(decode(report.detail)))
        case Exporting():
            progress.exporting(change)
        case Completed():
            if transcript is None:
                raise NotStored(report.transcript)
            for earlier in report.earlier:
                _change(change, _of_attempt(earlier, change.job), None)
            progress.completed(change, transcript=transcript, stored_as=report.transcript, exports=report.exports)
        case Failed():
            progress.failed(change, error=report.error, code=report.code)


def _of_attempt(report: Planned | SpanHeard, job: Job) -> Planned | SpanHeard:
    """Return the report.

    Raises:
        BadRequest: it is of another job or attempt.
    """
    if (report.job_id, report.attempt) != (job.id, job.attempt):
        raise BadRequest("earlier", f"it has a report on attempt {report.attempt} of job {report.job_id}")
    return report


def _answer(con: "DuckDBPyConnection", report: Report) -> Job | None:
    row = con.execute(ANSWER, {"report_id": report.id}).fetchone()
    return from_json(Job, row[0]) if row else None


def _transcript(files: "Files", report: Completed) -> Transcript | None:
    """Return the transcript, or None if it is not there.

    Of a repeated report, it need not be.

    Raises:
        BadRequest: it is no transcript, or another job's.
    """
    try:
        transcript = from_json(Transcript, files.read(report.transcript))
    except NotStored:
        return None
    except ValueError as error:
        raise BadRequest("transcript", f"{report.transcript} is no transcript") from error
    if transcript.job_id != report.job_id:
        raise BadRequest("transcript", f"{report.transcript} is that of job {transcript.job_id}")
    return transcript
