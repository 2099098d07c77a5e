"""Compose training windows from spoken sentences: mel, frame labels, tokens and the frames that each token is about.

Frames are the encoder's, 50 a second (two mel frames each). Mel features are made as faster-whisper makes them:
clamped 8 below the loudest frame of the recording, scaled, and zeros after the end of the recording.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from material import log_mel
from readings import Placed, Reading, plain_reading, timed_reading, tokens_of
from sentences import words_of
from vocabulary import (
    END,
    FIRST_TIMESTAMP,
    FRAMES,
    NO_SPEECH,
    PREVIOUS,
    START,
    WORD_LABELS,
)

IGNORED = -100


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """One sentence of the material; times in seconds from its first mel frame."""

    voice: str
    text: str
    mel: npt.NDArray[np.float16]
    phones: list[tuple[str, float, float]]
    words: list[tuple[str, float, float]]


@dataclass(slots=True, kw_only=True)
class Course:
    """How long windows are and what they contain, one for each phase of training."""

    frames: int
    batch: int
    silent_share: float = 0.0
    prompt_share: float = 0.0
    longest_prompt: int = 220
    cut_share: float = 0.0
    repeat_share: float = 0.0
    short_share: float = 0.0
    """Windows that end after 6 to 13 s, mostly 10 s, as faster-whisper cuts them for this model; zeros follow."""
    moved: bool = True


@dataclass(slots=True)
class Window:
    """Arrays of one window and its two readings (without and with timestamps)."""

    mel: npt.NDArray[np.float32]
    offset: int
    phones: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    readings: list["Reading"] = field(default_factory=list)


def load_material(folder: Path) -> tuple[list[Spoken], list[str]]:
    """All finished shards, and the sorted phone labels (index + 1 is the class; 0 is silence)."""
    spoken = []
    for path in sorted(folder.glob("*.json")):
        mel = np.load(path.with_suffix(".npy"), mmap_mode="r")
        for entry in json.loads(path.read_text()):
            first = entry["first"]
            spoken.append(
                Spoken(
                    voice=entry["voice"],
                    text=entry["text"],
                    mel=mel[first : first + entry["frames"]],
                    phones=[tuple(mark) for mark in entry["phones"]],
                    words=[tuple(mark) for mark in entry["words"]],
                )
            )
    return spoken, sorted({label for one in spoken for label, _, _ in one.phones})


def noises(seed: int, seconds: int = 40) -> list[npt.NDArray[np.float32]]:
    """Mel power of noises and tones without speech, each of shape (frames, 80) and mean 1."""
    rng = np.random.default_rng(seed)
    count = seconds * 16_000
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / 16_000), 20.0)
    sounds = [np.fft.irfft(spectrum * hertz**-power) for power in (0.0, 0.5, 1.0, 1.5)]
    band = np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 3000)))
    time = np.arange(count) / 16_000
    hum = np.sum([np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 2, 3, 4, 5)], axis=0)
    sweep = np.sin(2 * np.pi * (200 + 100 * np.sin(time)) * time)
    beeps = np.sin(2 * np.pi * 880 * time) * ((time % 1.7) < 0.25)
    clicks = np.where(rng.random(count) < 4 / 16_000, rng.standard_normal(count) * 30, 0.0)
    slow = 1 + 0.9 * np.sin(2 * np.pi * 0.4 * time)
    sounds += [band, hum, sweep + 0.01 * band, beeps + 0.01 * sounds[0], clicks + 0.01 * sounds[0], sounds[1] * slow]
    powers = []
    for sound in sounds:
        power = 10.0 ** log_mel((sound / np.std(sound)).astype(np.float32))
        powers.append((power / power.mean()).astype(np.float32))
    return powers


class Composer:
    """Composes windows from one random stream."""

    def __init__(self, spoken: list[Spoken], phone_labels: list[str], seed: int) -> None:
        self.rng = random.Random(seed)
        self.phone_class = {label: index for index, label in enumerate(phone_labels, start=1)}
        self.voices = sorted({one.voice for one in spoken})
        self.by_voice = {voice: [one for one in spoken if one.voice == voice] for voice in self.voices}
        self.noises = noises(seed)

    def window(self, course: Course) -> Window:
        """One window of `course`."""
        rng = self.rng
        offset = rng.randint(0, FRAMES - course.frames) if course.moved else 0
        power = np.zeros((2 * course.frames, 80), np.float32)
        phones = np.zeros(course.frames, np.int64)
        short = rng.random() < course.short_share
        room = 2 * rng.choice([500, 500, rng.randint(300, 650)]) if short else 2 * course.frames
        placed: list[Placed] = []
        cut_start: int | None = None
        at = 0
        if rng.random() >= course.silent_share:
            at, cut_start = self._fill(course, power[:room], phones[: room // 2], placed)
        ends = min(room, at + int(rng.choice([10, 60, 150]) * rng.random()) + 4)
        if not placed and cut_start is None:
            ends = rng.randint(10, room)
        if rng.random() < 0.25:
            ends = room
        mel = self._features(power, ends, silent=not phones.any())
        window = Window(mel, offset, phones, _word_labels(placed, course.frames))
        prompts = [self._prompt(course) for _ in range(2)]
        window.readings = [
            plain_reading(placed, prompts[0]),
            timed_reading(placed, prompts[1], offset, cut_start, rng),
        ]
        return window

    def _fill(
        self, course: Course, power: npt.NDArray[np.float32], phones: npt.NDArray[np.int64], placed: list[Placed]
    ) -> tuple[int, int | None]:
        """Place sentences; returns the mel frame where speech ends, and the frame at which a cut sentence starts."""
        rng = self.rng
        room = len(power)
        at = int(rng.choice([0, 20, 60, min(300, room // 5)]) * rng.random())
        most = rng.choice([1, 2, 3, 5, 20])
        voice = rng.choice(self.voices)
        mixed = rng.random() < 0.25
        pool = self.by_voice[voice] if not mixed else [one for group in self.by_voice.values() for one in group]
        if rng.random() < course.repeat_share:
            pool = rng.sample(pool, rng.choice([1, 2, 3, 4]))
        for count in range(most):
            one = rng.choice(pool)
            first = self._comma(one) if count == 0 and rng.random() < course.cut_share else 0
            skipped = max(0, round(one.words[first][1] * 100) - 4) if first else 0
            length = len(one.mel) - skipped
            fits = at + length <= room
            if not fits and (count or course.frames < 400) and rng.random() >= course.cut_share:
                if placed:
                    break
                continue
            taken = min(length, room - at)
            gain = 10.0 ** rng.uniform(-0.15, 0.15)
            power[at : at + taken] += gain * 10.0 ** one.mel[skipped : skipped + taken].astype(np.float32)
            words = self._place(one, first, (at - skipped) / 100, phones)
            if not fits:
                placed += [word for word in words if word.end <= len(phones) - 2]
                return room, words[0].start
            placed += words
            pause_s = rng.choices([rng.uniform(0.25, 0.9), rng.uniform(0.8, 2.5), rng.uniform(2.5, 5)], [60, 35, 5])[0]
            at += taken
            ended, at = at, at + int(100 * pause_s)
            if at > room - 60:
                return min(ended, room), None
        return (ended if placed else 0), None

    def _comma(self, one: Spoken) -> int:
        """The word after the first comma, or 0."""
        return next((k + 1 for k, (written, _, _) in enumerate(one.words) if written.endswith(",")), 0)

    def _place(self, one: Spoken, first: int, moved_s: float, phones: npt.NDArray[np.int64]) -> list[Placed]:
        """Write the phones of a sentence and return its words from `first` on."""
        for label, start_s, end_s in one.phones:
            if start_s >= one.words[first][1] - 0.005:
                begin = round((start_s + moved_s) * 50)
                phones[begin : max(begin + 1, round((end_s + moved_s) * 50))] = self.phone_class[label]
        words = []
        for index, (written, start_s, end_s) in enumerate(one.words):
            if index >= first:
                begin = round((start_s + moved_s) * 50)
                end = max(begin + 1, round((end_s + moved_s) * 50))
                words.append(Placed(written=written, start=begin, end=end, final=index == len(one.words) - 1))
        return words

    def _features(self, power: npt.NDArray[np.float32], ends: int, *, silent: bool) -> npt.NDArray[np.float32]:
        """Whisper's log-mel features, shape (80, frames): gain, noise, the recording's loudest frame, zero padding."""
        rng = self.rng
        level = float(power.sum() / max(1, np.count_nonzero(power[:, 0]))) / 80
        level = level if level > 0 else 10.0 ** rng.uniform(-4, 1)
        power = power * 10.0 ** (gain := rng.uniform(-1.5, 0.7))
        if rng.random() < (0.6 if silent else 0.5):
            noise = rng.choice(self.noises)
            start = rng.randrange(len(noise))
            indexes = np.arange(start, start + len(power)) % len(noise)
            snr = rng.uniform(-0.5, 3.0) if silent else rng.uniform(1.7, 5.0)
            power = power + noise[indexes] * level * 10.0 ** (gain - snr)
        logs = np.log10(np.maximum(power, 1e-10)[:ends])
        loudest = float(logs.max())
        if silent and rng.random() < 0.7:
            loudest = max(loudest, rng.uniform(-1, 2.5))
        elif rng.random() < 0.3:
            loudest += rng.uniform(0, 0.8)
        features = np.zeros((80, len(power)), np.float32)
        features[:, :ends] = ((np.maximum(logs, loudest - 8.0) + 4.0) / 4.0).T
        return features

    def _prompt(self, course: Course) -> list[int]:
        """Tokens of earlier text, or none."""
        rng = self.rng
        if rng.random() >= course.prompt_share:
            return []
        tokens: list[int] = []
        timed = rng.random() < 0.6
        at = rng.randint(0, 200)
        length = rng.randint(1, course.longest_prompt)
        while len(tokens) < length:
            one = rng.choice(self.by_voice[rng.choice(self.voices)])
            text = [token for written, _, _ in one.words for token in tokens_of(written)]
            if rng.random() < 0.04:
                text = [rng.randrange(256) for _ in range(rng.randint(3, 30))]
            start, at = at, min(FRAMES, at + rng.randint(80, 250))
            tokens += [FIRST_TIMESTAMP + start, *text, FIRST_TIMESTAMP + at] if timed else text
            at = min(FRAMES, at + rng.randint(0, 100)) if at < FRAMES - 100 else rng.randint(0, 200)
        return [PREVIOUS, *tokens[-length:]]


def _word_labels(placed: list[Placed], frames: int) -> npt.NDArray[np.int64]:
    """Classes of the word at each frame, of the word before and of the word after; shape (3, frames)."""
    labels = np.zeros((3, frames), np.int64)
    labels[1:] = IGNORED
    known = [WORD_LABELS[words_of(word.written)[0].lower()] for word in placed]
    for index, word in enumerate(placed):
        labels[0, word.start : word.end] = known[index]
        if index and word.start - placed[index - 1].end < 20:
            labels[1, word.start : word.end] = known[index - 1]
            labels[2, placed[index - 1].start : placed[index - 1].end] = known[index]
            labels[1, placed[index - 1].end : word.start] = known[index - 1]
            labels[2, placed[index - 1].end : word.start] = known[index]
    return labels


def batches(folder: Path, course: Course, seed: int) -> Iterator[dict[str, Tensor]]:
    """An endless stream of batches, the same for the same seed."""
    spoken, labels = load_material(folder)
    composer = Composer(spoken, labels, seed)
    while True:
        yield collate([composer.window(course) for _ in range(course.batch)])


def collate(windows: list[Window]) -> dict[str, Tensor]:
    """Stack windows; readings become `2 * batch` rows, those without timestamps first."""
    readings = [window.readings[kind] for kind in (0, 1) for window in windows]
    longest = max(len(reading.tokens) for reading in readings)
    tokens = torch.full((len(readings), longest), END)
    targets = torch.full((len(readings), longest), IGNORED)
    spans = torch.zeros((len(readings), longest, 3), dtype=torch.long)
    for row, reading in enumerate(readings):
        length = len(reading.tokens)
        tokens[row, :length] = torch.tensor(reading.tokens)
        spans[row, :length] = torch.tensor(reading.spans)
        following = torch.tensor([t if c else IGNORED for t, c in zip(reading.tokens, reading.counted, strict=True)])
        targets[row, : length - 1] = following[1:]
        silent = not windows[row % len(windows)].phones.any()
        if silent:
            targets[row, reading.tokens.index(START)] = NO_SPEECH
    stacked: dict[str, Any] = {
        "mel": torch.from_numpy(np.stack([window.mel for window in windows])),
        "offset": torch.tensor([window.offset for window in windows]),
        "phones": torch.from_numpy(np.stack([window.phones for window in windows])),
        "words": torch.from_numpy(np.stack([window.words for window in windows])),
        "tokens": tokens,
        "targets": targets,
        "spans": spans,
    }
    return stacked
