"""Jobs and their spans, as stored in the ledger."""

from dataclasses import dataclass, field
from datetime import datetime

from storage.domain.records.job_options import JobState, Lane, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One recording to transcribe, as stored in the ledger.

    `read_s` is how far it has been read and cut; until it is complete, `duration_s` and `speech_s` are the length in
    the header and the speech found so far. `parts` counts the readable parts of the text so far. `media_start_s` is the
    file's first timestamp, from which times in the transcript count.
    """

    id: str
    owner_id: str
    name: str
    media_sha256: str
    media_bytes: int
    state: JobState
    lane: Lane
    options: Options
    attempt: int
    version: int
    duration_s: float | None
    speech_s: float | None
    done_s: float
    detail: str
    error: str | None
    model: str | None
    fingerprint: str | None
    language: str | None
    given_up: tuple[str, ...]
    flow_run_id: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None = None
    deleted_at: datetime | None = None  # hidden, and purged when its grace period is over
    read_s: float | None = None
    parts: int = 0
    media_start_s: float = 0.0
    tags: tuple[str, ...] = ()
    held: bool = False  # paused by somebody, until it is resumed
    metadata: dict[str, str] = field(default_factory=dict, hash=False)  # what came with the file
    apart: bool = False  # a flow run of it was lost: no other recording shares the next ones

    @property
    def expected_speech_s(self) -> float | None:
        """The recording's speech, extrapolated while it is being read; None if unknown."""
        if not self.speech_s or not self.read_s:
            return self.speech_s
        return self.speech_s * max(1.0, self.duration_s / self.read_s) if self.duration_s else None

    @property
    def progress(self) -> float:
        """The fraction of the speech that is transcribed, 0 to 1."""
        if self.state is JobState.COMPLETED:
            return 1.0
        whole_s = self.expected_speech_s
        return min(1.0, self.done_s / whole_s) if whole_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """A span as stored in the ledger: its place, and who transcribed it."""

    job_id: str
    index: int
    start_s: float
    end_s: float
    samples_sha256: str
    result: str | None
    worker: str | None
    engine_s: float | None
    reused: bool
