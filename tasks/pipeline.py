"""The transcription pipeline in one process: ingest, transcribe, stitch and check.

The command line and notebooks call it. The flows run the same steps, spread over workers.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from storage.domain import names
from storage.domain.errors import NotStored
from storage.domain.job_messages import encode, text_of
from storage.domain.languages import UNDETERMINED
from storage.domain.model_names import display_name
from storage.domain.records import (
    Finding,
    LanguageMismatch,
    Options,
    Plan,
    Redecoding,
    Segment,
    Span,
    SpanResult,
    Stretch,
    Transcript,
    Untranscribed,
    from_json,
    to_json,
)
from storage.domain.transcript_notes import OtherLanguage, SoundsLike
from storage.files.file_store import Files
from tasks.asr.base import AsrEngine, DecodingStopped
from tasks.asr.language import SpokenLanguage, languages_of, requested_language, settle_language, speech_s
from tasks.asr.language_check import Lend, mostly_another, nothing_to_lend, with_language_checked
from tasks.assembly.review_findings import DOUBTED, doubted_throughout, findings, given_up, maybe_s
from tasks.assembly.seam_audit import doubtful, seams
from tasks.assembly.stitch import stitch
from tasks.audio.ingest import file_sha256, ingest, read_span
from tasks.audio.split import maybe_of, speech_of
from tasks.diarization.speakers import NO_DIARIZATION, Diarization, Diarizer, assign_speakers, diarize_recording

logger = logging.getLogger(__name__)

Placed = TypeVar("Placed", Redecoding, Untranscribed, LanguageMismatch, Stretch)

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one recording has come, in seconds of audio read and speech transcribed."""

    read_s: float = 0.0
    speech_s: float = 0.0
    transcribed_s: float = 0.0
    plan: Plan | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscribedSpan:
    """The result of a span, its name on storage, and whether it was reused."""

    span: Span
    result: SpanResult
    result_name: str
    reused: bool


OnTranscribed = Callable[[TranscribedSpan], None]


def transcribe_file(
    path: Path,
    *,
    engine: AsrEngine,
    files: Files,
    options: Options,
    diarizer: Diarizer | None = None,
    lend_multilingual: Lend = nothing_to_lend,
    on_progress: OnProgress = lambda _: None,
    on_plan: Callable[[Plan], None] = lambda _: None,
    on_transcribed: OnTranscribed = lambda _: None,
    should_stop: ShouldStop = lambda: False,
    media_sha256: str | None = None,
    name: str | None = None,
    job_id: str = "",
    span_max_s: float = 180.0,
    max_hours: float = 24.0,
) -> Transcript:
    """Return the transcript of a recording, reusing span results that are on storage.

    Spans are transcribed while the rest of the recording is still being read.

    Raises:
        EmptyUpload, NoAudioTrack, AudioUnreadable, RecordingTooLong: see `tasks.audio.ingest.ingest`.
        DecodingStopped: `should_stop` returned true; finished spans stay on storage.
    """
    sha256 = media_sha256 or file_sha256(path)
    shown_as = name or path.name
    with ThreadPoolExecutor(engine.plan.num_workers, thread_name_prefix="transcribe") as workers:
        run = _PipelineRun(
            engine=engine,
            files=files,
            options=options,
            lend_multilingual=lend_multilingual,
            on_progress=on_progress,
            on_transcribed=on_transcribed,
            should_stop=should_stop,
            workers=workers,
        )
        try:
            plan = ingest(
                path,
                name=shown_as,
                files=files,
                options=options,
                span_max_s=span_max_s,
                max_hours=max_hours,
                media_sha256=sha256,
                on_span=run.submit,
                on_progress=run.on_read,
            )
            on_plan(plan)
            run.submit_rest(plan)
            diarization = run.diarize(plan, diarizer)
            results, spoken = run.all_results(plan)
        except BaseException:
            run.stopped.set()
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    return assemble_transcript(
        plan,
        results,
        job_id=job_id,
        name=shown_as,
        model=engine.resolved.name,
        fingerprint=engine.resolved.fingerprint,
        engine_version=engine.version,
        spoken=spoken,
        options=options,
        diarization=diarization,
    )


