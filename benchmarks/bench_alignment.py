"""A corrected text on a wrong transcript: how near its words come to right times.

    python -m benchmarks alignment --speech FOLDER --model FOLDER [--clips fleurs-en]

The engine's own transcript is taken as right, with its word times. Some of its words are then made wrong (replaced,
left out, put in), and its right text is aligned with the sound. Errors are those of the starts of the words that were
wrong, and those of all words. A text about something else is to be refused: the last line
says how much of one matches in its own language.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np
import soundfile

from storage.domain.records import Options, Plan, Segment, Transcript, Word
from storage.domain.settings import EngineSettings
from storage.files.file_store import Files
from storage.transcripts.word_alignment import key_of
from tasks.asr.engine import Engine
from tasks.assembly.corrected_text import lines_of
from tasks.assembly.text_alignment import aligned_text, heard_words, share_matched
from tasks.assembly.word_matching import matches
from tasks.audio.decode import SAMPLE_RATE_HZ, Decoding, Samples
from tasks.audio.recording_sound import RecordingSound
from tasks.models.catalogue import Resolved, fingerprint
from tasks.pipeline import transcribe_file

DOCUMENTS = Path(__file__).parents[1] / "docs"
PAUSE_S = 1.0
SHARES = (0.0, 0.03, 0.1, 0.25, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A recording with its right transcript and its sound."""

    right: Transcript
    sound: RecordingSound


def assembled(clips: Sequence[Path], path: Path) -> None:
    """Write the clips as one recording, with pauses between."""
    parts: list[Samples] = []
    for clip in clips:
        with Decoding(clip, name=clip.name) as decoding:
            parts += [block.mean(axis=1, dtype=np.float32) / 32768 for block in decoding.blocks()]
        parts.append(np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32))
    soundfile.write(path, np.concatenate(parts), SAMPLE_RATE_HZ, subtype="PCM_16")


def case_of(path: Path, engine: Engine, files: Files, language: str) -> Case:
    plans: list[Plan] = []
    right = transcribe_file(path, engine=engine, files=files, options=Options(language=language), on_plan=plans.append)
    return Case(right=right, sound=RecordingSound(files, plans[-1]))


def worsened(transcript: Transcript, share: float, chance: random.Random) -> tuple[Transcript, set[float]]:
    """Return the transcript with this share of its words made wrong, and when those began."""
    wrong: set[float] = set()
    segments = []
    for segment in transcript.segments:
        words: list[Word] = []
        for word in segment.words:
            how = chance.choice(("replace", "replace", "leave out", "put in")) if chance.random() < share else ""
            if how:
                wrong.add(word.start_s)
            if how == "replace":
                words.append(replace(word, text=" " + "".join(chance.sample("bdfgklmnprstv", 5))))
            elif how == "put in":
                middle_s = (word.start_s + word.end_s) / 2
                words += [replace(word, end_s=middle_s), replace(word, start_s=middle_s, text=" zwoops")]
            elif not how:
                words.append(word)
        if words:
            segments.append(replace(segment, words=tuple(words), text="".join(word.text for word in words)))
    return replace(transcript, segments=tuple(segments)), wrong


def text_of(segments: Sequence[Segment]) -> str:
    return "\n".join(segment.text.strip() for segment in segments)


def errors_s(case: Case, found: Transcript) -> Iterator[tuple[float, float]]:
    """Yield for each word when it was said, and how much later it is placed."""
    said, placed = list(heard_words(case.right.segments)), list(heard_words(found.segments))
    for one, other in zip(said, placed, strict=True):
        yield one.word.start_s, other.word.start_s - one.word.start_s


def row(name: str, errors: Sequence[float]) -> str:
    sizes = sorted(map(abs, errors))
    if not sizes:
        return f"| {name} | 0 | | | |"
    figures = (statistics.median(sizes), sizes[int(0.95 * (len(sizes) - 1))], sizes[-1])
    return f"| {name} | {len(sizes)} | {' | '.join(f'{1000 * figure:.0f}' for figure in figures)} |"


def measure(case: Case, engine: Engine, language: str, name: str) -> None:
    chance = random.Random(11)  # noqa: S311 - it makes errors, not secrets

    def align(start_s: float, end_s: float, text: str) -> list[Word]:
        pcm, speech = case.sound.between(start_s, end_s)
        found = engine.align(pcm, text, language=language, speech=speech)
        return [replace(word, start_s=word.start_s + start_s, end_s=word.end_s + start_s) for word in found]

    for share in SHARES:
        wrong, begins = worsened(case.right, share, chance)
        started = time.perf_counter()
        found = aligned_text(wrong, text_of(case.right.segments), align=align)
        took_s = time.perf_counter() - started
        errors = list(errors_s(case, found.transcript))
        changed = [error for at_s, error in errors if at_s in begins]
        print(row(f"{name}, {share:.0%} wrong: those ({took_s:.1f} s)", changed))
        print(row(f"{name}, {share:.0%} wrong: all", [error for _, error in errors]), flush=True)


def most_of_strangers(speech: Path) -> float:
    """Return the largest share of a text's words that another text of its language has, too.

    The texts are those of the clips, and this project's documents.
    """
    languages = {path.name.split("-")[1] for path in speech.glob("*-*-*.txt")}
    sets = [sorted(speech.glob(f"*-{language}-*.txt")) for language in languages]
    shares = []
    for texts in (*sets, sorted(DOCUMENTS.glob("*.md"))):
        keys = [[key_of(token) for line in lines_of(path.read_text()) for token in line.tokens] for path in texts]
        shares += [share_matched(matches(one, other), len(other)) for one, other in permutations(keys, 2)]
    return max(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    set_model, set_speech = (os.environ.get(f"TRANSCRIBER_BENCH_{name}") for name in ("MODEL", "AUDIO"))
    parser.add_argument("--speech", type=Path, default=set_speech, required=not set_speech, help="folder of clips")
    parser.add_argument("--model", type=Path, default=set_model, required=not set_model, help="CTranslate2 folder")
    parser.add_argument("--clips", action="append", default=[])
    given = parser.parse_args()
    model = Path(given.model)
    resolved = Resolved(name=model.name, path=model, fingerprint=fingerprint(model))
    print(f"## Times of a corrected text, `{model.name}`\n")
    print("| text | words | start: median error, ms | 95% | most |\n|---|---:|---:|---:|---:|")
    with (
        Engine.from_settings(resolved, EngineSettings(device="cpu")) as engine,
        tempfile.TemporaryDirectory() as folder,
    ):
        for prefix in given.clips or ["fleurs-en", "fleurs-de"]:
            clips = sorted(path for path in Path(given.speech).glob(f"{prefix}*") if path.suffix != ".txt")
            path = Path(folder) / f"{prefix}.wav"
            assembled(clips, path)
            language = prefix.rpartition("-")[2]
            case = case_of(path, engine, Files(folder), language)
            measure(case, engine, language, prefix)
    print(f"\nOf a text about something else, at most {most_of_strangers(Path(given.speech)):.0%} match.")


if __name__ == "__main__":
    main()
