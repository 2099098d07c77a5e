"""Who speaks when, once a file, and joined to the words by overlap.

`Diarizer` is all that the rest knows of it. The one here fetches its two models at first use and runs in a process of
its own, so that what it does to memory, or to itself, ends that process and costs no transcript.
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

from storage import confined
from storage.errors import SpeakersUnknown
from storage.files import Files
from storage.records import Options, Plan, Segment, Turn, Word
from storage.settings import Settings
from tasks import speaker_models
from tasks.decode import SAMPLE_RATE_HZ
from tasks.hearing import Stopped

logger = logging.getLogger(__name__)

PACKAGES = ("kaldi_native_fbank", "scipy")  # of the extra `diarize`
PROCESS = "tasks.speaker_process"
MAX_HOURS = 6.0  # about 115 MB of disk an hour
PATIENCE_S = 300.0
TIMES_REAL = 1.0  # slower than the recording itself is no diarizer that works
NEAR_S = 1.0
"""A word that no turn covers belongs to the next one that is no further away."""


class Diarizer(Protocol):
    """Tells the speakers of a recording apart."""

    def turns(self, files: Files, plan: Plan, *, speakers: int | None, should_stop: Callable[[], bool]) -> list[Turn]:
        """Return who speaks when, in order; `speakers` is how many there are, if that is known.

        Raises:
            SpeakersUnknown: it could not be done; the message says why and what to do.
            Stopped: `should_stop` said so.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Voices:
    """Who speaks when, and what to tell the reader where that is not known."""

    turns: tuple[Turn, ...] = ()
    notes: tuple[str, ...] = ()


NO_VOICES = Voices()


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalDiarizer:
    """Speaker diarization in a child process on this machine; `threads` of the CPU."""

    model_dir: Path
    threads: int = 1

    @classmethod
    def by_settings(cls, settings: Settings) -> "LocalDiarizer":
        return cls(model_dir=settings.model_dir)

    def missing(self) -> str | None:
        """Return what has to be installed first, or None where all is; models are fetched when they are needed."""
        if all(find_spec(package) for package in PACKAGES):
            return None
        return "what it takes is not installed; run `pip install '.[diarize]'` where recordings are heard"

    def turns(self, files: Files, plan: Plan, *, speakers: int | None, should_stop: Callable[[], bool]) -> list[Turn]:
        """Return who speaks when; see `Diarizer.turns`."""
        if (lacking := self.missing()) is not None:
            raise SpeakersUnknown(lacking)
        if plan.duration_s > MAX_HOURS * 3600:
            raise SpeakersUnknown(f"the recording is longer than {MAX_HOURS:g} hours; split it")
        if speakers == 1:
            return [Turn(start_s=span.start_s, end_s=span.end_s, speaker=0) for span in plan.spans]
        models = speaker_models.fetch(self.model_dir)
        with tempfile.TemporaryDirectory(prefix="speakers-") as folder:
            pcm = Path(folder) / "recording.pcm"
            write_pcm(files, plan, pcm)
            asked = {"pcm": str(pcm), "models": str(models), "speakers": speakers, "threads": self.threads}
            found = self._ask(asked, patience_s=PATIENCE_S + plan.duration_s / TIMES_REAL, should_stop=should_stop)
        return in_order_of_speech(Turn(start_s=start, end_s=end, speaker=who) for start, end, who in found)

    def _ask(
        self, asked: dict[str, str | int | None], *, patience_s: float, should_stop: Callable[[], bool]
    ) -> list[tuple[float, float, int]]:
        child = confined.start(PROCESS, json.dumps(asked))
        until = time.monotonic() + patience_s
        try:
            while child.poll() is None:  # its answer comes in a file
                if should_stop():
                    raise Stopped
                if time.monotonic() > until:
                    raise SpeakersUnknown(f"it took longer than {patience_s:.0f} s; try a shorter recording")
                time.sleep(0.1)
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        return _answer(Path(str(asked["pcm"])).with_suffix(".json"), child.returncode)


