"""Speaker diarization of a recording, and the assignment of speakers to words.

`Diarizer` is the interface. `LocalDiarizer` fetches its two models on first use and runs in a process of its own: if it
runs out of memory or crashes, that process ends and the transcript is not lost.
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Protocol

from storage.domain.errors import SpanFailed, SpeakersUnknown
from storage.domain.job_messages import encode, raised
from storage.domain.records import Options, Plan, Segment, Turn, Word
from storage.domain.settings import Settings
from storage.files import temporary_files
from storage.files.file_store import Files
from storage.media import sandbox
from tasks.asr.base import DecodingStopped
from tasks.audio.decode import SAMPLE_RATE_HZ
from tasks.diarization import speaker_models

logger = logging.getLogger(__name__)

PACKAGES = ("kaldi_native_fbank", "scipy")  # of the extra `diarize`
PROCESS = "tasks.diarization.diarization_process"
MAX_HOURS = 6.0  # about 115 MB of disk per hour
PATIENCE_S = 300.0
TIMES_REAL = 1.0  # a diarizer slower than real time is stuck
NEAR_S = 1.0
"""A word outside every turn belongs to the nearest turn within this distance."""


class Diarizer(Protocol):
    """Identifies who speaks when in a recording."""

    def turns(self, files: Files, plan: Plan, *, speakers: int | None, should_stop: Callable[[], bool]) -> list[Turn]:
        """Return the speaker turns in order; `speakers` is their number, if known.

        Raises:
            SpeakersUnknown: diarization failed; the message says why and what to do.
            DecodingStopped: `should_stop` returned true.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """The speaker turns, and notes for the reader if they are unknown."""

    turns: tuple[Turn, ...] = ()
    notes: tuple[str, ...] = ()


NO_DIARIZATION = Diarization()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDiarizer:
    """Runs diarization in a child process on this machine, with `threads` of the CPU."""

    model_dir: Path
    threads: int = 1
    packages: tuple[str, ...] = PACKAGES
    process: str = PROCESS
    max_hours: float = MAX_HOURS

    @classmethod
    def from_settings(cls, settings: Settings) -> "LocalDiarizer":
        return cls(model_dir=settings.model_dir)

    def missing(self) -> str | None:
        """Return what has to be installed first, or None; models are fetched on demand."""
        if all(find_spec(package) for package in self.packages):
            return None
        return "its packages are not installed; run `pip install '.[diarize]'` on the machines that transcribe"

    def turns(self, files: Files, plan: Plan, *, speakers: int | None, should_stop: Callable[[], bool]) -> list[Turn]:
        """Return the speaker turns; see `Diarizer.turns`."""
        if (missing_packages := self.missing()) is not None:
            raise SpeakersUnknown(missing_packages)
        if plan.duration_s > self.max_hours * 3600:
            raise SpeakersUnknown(f"the recording is longer than {self.max_hours:g} hours; split it")
        if speakers == 1:
            return [Turn(start_s=span.start_s, end_s=span.end_s, speaker=0) for span in plan.spans]
        models = speaker_models.fetch(self.model_dir)
        with tempfile.TemporaryDirectory(prefix="speakers-", dir=temporary_files.folder()) as folder:
            pcm = Path(folder) / "recording.pcm"
            write_pcm(files, plan, pcm)
            request = {"pcm": str(pcm), "models": str(models), "speakers": speakers, "threads": self.threads}
            turns_found = self._ask(
                request, patience_s=PATIENCE_S + plan.duration_s / TIMES_REAL, should_stop=should_stop
            )
        return in_order_of_speech(Turn(start_s=start, end_s=end, speaker=who) for start, end, who in turns_found)

    def _ask(
        self, request: dict[str, str | int | None], *, patience_s: float, should_stop: Callable[[], bool]
    ) -> list[tuple[float, float, int]]:
        child = sandbox.start(self.process, json.dumps(request))
        deadline = time.monotonic() + patience_s
        try:
            while child.poll() is None:  # its answer comes in a file
                if should_stop():
                    raise DecodingStopped
                if time.monotonic() > deadline:
                    raise SpeakersUnknown(f"it took longer than {patience_s:.0f} s; try a shorter recording")
                time.sleep(0.1)
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        return _answer(Path(str(request["pcm"])).with_suffix(".json"), child.returncode)


