"""Decode windows of sound with a faster-whisper model: each is encoded once, the texts of several are found together.

Uses faster-whisper's internals (pinned), without its padding: sound is padded to what the model's own
`preprocessor_config.json` says it hears at once, which for Whisper itself is 30 s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.records import Options, Stretch, Word
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.doubt import COMPRESSION_LIMIT, WindowText, compression_ratio, loops
from tasks.prompt import prompt_tokens
from tasks.windows import Window
from tasks.words import held_to, no_longer_than_said, place

BEST_OF = 5
TOKENS_PER_S, TOKENS_AT_LEAST = 5, 20  # enough for most speech; a loop goes on for as long as it may
MOST_TOKENS_PER_S, MOST_TOKENS_AT_LEAST = 9, 40  # for what is cut short by that and does not loop
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"


class Stopped(Exception):
    """The caller's flag was up: the span was left unfinished, on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to look for the best text: by beam, or, with a temperature, by the best of several samples.

    `no_repeat_tokens`: no run of so many tokens may come twice; 0 allows all.
    """

    temperature: float = 0.0
    no_repeat_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One window and the detected speech in it, in seconds from the span's start."""

    window: Window
    speech: Sequence[Stretch]

    @property
    def speech_s(self) -> float:
        return sum(stretch.end_s - stretch.start_s for stretch in self.speech)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A window as the encoder gave it: `states` of shape (1, positions, width), and how long its sound is."""

    states: NDArray[np.float32]
    length_s: float


@dataclass(kw_only=True)
class Decoder:
    """One model with one job's options; made for one call, never shared between threads."""

    model: Any
    options: Options
    language: str
    dense: bool = False  # many tokens a second, as in scripts whose letters take several
    tokenizer: Any = field(init=False)
    prompt: list[int] = field(init=False)
    suppressed: list[int] = field(init=False)

    def __post_init__(self) -> None:
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        self.tokenizer = Tokenizer(
            self.model.hf_tokenizer, self.model.model.is_multilingual, task=self.options.task, language=self.language
        )
        self.suppressed = list(get_suppressed_tokens(self.tokenizer, [-1]))
        asked = self.options
        self.prompt = prompt_tokens(self.model, self.tokenizer, prompt=asked.prompt, hotwords=asked.hotwords)

    @property
    def window_s(self) -> float:
        """The longest window that the model hears at once."""
        return float(self.model.feature_extractor.chunk_length)

    def encoded(self, sounds: Sequence[Samples]) -> list[Encoded]:
        """Encode each sound (float32 mono, 16 kHz).

        One by one on a CPU, where encoding many at once takes no less time and many times the memory.
        """
        import ctranslate2

        at_once = self._at_once(len(sounds))
        found: list[Encoded] = []
        for first in range(0, len(sounds), at_once):
            some = sounds[first : first + at_once]
            features = ctranslate2.StorageView.from_array(np.stack([self._features(sound) for sound in some]))
            states = self.model.model.encode(features, to_cpu=True).to(ctranslate2.DataType.float32)
            for row, sound in zip(np.array(states), some, strict=True):
                found.append(Encoded(states=row[None], length_s=len(sound) / SAMPLE_RATE_HZ))
        return found

    def texts(self, windows: Sequence[Encoded], search: Search) -> list[WindowText]:
        """Decode windows together; word times are seconds from each window's start."""
        import ctranslate2

        longest_s = max(window.length_s for window in windows)
        most = MOST_TOKENS_AT_LEAST + int(MOST_TOKENS_PER_S * longest_s)
        usual = most if self.dense else TOKENS_AT_LEAST + int(TOKENS_PER_S * longest_s)
        states = ctranslate2.StorageView.from_array(np.concatenate([window.states for window in windows]))
        results = self._generated(states, len(windows), search, usual)
        if any(self._cut_short(result, usual) for result in results):
            self.dense = True  # as all of this speaker, or in this language, will be
            results = self._generated(states, len(windows), search, most)
        tokens = [[token for token in result.sequences_ids[0] if token < self.tokenizer.eot] for result in results]
        timed = self._timed(tokens, windows)
        return [
            window_text(text=self.tokenizer.decode(found), words=words, result=result, temperature=search.temperature)
            for found, words, result in zip(tokens, timed, results, strict=True)
        ]

    def _generated(self, states: Any, count: int, search: Search, tokens: int) -> list[Any]:
        """Find at most so many tokens for each window."""
        how: dict[str, Any] = {"beam_size": self.options.beam_size}
        if search.temperature:
            how = {
                "beam_size": 1,
                "num_hypotheses": BEST_OF,
                "sampling_topk": 0,
                "sampling_temperature": search.temperature,
            }
        found: list[Any] = self.model.model.generate(
            states,
            [list(self.prompt) for _ in range(count)],
            max_length=min(int(self.model.max_length), 2 * max(tokens, len(self.prompt))),  # half of it is for the text
            no_repeat_ngram_size=search.no_repeat_tokens,
            suppress_blank=True,
            suppress_tokens=self.suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            **how,
        )
        return found

    def _cut_short(self, result: Any, tokens: int) -> bool:
        """Return whether a text ended for want of tokens although it goes nowhere in circles."""
        found = result.sequences_ids[0]
        if self.dense or len(found) < tokens:
            return False
        text = self.tokenizer.decode([token for token in found if token < self.tokenizer.eot])
        return compression_ratio(text) <= COMPRESSION_LIMIT and not loops(text.split())

    def _features(self, sound: Samples) -> Samples:
        from faster_whisper.audio import pad_or_trim

        extractor = self.model.feature_extractor
        found: Samples = pad_or_trim(extractor(sound)[..., :-1], extractor.nb_max_frames)
        return np.ascontiguousarray(found)

    def _timed(self, tokens: list[list[int]], windows: Sequence[Encoded]) -> list[list[Word]]:
        """Return the words of each window; one by one on a CPU, for the same reason as in `encoded`."""
        import ctranslate2
        from faster_whisper.transcribe import merge_punctuations

        found: list[list[Word]] = []
        at_once = self._at_once(len(windows))
        for first in range(0, len(windows), at_once):
            some = windows[first : first + at_once]
            states = ctranslate2.StorageView.from_array(np.concatenate([window.states for window in some]))
            frames = [_frames(window) for window in some]
            texts = tokens[first : first + at_once]
            for alignment in self.model.find_alignment(self.tokenizer, texts, states, frames):
                merge_punctuations(alignment, PREPENDED, APPENDED)
                found.append([_word(each) for each in alignment if each["word"].strip()])
        return found

    def _at_once(self, count: int) -> int:
        return count if self.model.model.device == "cuda" else 1


