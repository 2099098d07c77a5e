"""Speak sentences with Debian's synthesisers and keep the times at which every phone and word was spoken.

espeak-ng reports its times through libespeak-ng's events; flite prints phone times, which are matched to words by the
pronunciations that it gives to the words alone.
"""

import ctypes
import functools
import itertools
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

SAMPLE_RATE_HZ = 16_000
VOICES = ("espeak-en-us", "flite-slt", "flite-rms")
VOWELS = frozenset(["aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"])
ARTICLE_PHONES = {"the": 2, "a": 1}
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7


class TimesUnknown(ValueError):
    """A synthesiser did not tell when a word was spoken; leave the sentence out."""

    def __init__(self, text: str, word: str) -> None:
        super().__init__(text, word)
        self.text, self.word = text, word

    def __str__(self) -> str:
        return f"no time is known for {self.word!r} in {self.text!r}; leave the sentence out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A phone or a word, with its times in seconds from the first sample."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """One spoken sentence: float32 mono samples at 16 kHz, its phones, and one mark for each word of the text."""

    samples: npt.NDArray[np.float32]
    phones: list[Mark]
    words: list[Mark]


def speak(text: str, voice: str, *, tempo: float = 1.0, pitch: float = 0.0) -> Speech:
    """Speak a sentence, trimmed to 30 ms of silence at either end.

    `tempo` above 1 is faster. `pitch` from -1 to 1 shifts espeak-ng's pitch a little; flite ignores it.
    """
    engine, name = voice.split("-", 1)
    if engine == "espeak":
        return _trimmed(_espeak(text, name, tempo=tempo, pitch=pitch))
    return _trimmed(_flite(text, name, tempo=tempo))


