"""Ingest a recording in one pass: decode, detect speech, cut and store spans.

Spans are stored while the rest is still being decoded. The result is a plan, stored under the media's hash, which
retries, other users with the same file and other workers reuse. Only the audio decides the cuts, so the same audio
gives the same spans everywhere.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from storage.domain import names
from storage.domain.errors import NotStored, RecordingTooLong
from storage.domain.records import FileNote, Options, Plan, Span, Stretch, from_json, to_json
from storage.files.file_store import Files
from storage.media.browser_playback import Playback
from storage.media.probe import must_be_few
from tasks.audio import file_notes
from tasks.audio.centre import CentreMixer
from tasks.audio.channels import ChannelComparison, as_float, as_ints, as_wide
from tasks.audio.decode import PATIENCE, SAMPLE_RATE_HZ, Decoding, Ints, Patience, Samples
from tasks.audio.offset import OffsetRemover
from tasks.audio.playback_copy import PlaybackCopy, copy_once_more, playback_copy
from tasks.audio.speech_search import FoundSpeech, SpeechSearch
from tasks.audio.split import Bounds, Cutter
from tasks.audio.waveform import FINE_PEAK_S, Peaks
from tasks.audio.windows import quietest_of

PLAN_VERSION = 17  # count up when decoding, speech detection or cutting changes

OnSpan = Callable[[Span], None]
OnCut = Callable[[Span, Ints], None]
OnProgress = Callable[[float], None]
OnAnnounced = Callable[[float], None]


def ingest(
    path: Path,
    *,
    name: str,
    files: Files,
    options: Options,
    span_max_s: float = 180.0,
    max_hours: float = 24.0,
    media_sha256: str | None = None,
    on_span: OnSpan | None = None,
    on_cut: OnCut | None = None,
    on_progress: OnProgress | None = None,
    on_announced: OnAnnounced | None = None,
    patience: Patience = PATIENCE,
) -> Plan:
    """Return the plan of a recording; it and its spans are on storage afterwards.

    `on_span` receives each span once it is stored, `on_cut` before that, with its samples. `on_progress` receives the
    seconds read so far, and `on_announced` the length in the header, if there is one. If the plan is stored already, it
    is returned and none of them is called.

    Raises:
        EmptyUpload, NoAudioTrack, AudioUnreadable: see `tasks.audio.decode.Decoding`.
        RecordingTooLong: it is longer than `max_hours`, by its header or in fact.
        BadRequest: it has too many channels to be split.
    """
    sha256 = media_sha256 or file_sha256(path)
    plan_name = names.plan_name(sha256, ingest_key(options, span_max_s))
    stored = stored_plan(files, plan_name)
    if stored is not None:
        return stored
    with (
        Decoding(path, name=name, track=options.audio_track, patience=patience) as decoding,
        playback_copy(decoding.playback) as copy,
    ):
        announced_s = decoding.announced_s
        if announced_s and not decoding.guessed and announced_s > max_hours * 3600:
            raise RecordingTooLong(name, announced_s / 3600, max_hours)
        if announced_s and not decoding.guessed and on_announced is not None:
            on_announced(announced_s)
        split = options.channels == "split"
        store = _SpanStore(files, on_cut=on_cut, on_span=on_span)
        ingest_pass = _IngestPass(name, store=store, span_max_s=span_max_s, split=split, copy=copy)
        for block in decoding.blocks():
            ingest_pass.read(block, decoding.channel_names)
            if ingest_pass.length_s > max_hours * 3600:
                raise RecordingTooLong(name, ingest_pass.length_s / 3600, max_hours)
            if on_progress is not None:
                on_progress(ingest_pass.length_s)
        plan = ingest_pass.finish(sha256, notes=decoding.notes, media_start_s=decoding.start_s)
        if copy is not None:
            copy.store(files, sha256, options.audio_track, decoding.playback)
        elif decoding.playback is not Playback.SOURCE:
            copy_once_more(path, sha256, name=name, files=files, track=options.audio_track, patience=patience)
    files.write(names.peaks_name(sha256, options.audio_track), ingest_pass.peaks.data())
    files.write(names.peaks_name(sha256, options.audio_track, fine=True), ingest_pass.fine_peaks.data())
    files.write(plan_name, to_json(plan))
    return plan


def ingest_key(options: Options, span_max_s: float) -> str:
    """Return the part of a plan's name that its options decide."""
    split = "-split" if options.channels == "split" else ""
    return f"v{PLAN_VERSION}-track{names.track(options.audio_track)}{split}-max{span_max_s:g}"


