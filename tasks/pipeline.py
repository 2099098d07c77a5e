"""The whole way of one recording in one process: ingest, hear what has not been heard, stitch, check.

This is what the command line and a notebook call; the flows do the same steps, spread over workers.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from storage import names
from storage.errors import NotStored
from storage.files import Files
from storage.records import (
    Heard,
    LanguageMismatch,
    Options,
    Plan,
    Rehearing,
    Segment,
    Span,
    Transcript,
    Untranscribed,
    from_json,
    to_json,
)
from tasks.engine import ENGINE_VERSION, Engine, Stopped, hear
from tasks.gate import findings, given_up
from tasks.ingest import file_sha256, ingest, read_span
from tasks.language import (
    SpokenLanguage,
    languages_of,
    recording_language,
    speech_s,
    to_hear_again,
    told_language,
)
from tasks.seams import doubtful, seams
from tasks.speakers import NO_VOICES, Diarizer, Voices, find_voices, told_apart
from tasks.stitch import speech_of, stitch

logger = logging.getLogger(__name__)

Placed = TypeVar("Placed", Rehearing, Untranscribed, LanguageMismatch)

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one recording is; seconds of its length, and of the speech that has been found in it so far."""

    read_s: float = 0.0
    speech_s: float = 0.0
    heard_s: float = 0.0
    plan: Plan | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSpan:
    """A span's hearing, its name on storage, and whether it was there before."""

    span: Span
    heard: Heard
    result: str
    reused: bool


OnHeard = Callable[[HeardSpan], None]


def transcribe_file(
    path: Path,
    *,
    engine: Engine,
    files: Files,
    options: Options,
    diarizer: Diarizer | None = None,
    on_progress: OnProgress = lambda _: None,
    on_plan: Callable[[Plan], None] = lambda _: None,
    on_heard: OnHeard = lambda _: None,
    should_stop: ShouldStop = lambda: False,
    media_sha256: str | None = None,
    name: str | None = None,
    job_id: str = "",
    span_max_s: float = 180.0,
    max_hours: float = 24.0,
) -> Transcript:
    """Return the transcript of a recording; spans that were heard before, with these options, are not heard again.

    Hearing begins while the rest of the recording is still being read.

    Raises:
        EmptyUpload, NoAudioTrack, AudioUnreadable, RecordingTooLong: see `tasks.ingest.ingest`.
        Stopped: `should_stop` said so; finished spans stay on storage.
    """
    sha256 = media_sha256 or file_sha256(path)
    called = name or path.name
    with ThreadPoolExecutor(engine.plan.num_workers, thread_name_prefix="hear") as workers:
        way = _Way(
            engine=engine,
            files=files,
            options=options,
            on_progress=on_progress,
            on_heard=on_heard,
            should_stop=should_stop,
            workers=workers,
        )
        try:
            plan = ingest(
                path,
                name=called,
                files=files,
                options=options,
                span_max_s=span_max_s,
                max_hours=max_hours,
                media_sha256=sha256,
                on_span=way.take,
                on_progress=way.read,
            )
            on_plan(plan)
            way.take_rest(plan)
            voices = way.voices(plan, diarizer)
            heards, spoken = way.all_heard(plan)
        except BaseException:
            way.stopped.set()
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    return compose(
        plan,
        heards,
        job_id=job_id,
        name=called,
        model=engine.resolved.name,
        fingerprint=engine.resolved.fingerprint,
        spoken=spoken,
        options=options,
        voices=voices,
    )


def compose(
    plan: Plan,
    heards: Sequence[Heard],
    *,
    job_id: str,
    name: str,
    model: str,
    fingerprint: str,
    spoken: SpokenLanguage,
    options: Options,
    voices: Voices = NO_VOICES,
) -> Transcript:
    """Return the transcript of a recording all of whose spans have been heard: stitched and checked."""
    several = any(languages_of(heard) != {spoken.language} for heard in heards)
    heards = [_with_languages(heard, named=several) for heard in heards]
    segments = stitch(plan, heards)
    cuts = seams(plan, heards)
    pairs = list(zip(plan.spans, heards, strict=True))
    untranscribed = tuple(_later(each, span.start_s) for span, heard in pairs for each in heard.untranscribed)
    mismatches = [_later(each, span.start_s) for span, heard in pairs for each in heard.mismatches]
    doubts = findings(plan, segments, untranscribed=untranscribed, mismatches=mismatches)
    notes = given_up(plan, heards) + voices.notes
    if options.language not in (None, spoken.language):
        notes += (f"asked for {options.language}, heard as {spoken.language}: model {model} knows no other language",)
    return Transcript(
        job_id=job_id,
        media_sha256=plan.media_sha256,
        name=name,
        duration_s=plan.duration_s,
        speech_s=plan.speech_s,
        language=spoken.language,
        language_probability=spoken.probability,
        other_languages=spoken.others,
        model=model,
        fingerprint=fingerprint,
        engine=heards[0].engine if heards else ENGINE_VERSION,
        options=options,
        segments=told_apart(segments, voices.turns),
        findings=tuple(sorted((*doubts, *doubtful(cuts)), key=lambda each: each.start_s)),
        given_up=notes,
        reheard=tuple(_later(each, span.start_s) for span, heard in pairs for each in heard.reheard),
        seams=cuts,
        untranscribed=untranscribed,
    )


