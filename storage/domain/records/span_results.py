"""Spans of a recording, the plan they belong to, and the result of each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word with its time and probability (0 to 1); `text` keeps its leading space."""

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
    language: str | None = None  # set if the recording has several


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageGuess:
    """A language that may be spoken, and its probability, 0 to 1."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A stretch with one speaker; speakers are numbered from 0 by first appearance."""

    start_s: float
    end_s: float
    speaker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The speaker turns of a recording in order, as stored."""

    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redecoding:
    """A doubtful stretch that was decoded again with safer settings, and the text kept."""

    start_s: float
    end_s: float
    doubts: tuple[str, ...]
    first_text: str
    second_text: str
    kept: str  # "first" or "second"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageMismatch:
    """A stretch that sounds like a language other than the requested one."""

    start_s: float
    end_s: float
    language: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Untranscribed:
    """Detected speech that has no text even when decoded on its own, and why."""

    start_s: float
    end_s: float
    reason: str  # music, noise, another language, no words


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A half-open interval [start_s, end_s) on the recording's clock."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanResult:
    """The result of one span as stored; times are seconds from the span's start.

    The same samples in another recording have the same result, so it does not depend on where the span lies.
    `languages` are the span's likeliest languages, best first, if the engine detected them.
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
    reheard: tuple[Redecoding, ...] = ()
    languages: tuple[LanguageGuess, ...] = ()  # over all of its speech, best first; empty for English-only models
    mismatches: tuple[LanguageMismatch, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()
    repeats: tuple[Stretch, ...] = ()  # where both text and sound repeat a phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The next segments of the text so far; `until_s` is how far they reach.

    They are not `certain` from the first span on whose language is uncertain, since it may be decoded again.
    """

    segments: tuple[Segment, ...]
    until_s: float
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a recording: cut at silences, stored as FLAC under its samples' hash.

    `silence_before_s` and `silence_after_s` are the lengths of the silences at its two cuts. `channel`, from 0, is set
    if channels are transcribed separately; spans of two channels may overlap. `maybe` is what may be speech although
    the detector did not find it.
    """

    index: int
    start_s: float
    end_s: float
    samples_sha256: str
    speech: tuple[Stretch, ...] = ()
    maybe: tuple[Stretch, ...] = ()
    silence_before_s: float = 0.0
    silence_after_s: float = 0.0
    channel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNote:
    """What a recording's file lacks, or what was changed to read it.

    `message` is stored as `storage.domain.job_messages.encode` returns it. `damaged` means that sound may be missing,
    at this time if one is given.
    """

    message: str
    damaged: bool = True
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one recording was read and cut; stored under the media's hash and ingest options."""

    media_sha256: str
    duration_s: float
    speech_s: float
    spans: tuple[Span, ...]
    language: str | None = None
    language_probability: float | None = None
    notes: tuple[FileNote, ...] = ()
    media_start_s: float = 0.0  # the file's first timestamp, from which all times count
