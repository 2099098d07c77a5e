"""Measure a converted model through faster-whisper on held-out sentences; prints a Markdown table."""

import argparse
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_whisper import BatchedInferencePipeline, WhisperModel

from sentences import compose, words_of
from speak import SAMPLE_RATE_HZ, VOICES, Mark, speak

Audio = npt.NDArray[np.float32]
Listener = Callable[[Audio], list[Mark]]
SEED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Samples at 16 kHz and the words in them, with their times in seconds."""

    samples: Audio
    words: list[Mark]


@dataclass(slots=True)
class Score:
    """Sums over recordings."""

    words: int = 0
    errors: int = 0
    starts_s: list[float] = field(default_factory=list)
    ends_s: list[float] = field(default_factory=list)

    def add(self, said: list[Mark], heard: list[Mark]) -> None:
        """Count a recording's errors, and the time errors of the words that are right."""
        pairs, errors = align([_plain(mark.label) for mark in said], [_plain(mark.label) for mark in heard])
        self.words += len(said)
        self.errors += errors
        self.starts_s += [abs(heard[j].start_s - said[i].start_s) for i, j in pairs]
        self.ends_s += [abs(heard[j].end_s - said[i].end_s) for i, j in pairs]

    @property
    def rate(self) -> float:
        """Word error rate."""
        return self.errors / max(1, self.words)


def _plain(word: str) -> str:
    return word.strip().strip(".,?").lower()


def align(said: list[str], heard: list[str]) -> tuple[list[tuple[int, int]], int]:
    """Pairs of positions with equal words on a cheapest edit path, and that path's edits."""
    cost = np.zeros((len(said) + 1, len(heard) + 1), np.int64)
    cost[:, 0], cost[0, :] = np.arange(len(said) + 1), np.arange(len(heard) + 1)
    for i in range(1, len(said) + 1):
        for j in range(1, len(heard) + 1):
            swap = cost[i - 1, j - 1] + (said[i - 1] != heard[j - 1])
            cost[i, j] = min(swap, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    pairs = []
    i, j = len(said), len(heard)
    while i and j:
        if cost[i, j] == cost[i - 1, j - 1] + (said[i - 1] != heard[j - 1]):
            i, j = i - 1, j - 1
            if said[i] == heard[j]:
                pairs.append((i, j))
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1], int(cost[-1, -1])


def assemble(sentences: Iterable[tuple[str, str]], *, seed: int, pause_s: tuple[float, float]) -> Recording:
    """Speak (voice, text) pairs one after the other, with pauses between, before and after."""
    rng = np.random.default_rng(seed)
    parts: list[Audio] = []
    words: list[Mark] = []
    at = 0
    for voice, text in sentences:
        silence = np.zeros(round(rng.uniform(*pause_s) * SAMPLE_RATE_HZ), np.float32)
        speech = speak(text, voice, tempo=rng.uniform(0.9, 1.1), pitch=rng.uniform(-1, 1))
        at += len(silence)
        moved_s = at / SAMPLE_RATE_HZ
        words += [
            Mark(label=mark.label, start_s=mark.start_s + moved_s, end_s=mark.end_s + moved_s) for mark in speech.words
        ]
        parts += [silence, speech.samples]
        at += len(speech.samples)
    parts.append(np.zeros(round(pause_s[1] * SAMPLE_RATE_HZ), np.float32))
    return Recording(samples=np.concatenate(parts), words=words)


def three_minutes(voices: tuple[str, ...], *, seed: int) -> Recording:
    """An assembly of about three minutes of held-out sentences in the given voices, with 0.4 to 2.5 s between."""
    texts = compose(42, seed=SEED + seed, held_out_part=True)
    return assemble(
        ((voices[index % len(voices)], text) for index, text in enumerate(texts)), seed=seed, pause_s=(0.4, 2.5)
    )


def listener(model: Any, **options: Any) -> Listener:
    """A function from samples to words, by `model.transcribe` with `options`; without word times a segment's times."""

    def listen(samples: Audio) -> list[Mark]:
        segments, _ = model.transcribe(samples, language="en", **options)
        words = []
        for segment in segments:
            if segment.words:
                words += [Mark(label=w.word, start_s=float(w.start), end_s=float(w.end)) for w in segment.words]
            else:
                words += [Mark(label=word, start_s=segment.start, end_s=segment.end) for word in words_of(segment.text)]
        return [word for word in words if _plain(word.label)]

    return listen