@dataclass(kw_only=True)
class Listener:
    """A span's sound and a model; what was encoded is kept until `forget`, to be decoded in other ways."""

    decoder: Decoder
    pcm: Samples
    batch_size: int
    should_stop: Callable[[], bool]
    _encoded: dict[Window, Encoded] = field(default_factory=dict)

    def texts(self, takes: Sequence[Take], search: Search) -> list[WindowText]:
        """Decode the takes, a batch at a time; word times are seconds from the span's start.

        Raises:
            Stopped: `should_stop` said so.
        """
        found: list[WindowText] = []
        for first in range(0, len(takes), self.batch_size):
            if self.should_stop():
                raise Stopped
            batch = takes[first : first + self.batch_size]
            new = [take.window for take in batch if take.window not in self._encoded]
            sounds = [window.samples(self.pcm) for window in new]
            self._encoded.update(zip(new, self.decoder.encoded(sounds), strict=True))
            texts = self.decoder.texts([self._encoded[take.window] for take in batch], search)
            for take, text in zip(batch, texts, strict=True):
                words = [held_to(place(word, take.window), take.speech) for word in text.words]
                found.append(replace(text, words=tuple(no_longer_than_said(words))))
        return found

    def forget(self, take: Take) -> None:
        self._encoded.pop(take.window, None)


def inside(window: Window, speech: Sequence[Stretch]) -> list[Stretch]:
    """Return the detected speech inside a window's pieces, in seconds from the span's start."""
    return [
        Stretch(start_s=max(piece.start_s, stretch.start_s), end_s=min(piece.end_s, stretch.end_s))
        for piece in window.pieces
        for stretch in speech
        if stretch.start_s < piece.end_s and stretch.end_s > piece.start_s
    ]


def window_text(*, text: str, words: Sequence[Word], result: Any, temperature: float) -> WindowText:
    """Return a decoded window as one value."""
    length = len(result.sequences_ids[0])
    return WindowText(
        text=text.strip(),
        words=tuple(words),
        tokens=length,
        avg_logprob=float(result.scores[0]) * length / (length + 1),
        no_speech_prob=float(result.no_speech_prob),
        compression_ratio=compression_ratio(text),
        temperature=temperature,
    )


def _word(aligned: dict[str, Any]) -> Word:
    return Word(
        start_s=float(aligned["start"]),
        end_s=float(aligned["end"]),
        text=str(aligned["word"]),
        probability=round(float(aligned["probability"]), 4),
    )


def _frames(window: Encoded) -> int:
    return ceil(window.length_s * 100 - 1e-6)
