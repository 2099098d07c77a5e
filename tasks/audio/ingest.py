"""Read a recording once: decode, find speech, cut, and put the spans on storage while the rest is still coming.

What it finds is kept as a plan under the media's hash, so that a retry, another user with the same file or another
worker starts from there. The sound alone decides how it is cut, so that the same sound is the same spans everywhere.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from storage import names
from storage.errors import NotStored, RecordingTooLong
from storage.files import Files
from storage.probe import must_be_few
from storage.records import Options, Plan, Span, Stretch, from_json, to_json
from tasks.channels import Likeness, Mixer, as_float, as_ints, as_wide
from tasks.cut import Bounds, Cutter
from tasks.decode import SAMPLE_RATE_HZ, Decoding, Ints, Samples
from tasks.peaks import Peaks
from tasks.speech import SpeechFinder
from tasks.windows import quietest_of

PLAN_VERSION = 5  # a change of decoding, speech finding or cutting counts it up

OnSpan = Callable[[Span], None]
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
    on_progress: OnProgress | None = None,
    on_announced: OnAnnounced | None = None,
) -> Plan:
    """Return how the recording was read and cut; its spans and the plan are on storage afterwards.

    `on_span` gets each span as soon as it is cut and stored, `on_progress` the seconds read so far, `on_announced`
    the length that the header announces, if it does. A plan that is there already is returned at once, and none of
    them is called.

    Raises:
        EmptyUpload, NoAudioTrack, AudioUnreadable: see `tasks.decode.Decoding`.
        RecordingTooLong: it lasts longer than `max_hours`, by its header or in fact.
        BadRequest: it has too many channels to be split.
    """
    sha256 = media_sha256 or file_sha256(path)
    plan_name = names.plan_name(sha256, ingest_key(options, span_max_s))
    found = stored_plan(files, plan_name)
    if found is not None:
        return found
    with Decoding(path, name=name, track=options.audio_track) as decoding:
        announced = decoding.announced_s
        if announced and not decoding.guessed and announced > max_hours * 3600:
            raise RecordingTooLong(name, announced / 3600, max_hours)
        if announced and not decoding.guessed and on_announced is not None:
            on_announced(announced)
        split = options.channels == "split"
        reading = _Reading(name, files=files, span_max_s=span_max_s, split=split, on_span=on_span)
        for block in decoding.blocks():
            reading.read(block, decoding.channel_names)
            if reading.length_s > max_hours * 3600:
                raise RecordingTooLong(name, reading.length_s / 3600, max_hours)
            if on_progress is not None:
                on_progress(reading.length_s)
        plan = reading.finish(sha256, notes=decoding.notes)
    files.write(names.peaks_name(sha256, options.audio_track), reading.peaks.data())
    files.write(plan_name, to_json(plan))
    return plan


def ingest_key(options: Options, span_max_s: float) -> str:
    """Return what, beside the media, decides a plan."""
    split = "-split" if options.channels == "split" else ""
    return f"v{PLAN_VERSION}-track{options.audio_track}{split}-max{span_max_s:g}"


def stored_plan(files: Files, plan_name: str) -> Plan | None:
    """Return the plan of an earlier reading whose spans are all still on storage."""
    try:
        plan = from_json(Plan, files.read(plan_name))
    except NotStored:
        return None
    return plan if all(files.exists(names.span_name(span.samples_sha256)) for span in plan.spans) else None


def read_span(files: Files, samples_sha256: str) -> Samples:
    """Return a span's samples, float32 mono at 16 kHz.

    Raises:
        NotStored: no span of this name is on storage.
    """
    import soundfile

    with files.open(names.span_name(samples_sha256)) as stored:
        samples, _ = soundfile.read(stored, dtype="float32")
    return np.asarray(samples, dtype=np.float32)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class _Held:
    """The samples that may still become part of a span, as 16-bit whole numbers."""

    def __init__(self) -> None:
        self._blocks: list[Ints] = []
        self._first = 0  # sample number of the first one held

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
        """Return the middle of the quietest 50 ms between the two moments."""
        return start_s + quietest_of(self.between(start_s, end_s))


class _Reading:
    """One pass over one recording: all channels mixed, or each on its own."""

    def __init__(self, name: str, *, files: Files, span_max_s: float, split: bool, on_span: OnSpan | None) -> None:
        self._name, self._files, self._span_max_s, self._split, self._on_span = name, files, span_max_s, split, on_span
        self._voices: list[_Voice] = []
        self._spans = 0
        self.peaks = Peaks()

    @property
    def length_s(self) -> float:
        return self._voices[0].finder.length_s if self._voices else 0.0

    def read(self, block: Ints, channel_names: Sequence[str]) -> None:
        if not self._voices:
            self._begin(block, channel_names)
        mixed = self._mixer.mono(block)
        self.peaks.add(mixed)
        if len(self._voices) == 1:
            self._voices[0].read(mixed)
            return
        own = as_wide(block, len(self._voices))
        self._likeness.look(own)
        for voice, samples in zip(self._voices, own.T, strict=True):
            voice.read(as_float(samples))

    def _begin(self, block: Ints, channel_names: Sequence[str]) -> None:
        count = block.shape[1] if self._split else 1
        must_be_few(count, self._name)
        self._mixer, self._likeness = Mixer(channel_names), Likeness(count)
        self._voices = [
            _Voice(self._files, self._span_max_s, self._keep, channel=None if count == 1 else channel)
            for channel in range(count)
        ]

    def _keep(self, span: Span) -> Span:
        numbered = replace(span, index=self._spans)
        self._spans += 1
        if self._on_span is not None:
            self._on_span(numbered)
        return numbered

    def finish(self, media_sha256: str, *, notes: Sequence[str]) -> Plan:
        for voice in self._voices:
            voice.finish()
        voices = [self._voices[channel] for channel in self._likeness.different()]
        spans = [span for voice in voices for span in voice.spans]
        self._forget(_sounds(span for voice in self._voices for span in voice.spans) - _sounds(spans))
        if len(voices) == 1:  # where all channels carry the same sound, nobody is told from anybody else
            spans = [replace(span, channel=None) for span in spans]
        return Plan(
            media_sha256=media_sha256,
            duration_s=self.length_s,
            speech_s=round(sum(voice.speech_s for voice in voices), 3),
            spans=tuple(sorted(spans, key=lambda span: span.index)),
            notes=tuple(notes),
        )

    def _forget(self, repeated: set[str]) -> None:
        """Delete the spans of channels that turned out to repeat another one."""
        for samples_sha256 in repeated:
            self._files.delete(names.span_name(samples_sha256))


def _sounds(spans: Iterable[Span]) -> set[str]:
    return {span.samples_sha256 for span in spans}


class _Voice:
    """Speech finding and cutting in one stream of samples."""

    def __init__(self, files: Files, span_max_s: float, keep: Callable[[Span], Span], *, channel: int | None) -> None:
        self._files, self._keep, self._channel = files, keep, channel
        self._held = _Held()
        self._cutter = Cutter(span_max_s, self._held.quietest)
        self._last_s = 0.0  # end of the last speech
        self.finder = SpeechFinder()
        self.spans: list[Span] = []
        self.speech_s = 0.0

    def read(self, block: Samples) -> None:
        self._held.add(block)
        ended = self.finder.push(block)
        self._count(ended)
        open_since_s, settled_s = self.finder.open_since_s, self.finder.settled_s
        for bounds in self._cutter.push(ended, open_since_s=open_since_s, settled_s=settled_s):
            self._store(bounds)
        self._held.forget_before(self._cutter.needed_from_s(open_since_s=open_since_s, settled_s=settled_s))

    def finish(self) -> None:
        ended = self.finder.finish()
        self._count(ended)
        duration_s = self.finder.length_s
        for bounds in self._cutter.finish(ended, duration_s=duration_s):
            self._store(bounds)
        after_s = [span.silence_before_s for span in self.spans[1:]] + [round(duration_s - self._last_s, 3)]
        self.spans = [
            replace(span, silence_after_s=silence_s) for span, silence_s in zip(self.spans, after_s, strict=False)
        ]

    def _count(self, ended: Sequence[Stretch]) -> None:
        self.speech_s += sum(stretch.end_s - stretch.start_s for stretch in ended)
        self._last_s = ended[-1].end_s if ended else self._last_s

    def _store(self, bounds: Bounds) -> None:
        samples = self._held.between(bounds.start_s, bounds.end_s)
        sha256 = hashlib.sha256(samples.tobytes()).hexdigest()
        span_name = names.span_name(sha256)
        if not self._files.exists(span_name):
            self._files.write(span_name, flac(samples))
        start = round(bounds.start_s * SAMPLE_RATE_HZ)
        span = Span(
            index=0,
            start_s=start / SAMPLE_RATE_HZ,
            end_s=(start + len(samples)) / SAMPLE_RATE_HZ,
            samples_sha256=sha256,
            speech=bounds.speech,
            silence_before_s=round(bounds.silence_before_s, 3),
            channel=self._channel,
        )
        self.spans.append(self._keep(span))


def flac(samples: Ints) -> bytes:
    """Return 16 kHz mono samples as FLAC."""
    import soundfile

    packed = io.BytesIO()
    soundfile.write(packed, samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return packed.getvalue()