def quiet_clips() -> dict[str, Audio]:
    """Half a minute each of silence, noises and tones."""
    rng = np.random.default_rng(5)
    count = 30 * SAMPLE_RATE_HZ
    time_s = np.arange(count) / SAMPLE_RATE_HZ
    white = rng.standard_normal(count)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ), 20.0)))
    sounds = {
        "digital silence": np.zeros(count),
        "faint white noise": 0.001 * white,
        "white noise": 0.05 * white,
        "pink noise": 0.05 * pink / pink.std(),
        "mains hum": 0.1 * np.sin(2 * np.pi * 50 * time_s) + 0.03 * np.sin(2 * np.pi * 150 * time_s),
        "beeps": 0.2 * np.sin(2 * np.pi * 1000 * time_s) * (time_s % 2 < 0.2),
    }
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}


def _time_row(name: str, score: Score) -> str:
    starts, ends = statistics.median(score.starts_s), statistics.median(score.ends_s)
    late = float(np.percentile(score.starts_s, 95))
    return f"| {name} | {score.words} | starts {starts:.3f} s (95%: {late:.3f} s), ends {ends:.3f} s |"


def measure_sentences(model: WhisperModel, batched: BatchedInferencePipeline, count: int) -> None:
    """Print word errors and word times of single held-out sentences, `count` a voice."""
    ways = {
        "greedy": listener(model, beam_size=1),
        "beam 5": listener(model, beam_size=5),
        "batched": listener(batched),
    }
    timing = listener(model, beam_size=1, word_timestamps=True)
    times = Score()
    for index, voice in enumerate(VOICES):
        texts = compose(count, seed=SEED - 1 - index, held_out_part=True)
        recordings = [assemble([(voice, text)], seed=k, pause_s=(0.2, 0.6)) for k, text in enumerate(texts)]
        for name, listen in ways.items():
            score = _score(listen, recordings)
            print(f"| one sentence, {voice}, {name} | {score.words} | {score.rate:.1%} word errors |", flush=True)
        for recording in recordings[: count // 2]:
            times.add(recording.words, timing(recording.samples))
    print(_time_row("word times, one sentence", times), flush=True)


def measure_assemblies(model: WhisperModel, batched: BatchedInferencePipeline) -> None:
    """Print word errors and word times of three-minute recordings, one a voice and one of all in turn."""
    ways = {
        "sequential, VAD": listener(model, vad_filter=True),
        "sequential, VAD, no earlier text": listener(model, vad_filter=True, condition_on_previous_text=False),
        "batched": listener(batched),
        "batched, greedy": listener(batched, beam_size=1),
        "batched, timestamps": listener(batched, without_timestamps=False),
    }
    times = Score()
    timing = listener(batched, word_timestamps=True)
    for k, voices in enumerate([*((voice,) for voice in VOICES), VOICES]):
        recording = three_minutes(voices, seed=10 + k)
        label = voices[0] if len(voices) == 1 else "all voices"
        for name, listen in ways.items():
            score = _score(listen, [recording])
            minutes = len(recording.samples) / SAMPLE_RATE_HZ / 60
            result = f"{score.rate:.1%} word errors"
            print(f"| {minutes:.1f} minutes, {label}, {name} | {score.words} | {result} |", flush=True)
        times.add(recording.words, timing(recording.samples))
    print(_time_row("word times, three minutes, batched", times), flush=True)


def measure_quiet(model: WhisperModel, batched: BatchedInferencePipeline) -> None:
    """Print how many words are heard where nobody speaks, without a VAD filter."""
    whole = [{"start": 0.0, "end": 30.0}]
    ways = {"sequential": listener(model), "batched": listener(batched, vad_filter=False, clip_timestamps=whole)}
    for clip, samples in quiet_clips().items():
        for name, listen in ways.items():
            print(f"| {clip}, no VAD, {name} | 0 | {len(listen(samples))} words heard |", flush=True)


def _score(listen: Listener, recordings: list[Recording]) -> Score:
    score = Score()
    for recording in recordings:
        score.add(recording.words, listen(recording.samples))
    return score


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=100, help="held-out sentences a voice")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--parts", nargs="+", default=["sentences", "assemblies", "quiet"])
    arguments = parser.parse_args()
    model = WhisperModel(str(arguments.model), device="cpu", compute_type="int8", cpu_threads=arguments.threads)
    batched = BatchedInferencePipeline(model)
    print("| what | words | result |\n|---|---|---|", flush=True)
    if "sentences" in arguments.parts:
        measure_sentences(model, batched, arguments.count)
    if "assemblies" in arguments.parts:
        measure_assemblies(model, batched)
    if "quiet" in arguments.parts:
        measure_quiet(model, batched)


if __name__ == "__main__":
    main()