def assemble_transcript(
    plan: Plan,
    results: Sequence[SpanResult],
    *,
    job_id: str,
    name: str,
    model: str,
    fingerprint: str,
    engine_version: str,
    spoken: SpokenLanguage,
    options: Options,
    diarization: Diarization = NO_DIARIZATION,
) -> Transcript:
    """Assemble the transcript from the results of all spans: stitch, then check."""
    is_mixed = any(languages_of(result) != {spoken.language} for result in results if result.segments)
    results = [_with_languages(result, named=is_mixed) for result in results]
    segments = stitch(plan, results)
    cuts = seams(plan, results)
    pairs = list(zip(plan.spans, results, strict=True))
    untranscribed = tuple(_later(item, span.start_s) for span, result in pairs for item in result.untranscribed)
    mismatches = [_later(item, span.start_s) for span, result in pairs for item in result.mismatches]
    repeats = [_later(item, span.start_s) for span, result in pairs for item in result.repeats]
    doubts = findings(plan, segments, untranscribed=untranscribed, mismatches=mismatches, repeats=repeats)
    only_english = not any(result.languages for result in results)
    notes = given_up(plan, results) + diarization.notes
    known, heard = display_name(model), mostly_another(plan, mismatches) if only_english else None
    if doubted := doubted_throughout(segments, only_english=only_english and not heard):
        notes = encode(doubted), *notes
        whole = Finding(kind=DOUBTED, start_s=0.0, end_s=plan.duration_s, detail=text_of(notes[0]))
        doubts = whole, *doubts
    if heard:
        notes = encode(SoundsLike(language=heard, model=known)), *notes
    if options.language and options.language != spoken.language:
        notes += (encode(OtherLanguage(asked=options.language, used=spoken.language, model=known)),)
    return Transcript(
        job_id=job_id,
        media_sha256=plan.media_sha256,
        name=name,
        duration_s=plan.duration_s,
        speech_s=round(plan.speech_s + maybe_s(plan), 3),
        language=UNDETERMINED if heard or (doubted and only_english and not options.language) else spoken.language,
        language_probability=spoken.probability,
        other_languages=spoken.others,
        model=known,
        fingerprint=fingerprint,
        engine=results[0].engine if results else engine_version,
        options=options,
        segments=assign_speakers(segments, diarization.turns),
        findings=tuple(sorted((*doubts, *doubtful(cuts)), key=lambda item: item.start_s)),
        given_up=notes,
        reheard=tuple(_later(item, span.start_s) for span, result in pairs for item in result.reheard),
        seams=cuts,
        untranscribed=untranscribed,
    )


def _later(each: Placed, offset_s: float) -> Placed:
    """Return an item of a span on the recording's clock."""
    return replace(each, start_s=round(each.start_s + offset_s, 3), end_s=round(each.end_s + offset_s, 3))


def _with_languages(result: SpanResult, *, named: bool) -> SpanResult:
    """Set the language of every segment, or of none."""

    def language(segment: Segment) -> str | None:
        return segment.language or result.language if named else None

    return replace(result, segments=tuple(replace(segment, language=language(segment)) for segment in result.segments))