def _answer(path: Path, status: int) -> list[tuple[float, float, int]]:
    if not path.exists():
        why = f"its process ended with status {status}"
        logger.warning("no speakers: %s", why, extra={"action": "speakers"})
        raise SpeakersUnknown(f"{why}, most likely for want of memory")
    answer = json.loads(path.read_text())
    if "problem" in answer:
        raise SpeakersUnknown(f"{answer['problem']}; delete the folder `{speaker_models.NAME}` among the models")
    return [(float(start), float(end), int(who)) for start, end, who in answer["turns"]]


def write_pcm(files: Files, plan: Plan, path: Path) -> None:
    """Write the whole recording from its spans as 16-bit samples, 16 kHz mono; silence where no span is."""
    from tasks.ingest import read_span

    with path.open("wb") as out:
        out.truncate(2 * round(plan.duration_s * SAMPLE_RATE_HZ))
        for span in plan.spans:
            out.seek(2 * round(span.start_s * SAMPLE_RATE_HZ))
            out.write((read_span(files, span.samples_sha256) * 32767).astype("<i2").tobytes())


def in_order_of_speech(turns: Iterable[Turn]) -> list[Turn]:
    """Return the turns in order, with speakers counted from 0 by who speaks first."""
    ordered = sorted(turns, key=lambda turn: (turn.start_s, turn.end_s))
    numbers: dict[int, int] = {}
    return [replace(turn, speaker=numbers.setdefault(turn.speaker, len(numbers))) for turn in ordered]


def told_apart(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """Return the segments with their speakers, parted where another one begins; one that has a speaker keeps it."""
    if not turns:
        return tuple(segments)
    found: list[Segment] = []
    first, before = 0, turns[0].speaker
    for segment in segments:
        if segment.speaker or not segment.words:
            found.append(segment)
            continue
        speakers: list[int] = []
        for word in segment.words:
            while first < len(turns) - 1 and turns[first].end_s < word.start_s - NEAR_S:
                first += 1
            before = _speaker_of(word, turns, first, before)
            speakers.append(before)
        found += _parted(segment, speakers)
    return tuple(found)


def _speaker_of(word: Word, turns: Sequence[Turn], first: int, before: int) -> int:
    """Return who says a word: who speaks longest during it, or speaks nearest to it; of equals, who spoke before."""
    best, choice = (0.0, -NEAR_S, False), before
    for turn in turns[first:]:
        if turn.start_s > word.end_s + NEAR_S:
            break
        overlap_s = min(turn.end_s, word.end_s) - max(turn.start_s, word.start_s)
        score = (max(overlap_s, 0.0), min(overlap_s, 0.0), turn.speaker == before)
        if score > best:
            best, choice = score, turn.speaker
    return choice


def _parted(segment: Segment, speakers: Sequence[int]) -> list[Segment]:
    parts: list[Segment] = []
    for speaker, pairs in groupby(zip(speakers, segment.words, strict=True), key=lambda pair: pair[0]):
        words = tuple(word for _, word in pairs)
        text = segment.text if len(words) == len(segment.words) else "".join(word.text for word in words).strip()
        start_s, end_s, called = words[0].start_s, words[-1].end_s, f"Speaker {speaker + 1}"
        parts.append(replace(segment, words=words, text=text, start_s=start_s, end_s=end_s, speaker=called))
    return parts


def wanted(plan: Plan, options: Options) -> bool:
    """Return whether speakers are to be told apart; where each has a channel, they are so already."""
    return options.diarize and bool(plan.spans) and all(span.channel is None for span in plan.spans)


def find_voices(
    diarizer: Diarizer, files: Files, plan: Plan, options: Options, *, should_stop: Callable[[], bool]
) -> Voices:
    """Return who speaks when, or nothing and a note that says why not; a transcript is never lost for it."""
    if not wanted(plan, options):
        return NO_VOICES
    try:
        turns = diarizer.turns(files, plan, speakers=options.speakers, should_stop=should_stop)
    except SpeakersUnknown as error:
        return Voices(notes=(str(error),))
    return Voices(turns=tuple(turns))