def _answer(path: Path, status: int) -> list[tuple[float, float, int]]:
    if not path.exists():
        reason = f"its process ended with status {status}"
        logger.warning("no speakers: %s", reason, extra={"action": "speakers"})
        raise SpeakersUnknown(f"{reason}, most likely because memory ran out")
    answer = json.loads(path.read_text())
    if "problem" in answer:
        raise SpeakersUnknown(
            f"{answer['problem']}; delete the folder `{speaker_models.NAME}` in the models folder, then retry"
        )
    return [(float(start), float(end), int(who)) for start, end, who in answer["turns"]]


def write_pcm(files: Files, plan: Plan, path: Path) -> None:
    """Write the whole recording from its spans as 16-bit PCM, 16 kHz mono.

    Audio outside the spans is silence.
    """
    from tasks.audio.ingest import read_span

    with path.open("wb") as out:
        out.truncate(2 * round(plan.duration_s * SAMPLE_RATE_HZ))
        for span in plan.spans:
            out.seek(2 * round(span.start_s * SAMPLE_RATE_HZ))
            out.write((read_span(files, span.samples_sha256) * 32767).astype("<i2").tobytes())


def in_order_of_speech(turns: Iterable[Turn]) -> list[Turn]:
    """Return the turns in order, with speakers numbered from 0 by first appearance."""
    ordered = sorted(turns, key=lambda turn: (turn.start_s, turn.end_s))
    numbers: dict[int, int] = {}
    return [replace(turn, speaker=numbers.setdefault(turn.speaker, len(numbers))) for turn in ordered]


def assign_speakers(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """Return the segments with their speakers, split where the speaker changes.

    A segment that already has a speaker keeps it.
    """
    if not turns:
        return tuple(segments)
    result: list[Segment] = []
    first, last_speaker = 0, turns[0].speaker
    for segment in segments:
        if segment.speaker or not segment.words:
            result.append(segment)
            continue
        speakers: list[int] = []
        for word in segment.words:
            while first < len(turns) - 1 and turns[first].end_s < word.start_s - NEAR_S:
                first += 1
            last_speaker = _speaker_of(word, turns, first, last_speaker)
            speakers.append(last_speaker)
        result += _parted(segment, speakers)
    return tuple(result)


def _speaker_of(word: Word, turns: Sequence[Turn], first: int, last_speaker: int) -> int:
    """Return the speaker of a word: the longest overlap, else the nearest turn.

    Of equals, the previous speaker wins.
    """
    best, speaker = (0.0, -NEAR_S, False), last_speaker
    for turn in turns[first:]:
        if turn.start_s > word.end_s + NEAR_S:
            break
        overlap_s = min(turn.end_s, word.end_s) - max(turn.start_s, word.start_s)
        score = (max(overlap_s, 0.0), min(overlap_s, 0.0), turn.speaker == last_speaker)
        if score > best:
            best, speaker = score, turn.speaker
    return speaker


def _parted(segment: Segment, speakers: Sequence[int]) -> list[Segment]:
    parts: list[Segment] = []
    for speaker, pairs in groupby(zip(speakers, segment.words, strict=True), key=lambda pair: pair[0]):
        words = tuple(word for _, word in pairs)
        text = segment.text if len(words) == len(segment.words) else "".join(word.text for word in words).strip()
        start_s, end_s, name = words[0].start_s, words[-1].end_s, f"Speaker {speaker + 1}"
        parts.append(replace(segment, words=words, text=text, start_s=start_s, end_s=end_s, speaker=name))
    return parts


def needs_diarization(plan: Plan, options: Options) -> bool:
    """Return whether to diarize; recordings with a channel per speaker need no diarization."""
    return options.diarize and bool(plan.spans) and all(span.channel is None for span in plan.spans)


def without_speakers(error: SpeakersUnknown | SpanFailed) -> Diarization:
    """Return the outcome of a failed diarization: a note, since the text is not affected."""
    if isinstance(error, SpanFailed):  # of a flow run, whose reason is the sentence of what it raised
        is_known = error.span_code == SpeakersUnknown.code
        if is_known:
            return Diarization(notes=(error.reason,))
        error = SpeakersUnknown(error.reason)
    return Diarization(notes=(encode(raised(error)),))


def diarize_recording(
    diarizer: Diarizer, files: Files, plan: Plan, options: Options, *, should_stop: Callable[[], bool]
) -> Diarization:
    """Return the speaker turns, or a note on why diarization failed; failures are not raised."""
    if not needs_diarization(plan, options):
        return NO_DIARIZATION
    try:
        turns = diarizer.turns(files, plan, speakers=options.speakers, should_stop=should_stop)
    except SpeakersUnknown as error:
        return without_speakers(error)
    return Diarization(turns=tuple(turns))