def transcribe_or_reuse(
    span: Span,
    *,
    engine: AsrEngine,
    files: Files,
    options: Options,
    language: str | None,
    lend_multilingual: Lend = nothing_to_lend,
    should_stop: ShouldStop = lambda: False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> TranscribedSpan:
    """Return a span's result: from storage, or transcribed now and stored.

    Raises:
        NotStored: the span's audio is gone.
        DecodingStopped: `should_stop` returned true.
    """
    result_name = names.result_name(span.samples_sha256, engine.resolved.fingerprint, engine.version, options, language)
    try:
        stored = from_json(SpanResult, files.read(result_name))
        return TranscribedSpan(span=span, result=stored, result_name=result_name, reused=True)
    except NotStored:
        logger.debug("transcribing span %d", span.index, extra={"action": "span"})
    pcm, speech = read_span(files, span.samples_sha256), speech_of(span)
    result = engine.transcribe(
        pcm,
        options=options,
        language=language,
        speech=speech,
        maybe=maybe_of(span),
        should_stop=should_stop,
        on_progress=on_progress,
    )
    result = with_language_checked(
        result, pcm, speech, engine=engine, options=options, lend=lend_multilingual, should_stop=should_stop
    )
    files.write(result_name, to_json(result))
    return TranscribedSpan(span=span, result=result, result_name=result_name, reused=False)


@dataclass(kw_only=True)
class _PipelineRun:
    """One run of `transcribe_file`: its workers, its progress and the results so far."""

    engine: AsrEngine
    files: Files
    options: Options
    lend_multilingual: Lend
    on_progress: OnProgress
    on_transcribed: OnTranscribed
    should_stop: ShouldStop
    workers: ThreadPoolExecutor
    futures: dict[int, Future[TranscribedSpan]] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)
    progress: Progress = field(default_factory=Progress)
    transcribed_s: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.language = requested_language(self.options, self.engine.capabilities)
        self._lock = threading.Lock()

    def stop_requested(self) -> bool:
        return self.stopped.is_set() or self.should_stop()

    def on_read(self, read_s: float) -> None:
        if self.stop_requested():
            raise DecodingStopped
        self.report(read_s=read_s)

    def submit(self, span: Span) -> None:
        """Submit a span as soon as it is cut."""
        self.report(speech_s=self.progress.speech_s + speech_s(span))
        self.start(span, self.language)

    def submit_rest(self, plan: Plan) -> None:
        """Submit the spans that are not yet running (all of a stored plan)."""
        self.report(read_s=plan.duration_s, speech_s=sum(map(speech_s, plan.spans)), plan=plan)
        for span in plan.spans:
            if span.index not in self.futures:
                self.start(span, self.language)

    def all_results(self, plan: Plan) -> tuple[list[SpanResult], SpokenLanguage]:
        """Wait for all spans, decode uncertain ones again, and return the results.

        A span whose language was uncertain is decoded again in the recording's language.
        """
        results = self.results(plan)
        spoken, to_redecode = settle_language(plan, results, self.options, self.language)
        for span in to_redecode:
            self.start(span, spoken.language)
        return self.results(plan), spoken

    def results(self, plan: Plan) -> list[SpanResult]:
        return [self.futures[span.index].result().result for span in plan.spans]

    def diarize(self, plan: Plan, diarizer: Diarizer | None) -> Diarization:
        """Diarize while the spans are being transcribed, if the job asks for it."""
        if diarizer is None:
            return NO_DIARIZATION
        return diarize_recording(diarizer, self.files, plan, self.options, should_stop=self.stop_requested)

    def start(self, span: Span, language: str | None) -> None:
        self.futures[span.index] = self.workers.submit(self.transcribe, span, language)

    def transcribe(self, span: Span, language: str | None) -> TranscribedSpan:
        if self.stop_requested():
            raise DecodingStopped

        def on_progress(done_s: float) -> None:
            with self._lock:
                self.transcribed_s[span.index] = done_s
            self.report(transcribed_s=sum(self.transcribed_s.values()))

        transcribed = transcribe_or_reuse(
            span,
            engine=self.engine,
            files=self.files,
            options=self.options,
            language=language,
            lend_multilingual=self.lend_multilingual,
            should_stop=self.stop_requested,
            on_progress=on_progress,
        )
        on_progress(speech_s(span))
        self.on_transcribed(transcribed)
        return transcribed

    def report(self, **changed: object) -> None:
        with self._lock:
            self.progress = replace(self.progress, **changed)  # type: ignore[arg-type]
            now = self.progress
        self.on_progress(now)