def _trimmed(speech: Speech, margin_s: float = 0.03) -> Speech:
    start_s = max(0.0, speech.words[0].start_s - margin_s)
    end_s = speech.words[-1].end_s + margin_s

    def moved(marks: Iterable[Mark]) -> list[Mark]:
        return [Mark(label=m.label, start_s=m.start_s - start_s, end_s=m.end_s - start_s) for m in marks]

    samples = speech.samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)]
    return Speech(samples=samples, phones=moved(speech.phones), words=moved(speech.words))


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Espeak:
    """libespeak-ng in this process; it keeps global state, so there is one of it."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        retrieve, with_phoneme_events = 1, 1
        self.rate_hz: int = self.library.espeak_Initialize(retrieve, 0, None, with_phoneme_events)
        self.blocks: list[npt.NDArray[np.int16]] = []
        self.events: list[tuple[int, int, str, int]] = []
        self.callback = _CALLBACK(self._receive)
        self.library.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:
            event = events[index]
            if event.type in (_EVENT_WORD, _EVENT_PHONEME):
                label = event.id.string.decode() if event.type == _EVENT_PHONEME else ""
                self.events.append((event.type, event.sample, label, event.text_position))
            index += 1
        return 0

    def say(self, text: str, name: str, *, words_per_minute: int, pitch: int) -> None:
        """Fill `blocks` and `events` with one utterance."""
        self.blocks, self.events = [], []
        rate_parameter, pitch_parameter, utf8 = 1, 3, 1
        self.library.espeak_SetVoiceByName(name.encode())
        self.library.espeak_SetParameter(rate_parameter, words_per_minute, 0)
        self.library.espeak_SetParameter(pitch_parameter, pitch, 0)
        data = text.encode()
        self.library.espeak_Synth(data, len(data) + 1, 0, 1, 0, utf8, None, None)
        self.library.espeak_Synchronize()


@functools.cache
def _library() -> _Espeak:
    return _Espeak()


def _espeak(text: str, name: str, *, tempo: float, pitch: float) -> Speech:
    espeak = _library()
    espeak.say(text, name, words_per_minute=round(165 * tempo), pitch=round(50 + 10 * pitch))
    recorded = np.concatenate(espeak.blocks).astype(np.float32) / 32768
    end = len(recorded)
    tokens = text.split()
    sounds = [(sample, label) for kind, sample, label, _ in espeak.events if kind == _EVENT_PHONEME] + [(end, "_")]
    starts = _word_starts(text, [(sample, at) for kind, sample, _, at in espeak.events if kind == _EVENT_WORD], sounds)
    stops = starts + [sample for sample, label in sounds if label.startswith("_")]

    def mark(label: str, start: int, stop: int) -> Mark:
        return Mark(label=label, start_s=start / espeak.rate_hz, end_s=stop / espeak.rate_hz)

    words = [
        mark(token, start, min(stop for stop in stops if stop > start))
        for token, start in zip(tokens, starts, strict=True)
    ]
    phones = [
        mark(f"espeak:{label}", start, stop)
        for (start, label), (stop, _) in itertools.pairwise(sounds)
        if not label.startswith("_") and stop > start
    ]
    samples = resample_poly(recorded, 320, 441) if espeak.rate_hz == 22_050 else recorded
    return Speech(samples=samples.astype(np.float32), phones=phones, words=words)


def _word_starts(text: str, events: list[tuple[int, int]], sounds: list[tuple[int, str]]) -> list[int]:
    """First sample of each word from (sample, text position) events and (sample, phone) events.

    espeak-ng joins some pairs ("with the", "for a") and reports only the first: the article gets the last phones.

    Raises:
        TimesUnknown: another word than an article was not reported.
    """
    tokens = text.split()
    starts: dict[int, int] = {}
    for sample, position in events:
        starts.setdefault(len(text[: position - 1].split()), sample)
    for index, token in enumerate(tokens):
        if index in starts:
            continue
        if token not in ARTICLE_PHONES or index + 1 not in starts:
            raise TimesUnknown(text, token)
        before = [sample for sample, _ in sounds if sample < starts[index + 1]]
        starts[index] = before[-ARTICLE_PHONES[token]]
    return [starts[index] for index in range(len(tokens))]


def _run_flite(text: str, name: str, tempo: float) -> tuple[npt.NDArray[np.float32], list[Mark]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        stretch = f"duration_stretch={1 / tempo:.3f}"
        command = ["flite", "-voice", name, "--setf", stretch, "-psdur", "-t", text, "-o", str(path)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"flite's voice {name} speaks at {rate_hz} Hz; this needs {SAMPLE_RATE_HZ} Hz")
    ends = [(label, float(end)) for label, end in re.findall(r"(\S+):([\d.]+)", printed)]
    starts = [0.0] + [end for _, end in ends]
    marks = [Mark(label=label, start_s=start, end_s=end) for (label, end), start in zip(ends, starts, strict=False)]
    return samples, marks


@functools.cache
def _pronunciation(word: str, name: str) -> tuple[str, ...]:
    _, marks = _run_flite(f"{word}.", name, 1.0)
    return tuple(mark.label for mark in marks if mark.label != "pau")


def _flite(text: str, name: str, *, tempo: float) -> Speech:
    samples, marks = _run_flite(text, name, tempo)
    spoken = [mark for mark in marks if mark.label != "pau"]
    tokens = text.split()
    expected = [
        (index, phone)
        for index, token in enumerate(tokens)
        for phone in _pronunciation(token.strip(".,?").lower(), name)
    ]
    owners = _owners([mark.label for mark in spoken], expected)
    words = []
    for index, token in enumerate(tokens):
        own = [mark for mark, owner in zip(spoken, owners, strict=True) if owner == index]
        if not own:
            raise TimesUnknown(text, token)
        words.append(Mark(label=token, start_s=own[0].start_s, end_s=own[-1].end_s))
    phones = [Mark(label=f"flite:{mark.label}", start_s=mark.start_s, end_s=mark.end_s) for mark in spoken]
    return Speech(samples=samples, phones=phones, words=words)


def _owners(spoken: list[str], expected: list[tuple[int, str]]) -> list[int]:
    """For each spoken phone the index of its word, by the cheapest edit path (sentences change some vowels)."""
    if len(spoken) == len(expected) and all(
        _difference(phone, own) < 1 for phone, (_, own) in zip(spoken, expected, strict=True)
    ):
        return [word for word, _ in expected]
    rows, columns = len(spoken) + 1, len(expected) + 1
    cost = np.zeros((rows, columns))
    cost[:, 0], cost[0, :] = np.arange(rows), np.arange(columns)
    for i in range(1, rows):
        for j in range(1, columns):
            changed = cost[i - 1, j - 1] + _difference(spoken[i - 1], expected[j - 1][1])
            cost[i, j] = min(changed, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    owners = [0] * len(spoken)
    i, j = len(spoken), len(expected)
    while i > 0:
        if j > 0 and cost[i, j] == cost[i - 1, j - 1] + _difference(spoken[i - 1], expected[j - 1][1]):
            i, j = i - 1, j - 1
            owners[i] = expected[j][0]
        elif j > 0 and cost[i, j] == cost[i, j - 1] + 1:
            j -= 1
        else:
            i -= 1
            owners[i] = expected[max(j - 1, 0)][0]
    return owners


def _difference(spoken: str, expected: str) -> float:
    if spoken == expected:
        return 0.0
    return 0.5 if spoken in VOWELS and expected in VOWELS else 1.5
