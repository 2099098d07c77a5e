"""Word errors by kind of recording: whole-file sequential faster-whisper, its batched pipeline, and ours.

    python -m benchmarks.bench_words [--minutes 2]

The demo model on its own voices; with TRANSCRIBER_BENCH_MODEL (a model's folder) and TRANSCRIBER_BENCH_AUDIO (a folder
of clips with their text; `*en*` by default, else TRANSCRIBER_BENCH_MATCH) that model on those clips as well.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.speech_material import Setting, assemble, background, word_errors, words_in
from storage.files import Files
from storage.records import Options
from storage.settings import EngineSettings
from tasks.decode import SAMPLE_RATE_HZ
from tasks.engine import Engine
from tasks.models import DEMO_MODEL, Resolved, fingerprint
from tasks.transcribe import transcribe_file

REPO = Path(__file__).parents[1]
LONG_S = (2.0, 6.0, 3.5, 9.0)
KINDS = {
    "pauses of 0.4 to 1.8 s": Setting(),
    "silences of 2 to 9 s": Setting(pauses_s=LONG_S),
    "noise between": Setting(pauses_s=LONG_S, between="noise", between_level=0.3),
    "music between": Setting(pauses_s=LONG_S, between="music", between_level=1.0),
    "a tone between": Setting(pauses_s=LONG_S, between="tone", between_level=0.5),
    "noise under the speech": Setting(under_level=0.02),
    "breathless": Setting(pauses_s=(0.1,), trimmed=True),
}
EMPTY = ("silence", "noise", "tone", "music")
ALL = SEQUENTIAL, BATCHED, OURS = "sequential", "batched", "pipeline"
PATIENCE_S = 120
"""Sequential faster-whisper was seen to go on for more than eight minutes over 30 seconds without speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A model and the clips that it is to hear."""

    name: str
    model: Path
    folder: Path
    match: str = "*"


def material() -> Iterator[Material]:
    yield Material(name="demo model, its own voices", model=DEMO_MODEL, folder=REPO / "demo" / "speech")
    model, folder = os.environ.get("TRANSCRIBER_BENCH_MODEL"), os.environ.get("TRANSCRIBER_BENCH_AUDIO")
    if model and folder:
        match = os.environ.get("TRANSCRIBER_BENCH_MATCH", "*en*")
        yield Material(name=f"`{Path(model).name}`, real clips", model=Path(model), folder=Path(folder), match=match)


class Sides:
    """The three ways to hear, with one model loaded once each."""

    def __init__(self, model: Path) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        resolved = Resolved(name="bench", path=model, fingerprint=fingerprint(model))
        self.engine = Engine.by_settings(resolved, EngineSettings(device="cpu"))
        self.bare: Any = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=2)
        self.batched: Any = BatchedInferencePipeline(self.bare)

    def texts(self, audio: Path) -> dict[str, str]:
        """Return what each side hears; the bare ones with their defaults and word times."""
        found = {}
        for side, listener in ((SEQUENTIAL, self.bare), (BATCHED, self.batched)):
            with ends_within(PATIENCE_S):
                segments, _ = listener.transcribe(str(audio), language="en", word_timestamps=True)
                found[side] = " ".join(segment.text.strip() for segment in segments)
        with tempfile.TemporaryDirectory() as store:
            options = Options(language="en")
            found[OURS] = transcribe_file(audio, engine=self.engine, files=Files(store), options=options).text
        return found


@contextmanager
def ends_within(seconds: int) -> Iterator[None]:
    """Give up what has not ended by then, without an error."""

    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        with suppress(TimeoutError):
            yield
    finally:
        signal.alarm(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    given = parser.parse_args()
    rows = [f"### Word errors in percent, {given.minutes:g} min each", ""]
    rows += [f"| recording | {SEQUENTIAL} | {BATCHED} | {OURS} |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "speech.wav"
        for each in material():
            sides = Sides(each.model)
            for kind, setting in KINDS.items():
                said = assemble(each.folder, each.match, given.minutes, target, setting).text
                texts = sides.texts(target)
                cells = " | ".join(
                    f"{word_errors(said, texts[side]):.1f}" if side in texts else "no end" for side in ALL
                )
                rows.append(f"| {each.name}: {kind} | {cells} |")
                print(rows[-1], file=sys.stderr)
            for kind in EMPTY:
                sound = background(kind, 30 * SAMPLE_RATE_HZ, np.random.default_rng(1))
                soundfile.write(target, sound, SAMPLE_RATE_HZ)
                texts = sides.texts(target)
                cells = " | ".join(f"{len(words_in(texts[side]))} words" if side in texts else "no end" for side in ALL)
                rows.append(f"| {each.name}: nothing but {kind}, 30 s | {cells} |")
            sides.engine.close()
    print("\n".join(rows))


if __name__ == "__main__":
    main()
