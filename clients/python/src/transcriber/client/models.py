"""What the server answers, as frozen models; fields of later servers are ignored."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Body(BaseModel):
    """The base of all models."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class State(StrEnum):
    """The state of a job; the last three are final."""

    QUEUED = "queued"
    INGESTING = "ingesting"
    TRANSCRIBING = "transcribing"
    EXPORTING = "exporting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {State.COMPLETED, State.FAILED, State.CANCELLED}


class Priority(StrEnum):
    """The lane of a job, first to last."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    BACKFILL = "backfill"


class Job(Body):
    """A recording and its state; times in seconds."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = Field(default_factory=dict)
    owner_id: str
    state: State
    lane: Priority
    options: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    progress: float
    held: bool = False
    detail: str = ""
    error: str | None = None
    attempt: int
    media_sha256: str = Field(repr=False)
    media_bytes: int
    duration_s: float | None = None
    speech_s: float | None = None
    language: str | None = None
    model: str | None = None
    given_up: tuple[str, ...] = ()
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    deleted_at: AwareDatetime | None = None
    files: tuple[str, ...] = Field((), repr=False)


class Word(Body):
    """A word; its text includes the space before it."""

    start_s: float
    end_s: float
    text: str
    probability: float


class Segment(Body):
    """A stretch of speech on the recording's clock."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    language: str | None = None
    avg_logprob: float = 0.0


class Transcript(Body):
    """The text of a recording; `export(job_id, "json")` has more fields."""

    job_id: str
    name: str
    version: int = 1
    duration_s: float
    speech_s: float
    language: str
    model: str
    segments: tuple[Segment, ...] = Field(repr=False)

    @property
    def text(self) -> str:
        """The whole text, a segment a line."""
        return "\n".join(segment.text.strip() for segment in self.segments)


class JobEvent(Body):
    """A change of a job. After a `missed` one, look at the jobs again: some events are lost."""

    id: str = ""
    missed: bool = False
    job_id: str | None = None
    owner_id: str | None = None
    state: State | None = None
    progress: float | None = None
    detail: str | None = None
    attempt: int | None = None


class ItemError(Body):
    """Why a recording of a batch became no job."""

    code: str
    message: str


class Download(Body):
    """A recording that the server gets itself."""

    id: str
    url: str
    name: str
    state: Literal["downloading", "checking", "completed", "failed"]
    received_bytes: int
    length_bytes: int | None = None
    job_id: str | None = None
    error: ItemError | None = None


class BatchState(StrEnum):
    """The state of a batch."""

    WORKING = "working"
    COMPLETED = "completed"
    PARTLY_COMPLETED = "partly_completed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in {BatchState.WORKING, BatchState.CANCELLING}


class Batch(Body):
    """A batch, and how many of its recordings are in each state."""

    id: str
    owner_id: str
    name: str
    lane: Priority
    state: BatchState
    total: int
    counts: Mapping[str, int]
    created_at: AwareDatetime
    cancelled_at: AwareDatetime | None = None


class BatchItem(Body):
    """A recording of a batch; its state is its job's, once there is one."""

    number: int
    source: str
    name: str | None = None
    state: str
    job_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = {}
    error: ItemError | None = None


class BatchSource(Body):
    """A recording to get, with what differs from the batch's."""

    url: str | None = None
    path: str | None = None
    name: str | None = None
    options: Mapping[str, Any] | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None


class Me(Body):
    """The account of the key."""

    id: str
    name: str
    role: str


class SavedFile(Body):
    """A file that was downloaded."""

    path: Path
    size_bytes: int