def _later(each: Placed, offset_s: float) -> Placed:
    """Return a stretch of a span on the recording's clock."""
    return replace(each, start_s=round(each.start_s + offset_s, 3), end_s=round(each.end_s + offset_s, 3))


def _with_languages(heard: Heard, *, named: bool) -> Heard:
    """Name each segment's language, or no segment's."""

    def language(segment: Segment) -> str | None:
        return segment.language or heard.language if named else None

    return replace(heard, segments=tuple(replace(segment, language=language(segment)) for segment in heard.segments))


def hear_span(
    span: Span,
    *,
    engine: Engine,
    files: Files,
    options: Options,
    language: str | None,
    should_stop: ShouldStop = lambda: False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> HeardSpan:
    """Return what is said in a span: found on storage, else heard now and stored.

    Raises:
        NotStored: the span's sound is gone.
        Stopped: `should_stop` said so.
    """
    result = names.result_name(span.samples_sha256, engine.resolved.fingerprint, ENGINE_VERSION, options, language)
    try:
        return HeardSpan(span=span, heard=from_json(Heard, files.read(result)), result=result, reused=True)
    except NotStored:
        logger.debug("hearing span %d", span.index, extra={"action": "span"})
    heard = hear(
        engine,
        read_span(files, span.samples_sha256),
        options=options,
        language=language,
        speech=speech_of(span),
        should_stop=should_stop,
        on_progress=on_progress,
    )
    files.write(result, to_json(heard))
    return HeardSpan(span=span, heard=heard, result=result, reused=False)


@dataclass(kw_only=True)
class _Way:
    """One recording on its way through `transcribe_file`."""

    engine: Engine
    files: Files
    options: Options
    on_progress: OnProgress
    on_heard: OnHeard
    should_stop: ShouldStop
    workers: ThreadPoolExecutor
    hearings: dict[int, Future[HeardSpan]] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    heard_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.told = told_language(self.options, multilingual=self.engine.multilingual)
        self._lock = threading.Lock()

    def asked_to_stop(self) -> bool:
        return self.stopped.is_set() or self.should_stop()

    def read(self, read_s: float) -> None:
        if self.asked_to_stop():
            raise Stopped
        self.tell(read_s=read_s)

    def take(self, span: Span) -> None:
        """Start hearing a span as soon as it is cut."""
        self.tell(speech_s=self.progress.speech_s + speech_s(span))
        self.start(span, self.told)

    def take_rest(self, plan: Plan) -> None:
        """Start hearing what has not been started: all of it where the plan was there already."""
        self.tell(read_s=plan.duration_s, speech_s=sum(map(speech_s, plan.spans)), plan=plan)
        for span in plan.spans:
            if span.index not in self.hearings:
                self.start(span, self.told)

    def all_heard(self, plan: Plan) -> tuple[list[Heard], SpokenLanguage]:
        """Wait for all spans, have those in doubt heard again in the recording's language, and return both."""
        given = self.told or (self.options.language if self.engine.multilingual else None)
        heards = self.heards(plan)
        spoken = recording_language(plan, heards, given=given)
        for span in to_hear_again(plan, heards, spoken):
            self.start(span, spoken.language)
        return self.heards(plan), spoken

    def heards(self, plan: Plan) -> list[Heard]:
        return [self.hearings[span.index].result().heard for span in plan.spans]

    def voices(self, plan: Plan, diarizer: Diarizer | None) -> Voices:
        """Tell the speakers apart while the spans are being heard, if the job asks for that."""
        if diarizer is None:
            return NO_VOICES
        return find_voices(diarizer, self.files, plan, self.options, should_stop=self.asked_to_stop)

    def start(self, span: Span, language: str | None) -> None:
        self.hearings[span.index] = self.workers.submit(self.hear, span, language)

    def hear(self, span: Span, language: str | None) -> HeardSpan:
        if self.asked_to_stop():
            raise Stopped

        def on_progress(done_s: float) -> None:
            with self._lock:
                self.heard_s[span.index] = done_s
            self.tell(heard_s=sum(self.heard_s.values()))

        heard = hear_span(
            span,
            engine=self.engine,
            files=self.files,
            options=self.options,
            language=language,
            should_stop=self.asked_to_stop,
            on_progress=on_progress,
        )
        on_progress(speech_s(span))
        self.on_heard(heard)
        return heard

    def tell(self, **changed: object) -> None:
        with self._lock:
            self.progress = replace(self.progress, **changed)  # type: ignore[arg-type]
            now = self.progress
        self.on_progress(now)