def stored_plan(files: Files, plan_name: str) -> Plan | None:
    """Return a stored plan, if all of its spans are still on storage."""
    try:
        plan = from_json(Plan, files.read(plan_name))
    except NotStored:
        return None
    return plan if all(files.exists(names.span_name(span.samples_sha256)) for span in plan.spans) else None


def read_span(files: Files, samples_sha256: str) -> Samples:
    """Return a span's samples, float32 mono at 16 kHz.

    Raises:
        NotStored: no span has this name.
        StorageUnreachable: not all of it could be read; libsndfile would call a stream that breaks off a damaged file.
    """
    import soundfile

    stored = io.BytesIO(files.read(names.span_name(samples_sha256)))
    samples, _ = soundfile.read(stored, dtype="float32")
    return np.asarray(samples, dtype=np.float32)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class _SampleBuffer:
    """Samples that may still become part of a span, as 16-bit integers."""

    def __init__(self) -> None:
        self._blocks: list[Ints] = []
        self._first = 0  # index of the first sample held

    def add(self, block: Samples) -> None:
        self._blocks.append(as_ints(block))

    def forget_before(self, moment_s: float) -> None:
        while self._blocks and self._first + len(self._blocks[0]) <= int(moment_s * SAMPLE_RATE_HZ):
            self._first += len(self._blocks.pop(0))

    def between(self, start_s: float, end_s: float) -> Ints:
        start = round(start_s * SAMPLE_RATE_HZ) - self._first
        end = round(end_s * SAMPLE_RATE_HZ) - self._first
        return np.concatenate(self._blocks)[max(0, start) : end]

    def quietest(self, start_s: float, end_s: float) -> float:
        """Return the middle of the quietest 50 ms between two moments."""
        return start_s + quietest_of(self.between(start_s, end_s))


class _SpanStore:
    """Numbers the spans of one recording as they are cut, and stores them."""

    def __init__(self, files: Files, *, on_cut: OnCut | None, on_span: OnSpan | None) -> None:
        self._files, self._on_cut, self._on_span = files, on_cut, on_span
        self._count = 0

    def keep(self, span: Span, samples: Ints) -> Span:
        """Store a span, and return it with its number."""
        numbered = replace(span, index=self._count)
        self._count += 1
        if self._on_cut is not None:
            self._on_cut(numbered, samples)
        name = names.span_name(span.samples_sha256)
        if not self._files.exists(name):
            self._files.write(name, flac(samples))
        if self._on_span is not None:
            self._on_span(numbered)
        return numbered

    def delete(self, sounds: set[str]) -> None:
        """Delete the spans of channels that turned out to repeat another one."""
        for samples_sha256 in sounds:
            self._files.delete(names.span_name(samples_sha256))


class _IngestPass:
    """One pass over one recording: all channels mixed, or each on its own."""

    def __init__(
        self,
        name: str,
        *,
        store: _SpanStore,
        span_max_s: float,
        split: bool,
        copy: PlaybackCopy | None,
    ) -> None:
        self._name, self._store, self._span_max_s, self._split, self._copy = name, store, span_max_s, split, copy
        self._voices: list[_Stream] = []
        self._offset = OffsetRemover()
        self._channel_names: Sequence[str] = ()
        self.peaks, self.fine_peaks = Peaks(), Peaks(FINE_PEAK_S)

    @property
    def length_s(self) -> float:
        return self._voices[0].search.length_s if self._voices else 0.0

    def read(self, block: Ints, channel_names: Sequence[str]) -> None:
        self._channel_names = channel_names
        for level in self._offset.push(block):
            self._read(level)

    def _read(self, block: Ints) -> None:
        if not self._voices:
            self._begin(block, self._channel_names)
        mixed = self._mixer.mono(block)
        self.peaks.add(mixed)
        self.fine_peaks.add(mixed)
        if self._copy is not None:
            self._copy.add(mixed)
        if len(self._voices) == 1:
            self._voices[0].read(mixed)
            return
        channels = as_wide(block, len(self._voices))
        self._likeness.look(channels)
        for voice, samples in zip(self._voices, channels.T, strict=True):
            voice.read(as_float(samples))

    def _begin(self, block: Ints, channel_names: Sequence[str]) -> None:
        count = block.shape[1] if self._split else 1
        must_be_few(count, self._name)
        self._mixer, self._likeness = CentreMixer(channel_names), ChannelComparison(count)
        self._voices = [
            _Stream(self._span_max_s, self._store.keep, channel=None if count == 1 else channel)
            for channel in range(count)
        ]

    def finish(self, media_sha256: str, *, notes: Sequence[FileNote], media_start_s: float) -> Plan:
        for level in self._offset.finish():
            self._read(level)
        if self._offset.largest >= file_notes.NOTED_OFFSET:
            notes = [*notes, file_notes.offset(self._offset.largest)]
        for voice in self._voices:
            voice.finish()
        voices = [self._voices[channel] for channel in self._likeness.different()]
        spans = [span for voice in voices for span in voice.spans]
        self._store.delete(_sounds(span for voice in self._voices for span in voice.spans) - _sounds(spans))
        if len(voices) == 1:  # channels with the same sound do not distinguish speakers
            spans = [replace(span, channel=None) for span in spans]
        return Plan(
            media_sha256=media_sha256,
            duration_s=self.length_s,
            speech_s=round(sum(voice.speech_s for voice in voices), 3),
            spans=tuple(sorted(spans, key=lambda span: span.index)),
            notes=tuple(notes),
            media_start_s=media_start_s,
        )


