"""The domain: frozen rows and results that the ledger, the flows and the pages share.

Times are seconds on the recording's clock; instants are UTC-aware; ids are UUIDv7 strings.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


class JobState(StrEnum):
    """Where a job is; the last three are final."""

    QUEUED = "queued"
    INGESTING = "ingesting"
    TRANSCRIBING = "transcribing"
    EXPORTING = "exporting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


class Role(StrEnum):
    """What a user may do: everything, own work, or reading own work."""

    ADMIN = "admin"
    MEMBER = "member"
    READER = "reader"


class Lane(StrEnum):
    """Which work queue a job goes through, first to last."""

    INTERACTIVE = "interactive"
    BATCH = "batch"
    BACKFILL = "backfill"


class ExportFormat(StrEnum):
    """The files that a finished job offers; `zip` holds all the others."""

    SRT = "srt"
    VTT = "vtt"
    TXT = "txt"
    JSON = "json"
    TSV = "tsv"
    DOCX = "docx"
    ZIP = "zip"


USUAL_FORMATS = (ExportFormat.SRT, ExportFormat.VTT, ExportFormat.TXT, ExportFormat.JSON, ExportFormat.TSV)
"""What is written when a job ends that asked for nothing else; every other format is made when it is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CueLimits:
    """How cues are built and shown; lengths in columns (East Asian wide characters take two), times in seconds.

    `highlight_words` marks each word while it is spoken; `speakers` names who speaks, where that is known.
    """

    max_line_width: int = 42
    max_line_count: int = 2
    min_duration_s: float = 5 / 6
    max_duration_s: float = 7.0
    max_chars_per_s: float = 20.0
    min_gap_s: float = 0.083
    highlight_words: bool = False
    speakers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the caller asked of one job; part of every span result's name, except for `storage.names.NOT_HEARD`.

    `formats` are the files to write when the job ends; none means the usual ones.
    """

    model: str = "auto"
    language: str | None = None
    task: str = "transcribe"
    prompt: str | None = None
    hotwords: str | None = None
    beam_size: int = 5
    temperature: float = 0.0
    word_timestamps: bool = True
    audio_track: int = 0
    channels: str = "mix"  # or "split": a transcript of each channel, put together on the clock
    cues: CueLimits = CueLimits()
    language_per_span: bool = False
    diarize: bool = False
    speakers: int | None = None  # how many there are, if that is known
    formats: tuple[ExportFormat, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word with its time and the engine's probability (0 to 1); `text` keeps its leading space."""

    start_s: float
    end_s: float
    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of speech as the engine returned it, on the recording's clock."""

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    temperature: float = 0.0
    language: str | None = None  # where the recording is in several


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageGuess:
    """A language that may be spoken, and how probable that is, 0 to 1."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A stretch in which one speaker speaks; speakers count from 0, by who speaks first."""

    start_s: float
    end_s: float
    speaker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Who speaks when in a recording, in order, as it lies on storage."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearing:
    """A doubtful stretch that was heard once more with safer settings, and which hearing was kept."""

    start_s: float
    end_s: float
    doubts: tuple[str, ...]
    first_text: str
    second_text: str
    kept: str  # "first" or "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageMismatch:
    """A stretch that sounds like another language than the one that the job gave, and how probable that is."""

    start_s: float
    end_s: float
    language: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Untranscribed:
    """A stretch that the detector took for speech and that has no text even when heard by itself, and why."""

    start_s: float
    end_s: float
    reason: str  # music, noise, another language, no words


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one span gave, as it lies on storage under its result name; times are seconds from the span's start.

    The same samples in another recording find it too, so nothing in it depends on where the span lies. `languages` are
    the likeliest of the span, the best first, where nobody had told the engine which one is spoken.
    """

    segments: tuple[Segment, ...]
    language: str
    model: str
    fingerprint: str
    engine: str
    device: str
    compute_type: str
    cpu_threads: int = 0
    batch_size: int = 0
    engine_s: float
    given_up: tuple[str, ...] = ()
    reheard: tuple[Rehearing, ...] = ()
    languages: tuple[LanguageGuess, ...] = ()  # over all of its speech, best first; none where the model knows one
    mismatches: tuple[LanguageMismatch, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The next segments of a text that grows while its recording is being heard; `until_s` is how far it reaches."""

    segments: tuple[Segment, ...]
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A half-open interval [start_s, end_s) on the recording's clock."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One piece of a recording: cut in silence, stored as FLAC under the hash of its samples.

    `silence_before_s` and `silence_after_s` are the lengths of the silences that its two cuts lie in. `channel`,
    from 0, is where it was heard if each channel is transcribed on its own; spans of two channels may overlap.
    """

    index: int
    start_s: float
    end_s: float
    samples_sha256: str
    speech: tuple[Stretch, ...] = ()
    silence_before_s: float = 0.0
    silence_after_s: float = 0.0
    channel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one recording was read and cut; lies on storage under the media's hash and the ingest options."""

    media_sha256: str
    duration_s: float
    speech_s: float
    spans: tuple[Span, ...]
    language: str | None = None
    language_probability: float | None = None
    notes: tuple[str, ...] = ()  # what was missing or damaged in the file, in plain words


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One stretch that a reader should look at first, and why."""

    kind: str
    start_s: float
    end_s: float
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """One cut between two spans, and what was heard on its two sides; times on the recording's clock.

    `before_gap_s` and `after_gap_s` are how far the last word and the first one lie from the cut; None without a word.
    Where nobody paused, the spans overlap, and `agreed` counts the words that both sides heard. `doubt` is empty if no
    word can have been lost or doubled.
    """

    at_s: float
    overlap_s: float
    silence_s: float
    before: str
    after: str
    before_gap_s: float | None
    after_gap_s: float | None
    agreed: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A whole recording's text, with what is needed to trust it."""

    schema_version: int = 1
    job_id: str
    media_sha256: str
    name: str
    duration_s: float
    speech_s: float
    language: str
    language_probability: float | None
    model: str
    fingerprint: str
    engine: str
    options: Options
    segments: tuple[Segment, ...]
    findings: tuple[Finding, ...] = ()
    given_up: tuple[str, ...] = ()
    reheard: tuple[Rehearing, ...] = ()
    version: int = 1
    other_languages: tuple[LanguageGuess, ...] = ()
    seams: tuple[Seam, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(segment.text.strip() for segment in self.segments if segment.text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One state of a job's transcript; the first is the engine's, `changed` counts segments that are new in it."""

    number: int
    stored_as: str
    made_by: str
    made_at: datetime
    note: str = ""
    changed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote down about a recording, about all of it or about one moment."""

    id: str
    at_s: float | None
    text: str
    made_by: str
    made_at: datetime
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One recording to transcribe, as the ledger has it.

    `read_s` is how far it has been read and cut, until all of it is; `duration_s` and `speech_s` are then what the
    header announces and what has been found so far. `parts` counts the parts of its text that can be read already.
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
    deleted_at: datetime | None = None  # out of sight, and purged when its grace period is over
    read_s: float | None = None
    parts: int = 0

    @property
    def expected_speech_s(self) -> float | None:
        """Speech in all of the recording; while it is read, as if the rest had as much of it. None: not to be told."""
        if not self.speech_s or not self.read_s:
            return self.speech_s
        return self.speech_s * max(1.0, self.duration_s / self.read_s) if self.duration_s else None

    @property
    def progress(self) -> float:
        """Share of the speech that has been heard, 0 to 1."""
        if self.state is JobState.COMPLETED:
            return 1.0
        whole_s = self.expected_speech_s
        return min(1.0, self.done_s / whole_s) if whole_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """A span as the ledger has it: its place, and who heard it."""

    job_id: str
    index: int
    start_s: float
    end_s: float
    samples_sha256: str
    result: str | None
    worker: str | None
    engine_s: float | None
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account; its password hash never leaves `storage.users`."""

    id: str
    name: str
    role: Role
    disabled: bool
    must_change_password: bool
    created_at: datetime
    display_name: str | None = None
    email: str | None = None
    quota_hours: float | None = None
    quota_bytes: int | None = None

    @property
    def shown_name(self) -> str:
        return self.display_name or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser; the ledger holds the token's SHA-256 alone."""

    id: str
    user: User
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A program's key; shown once when made, kept as a hash. `prefix` is for recognising it in a list."""

    id: str
    user_id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what to which subject, chained: `hash` covers the row and the hash before it."""

    seq: int
    happened_at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any] = field(default_factory=dict)
    hash: str


_ADAPTERS: "dict[type, TypeAdapter[Any]]" = {}


def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # here, so that the command line's help need not wait for it

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: object) -> bytes:
    """Return any record of this module as JSON bytes."""
    return _adapter(type(record)).dump_json(record)


def from_json(kind: type[T], data: bytes | str) -> T:
    """Read a record back, checking every field.

    Raises:
        pydantic.ValidationError: the bytes do not describe a `kind`.
    """
    return cast(T, _adapter(kind).validate_json(data))
