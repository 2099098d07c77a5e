"""What flow runs tell the ledger, and the two ways of telling it: in process, or over HTTP.

Every report carries an id of its own and may be sent twice: the second one changes nothing and gets the
first one's answer. A report on an attempt that is over raises `StaleAttempt`, which tells the worker to stop.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol
from uuid import uuid4

from pydantic import Field

from storage.records import Job, Span


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
    """A flow run has taken the job: `ingesting` from now on. Sent again by a resumed run, it changes nothing."""

    kind: Literal["started"] = "started"
    flow_run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(_Report):
    """The recording has been read and cut: `transcribing` from now on."""

    kind: Literal["planned"] = "planned"
    duration_s: float
    speech_s: float
    language: str | None
    language_probability: float | None
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced(_Report):
    """So many seconds of speech of span `index` have been heard so far (live progress, no audit row)."""

    kind: Literal["advanced"] = "advanced"
    index: int
    done_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanHeard(_Report):
    """Span `index` has its result on storage under the name `result`; `reused` says that it was there before."""

    kind: Literal["span_heard"] = "span_heard"
    index: int
    result: str
    engine_s: float
    reused: bool = False
    given_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(_Report):
    """A line for the reader while the job goes on, e.g. "downloading model small: 43%"."""

    kind: Literal["noted"] = "noted"
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting(_Report):
    """All spans are heard; stitching, checking and writing the files: `exporting`."""

    kind: Literal["exporting"] = "exporting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed(_Report):
    """The transcript lies on storage under `transcript` and its files under `exports` (format to name)."""

    kind: Literal["completed"] = "completed"
    transcript: str
    exports: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(_Report):
    """The attempt has failed; `error` says what happened and what to do."""

    kind: Literal["failed"] = "failed"
    error: str
    code: str


Report = Annotated[
    Started | Planned | Advanced | SpanHeard | Noted | Exporting | Completed | Failed, Field(discriminator="kind")
]


class Reporter(Protocol):
    """Where a flow run reports to."""

    def send(self, report: Report) -> Job:
        """Apply the report and return the job as it is now.

        Raises:
            StaleAttempt: the attempt is over (cancelled, replaced or given up); stop working.
            NotFound: there is no such job.
            LedgerUnreachable: the web process stayed away for longer than the retries last.
        """
        ...