def _sounds(spans: Iterable[Span]) -> set[str]:
    return {span.samples_sha256 for span in spans}


class _Stream:
    """Speech detection and cutting in one stream of samples."""

    def __init__(self, span_max_s: float, keep: Callable[[Span, Ints], Span], *, channel: int | None) -> None:
        self._keep, self._channel = keep, channel
        self._held = _SampleBuffer()
        self._cutter = Cutter(span_max_s, self._held.quietest)
        self._last_s = 0.0  # end of the last speech
        self._maybe: list[Stretch] = []  # what may be speech, from the first span that is not stored
        self.search = SpeechSearch()
        self.spans: list[Span] = []
        self.speech_s = 0.0

    def read(self, block: Samples) -> None:
        self._held.add(block)
        found = self.search.push(block)
        self._count(found)
        open_since_s, settled_s = self.search.open_since_s, self.search.settled_s
        for bounds in self._cutter.push(found.both, open_since_s=open_since_s, settled_s=settled_s):
            self._store(bounds)
        self._held.forget_before(self._cutter.needed_from_s(open_since_s=open_since_s, settled_s=settled_s))

    def finish(self) -> None:
        found = self.search.finish()
        self._count(found)
        duration_s = self.search.length_s
        for bounds in self._cutter.finish(found.both, duration_s=duration_s):
            self._store(bounds)
        after_s = [span.silence_before_s for span in self.spans[1:]] + [round(duration_s - self._last_s, 3)]
        self.spans = [
            replace(span, silence_after_s=silence_s) for span, silence_s in zip(self.spans, after_s, strict=False)
        ]

    def _count(self, found: FoundSpeech) -> None:
        self.speech_s += sum(stretch.end_s - stretch.start_s for stretch in found.speech)
        self._maybe += found.maybe
        self._last_s = max((stretch.end_s for stretch in found.both), default=self._last_s)

    def _is_maybe(self, part: Stretch) -> bool:
        return any(maybe.start_s <= part.start_s and part.end_s <= maybe.end_s for maybe in self._maybe)

    def _store(self, bounds: Bounds) -> None:
        samples = self._held.between(bounds.start_s, bounds.end_s)
        start = round(bounds.start_s * SAMPLE_RATE_HZ)
        span = Span(
            index=0,
            start_s=start / SAMPLE_RATE_HZ,
            end_s=(start + len(samples)) / SAMPLE_RATE_HZ,
            samples_sha256=hashlib.sha256(samples.tobytes()).hexdigest(),
            speech=tuple(part for part in bounds.speech if not self._is_maybe(part)),
            maybe=tuple(part for part in bounds.speech if self._is_maybe(part)),
            silence_before_s=round(bounds.silence_before_s, 3),
            channel=self._channel,
        )
        self._maybe = [maybe for maybe in self._maybe if maybe.end_s > bounds.start_s]
        self.spans.append(self._keep(span, samples))


def flac(samples: Ints) -> bytes:
    """Return 16 kHz mono samples as FLAC."""
    import soundfile

    packed = io.BytesIO()
    soundfile.write(packed, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return packed.getvalue()
