"""Decode windows of sound with a faster-whisper model: each is encoded once, the texts of several are found together.

Uses faster-whisper's internals (pinned), without its padding to 30 s: the encoder takes any number of frames, and what
attention costs goes with the square of it. A second of silence is kept behind the sound. Windows of like length are
decoded together; the shorter ones' states are made as long as the longest's by more of their own silence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from storage.records import Options, Stretch, Word
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.doubt import COMPRESSION_LIMIT, WindowText, compression_ratio, loops
from tasks.levels import one_level
from tasks.prompt import prompt_tokens
from tasks.windows import Window
from tasks.words import held_to, no_longer_than_said, place

T = TypeVar("T")

BEST_OF = 5
TOKENS_PER_S, TOKENS_AT_LEAST = 5, 20  # enough for most speech; a loop goes on for as long as it may
MOST_TOKENS_PER_S, MOST_TOKENS_AT_LEAST = 9, 40  # for what is cut short by that and does not loop
ENGLISH = "en"
WHISPER_S = 30.0
MOST_POSITIONS = 1500  # of the encoder's states, in 30 s
SILENCE_S = 1.0  # kept behind the sound of a window
SILENT_STATES = 25  # the encoder's last states, half a second, are of that silence: more of it is made of them
MORE_SILENT_STATES = 100  # decoded behind the longest window of a batch: two seconds of silence that nobody encodes
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"


class Stopped(Exception):
    """The caller's flag was up: the span was left unfinished, on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to look for the best text: by beam, or, with a temperature, by the best of several samples.

    `no_repeat_tokens`: no run of so many tokens may come twice; 0 allows all. `padded`: encode it with silence up to
    the length that the model was trained on, which ends some loops.
    """

    temperature: float = 0.0
    no_repeat_tokens: int = 0
    padded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One window, the detected speech in it, in seconds from the span's start, and the language it is decoded in."""

    window: Window
    speech: Sequence[Stretch]
    language: str | None = None

    @property
    def speech_s(self) -> float:
        return sum(stretch.end_s - stretch.start_s for stretch in self.speech)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A window as the encoder gave it: `states` of shape (1, positions, width), and how long its sound is."""

    states: NDArray[np.float32]
    length_s: float

    def states_of(self, positions: int) -> NDArray[np.float32]:
        """Return the states with more of the silence at their end, up to so many positions."""
        missing = positions - self.states.shape[1]
        if missing <= 0:
            return self.states
        silence = self.states[:, -SILENT_STATES:]
        more = [silence] * ceil(missing / silence.shape[1])
        return np.concatenate([self.states, *more], axis=1)[:, :positions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What decoding in one language begins with, and the tokenizer that reads its tokens."""

    tokenizer: Any
    tokens: list[int]
    suppressed: list[int]


@dataclass(kw_only=True)
class Decoder:
    """One model with one job's options; made for one call, never shared between threads."""

    model: Any
    options: Options
    dense: bool = False  # many tokens a second, as in scripts whose letters take several
    _prompts: dict[str, Prompt] = field(default_factory=dict)

    @property
    def window_s(self) -> float:
        """The longest window that the model hears at once."""
        return float(self.model.feature_extractor.chunk_length)

    @property
    def multilingual(self) -> bool:
        return bool(self.model.model.is_multilingual)

    def prompt(self, language: str) -> Prompt:
        """Return what decoding begins with in a language."""
        if language not in self._prompts:
            from faster_whisper.tokenizer import Tokenizer
            from faster_whisper.transcribe import get_suppressed_tokens

            asked, multilingual = self.options, self.model.model.is_multilingual
            tokenizer = Tokenizer(self.model.hf_tokenizer, multilingual, task=asked.task, language=language)
            self._prompts[language] = Prompt(
                tokenizer=tokenizer,
                tokens=prompt_tokens(self.model, tokenizer, prompt=asked.prompt, hotwords=asked.hotwords),
                suppressed=list(get_suppressed_tokens(tokenizer, [-1])),
            )
        return self._prompts[language]

    def encoded(self, sounds: Sequence[Samples], *, padded: bool = False) -> list[Encoded]:
        """Encode each sound (float32 mono, 16 kHz), with a second of silence, or as long as the model was trained on.

        One by one on a CPU, where encoding many at once takes more time and many times the memory.
        """
        import ctranslate2

        found: list[Encoded] = []
        for some in _in_batches(sounds, self._at_once(len(sounds))):
            features = [self._features(sound, padded=padded) for sound in some]
            most = max(each.shape[1] for each in features)
            batch = np.stack([_padded_features(each, most) for each in features])
            states = self.model.model.encode(ctranslate2.StorageView.from_array(batch), to_cpu=True)
            for row, sound in zip(np.array(states.to(ctranslate2.DataType.float32)), some, strict=True):
                found.append(Encoded(states=row[None], length_s=len(sound) / SAMPLE_RATE_HZ))
        return found

    def languages(self, windows: Sequence[Encoded]) -> list[dict[str, float]]:
        """Return the probability of each language that the model knows, for each window."""
        answers = self.model.model.detect_language(_together(windows))
        return [{token[2:-2]: float(probability) for token, probability in answer} for answer in answers]

    def texts(self, windows: Sequence[Encoded], languages: Sequence[str], search: Search) -> list[WindowText]:
        """Decode windows together, each in its language; word times are seconds from each window's start."""
        longest_s = max(window.length_s for window in windows)
        most = MOST_TOKENS_AT_LEAST + int(MOST_TOKENS_PER_S * longest_s)
        usual = most if self.dense else TOKENS_AT_LEAST + int(TOKENS_PER_S * longest_s)
        prompts = [self.prompt(language) for language in languages]
        states = _together(windows, more=MORE_SILENT_STATES)
        results = self._generated(states, prompts, search, usual)
        if any(self._cut_short(result, prompt, usual) for result, prompt in zip(results, prompts, strict=True)):
            self.dense = True  # as all of this speaker, or in this language, will be
            results = self._generated(states, prompts, search, most)
        tokens = [
            [token for token in result.sequences_ids[0] if token < prompt.tokenizer.eot]
            for result, prompt in zip(results, prompts, strict=True)
        ]
        timed = self._timed(tokens, windows, languages)
        return [
            window_text(
                text=prompt.tokenizer.decode(found),
                words=words,
                result=result,
                temperature=search.temperature,
                language=language,
            )
            for found, words, result, prompt, language in zip(tokens, timed, results, prompts, languages, strict=True)
        ]

    def _generated(self, states: Any, prompts: Sequence[Prompt], search: Search, tokens: int) -> list[Any]:
        """Find at most so many tokens for each window."""
        how: dict[str, Any] = {"beam_size": self.options.beam_size}
        if search.temperature:
            how = {
                "beam_size": 1,
                "num_hypotheses": BEST_OF,
                "sampling_topk": 0,
                "sampling_temperature": search.temperature,
            }
        begin = [list(prompt.tokens) for prompt in prompts]
        found: list[Any] = self.model.model.generate(
            states,
            begin,
            max_length=min(int(self.model.max_length), 2 * max(tokens, len(begin[0]))),  # half of it is for the text
            no_repeat_ngram_size=search.no_repeat_tokens,
            suppress_blank=True,
            suppress_tokens=prompts[0].suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            **how,
        )
        return found

    def _cut_short(self, result: Any, prompt: Prompt, tokens: int) -> bool:
        """Return whether a text ended for want of tokens although it goes nowhere in circles."""
        found = result.sequences_ids[0]
        if self.dense or len(found) < tokens:
            return False
        text = prompt.tokenizer.decode([token for token in found if token < prompt.tokenizer.eot])
        return compression_ratio(text) <= COMPRESSION_LIMIT and not loops(text.split())

    def _features(self, sound: Samples, *, padded: bool) -> Samples:
        from faster_whisper.audio import pad_or_trim

        extractor = self.model.feature_extractor
        most = int(extractor.nb_max_frames)
        silence = np.zeros(int(SILENCE_S * SAMPLE_RATE_HZ), dtype=np.float32)
        found: Samples = extractor(np.concatenate([sound, silence]))[..., :-1]
        if padded or self.window_s < WHISPER_S or found.shape[1] > most:  # what is not Whisper's is trained in full
            return np.ascontiguousarray(pad_or_trim(found, most))
        return np.ascontiguousarray(found[:, : found.shape[1] // 2 * 2])

    def _timed(self, tokens: list[list[int]], windows: Sequence[Encoded], languages: Sequence[str]) -> list[list[Word]]:
        """Return the words of each window; one by one on a CPU, for the same reason as in `encoded`."""
        from faster_whisper.transcribe import merge_punctuations

        found: list[list[Word]] = [[] for _ in windows]
        for language in dict.fromkeys(languages):
            own = [index for index, each in enumerate(languages) if each == language and tokens[index]]
            for some in _in_batches(own, self._at_once(len(own))):
                states = _together([windows[index] for index in some])
                frames = [_frames(windows[index]) for index in some]
                texts = [tokens[index] for index in some]
                tokenizer = self.prompt(language).tokenizer
                for index, alignment in zip(
                    some, self.model.find_alignment(tokenizer, texts, states, frames), strict=True
                ):
                    merge_punctuations(alignment, PREPENDED, APPENDED)
                    found[index] = [_word(each) for each in alignment if each["word"].strip()]
        return found

    def _at_once(self, count: int) -> int:
        return max(1, count) if self.model.model.device == "cuda" else 1


@dataclass(kw_only=True)
class Listener:
    """A span's sound and a model; what was encoded is kept until `forget`, to be decoded in other ways.

    `language` is the one that was given, for takes that have none of their own; None where each has its own.
    """

    decoder: Decoder
    pcm: Samples
    batch_size: int
    should_stop: Callable[[], bool]
    language: str | None = None
    _encoded: dict[Window, Encoded] = field(default_factory=dict)

    def encode(self, takes: Sequence[Take]) -> list[Encoded]:
        """Encode the takes that are not encoded yet; quiet voices are lifted to loud ones before.

        Raises:
            Stopped: `should_stop` said so.
        """
        for some in _in_batches([take for take in takes if take.window not in self._encoded], self.batch_size):
            self._stop_if_asked()
            windows = [take.window for take in some]
            self._encoded.update(zip(windows, self.decoder.encoded(self._sounds(some)), strict=True))
        return [self._encoded[take.window] for take in takes]

    def languages(self, takes: Sequence[Take]) -> list[dict[str, float]]:
        """Return the probability of each language in each take."""
        found: list[dict[str, float]] = [{} for _ in takes]
        for some in self._alike(takes):
            self._stop_if_asked()
            encoded = self.encode([takes[index] for index in some])
            for index, shares in zip(some, self.decoder.languages(encoded), strict=True):
                found[index] = shares
        return found

    def texts(
        self, takes: Sequence[Take], search: Search, on_texts: Callable[[Sequence[Take]], None] = lambda _: None
    ) -> list[WindowText]:
        """Decode the takes, those of like length together; word times are seconds from the span's start.

        `on_texts` gets each batch that is done.

        Raises:
            Stopped: `should_stop` said so.
        """
        found: list[WindowText | None] = [None] * len(takes)
        for some in self._alike(takes):
            self._stop_if_asked()
            batch = [takes[index] for index in some]
            encoded = self.decoder.encoded(self._sounds(batch), padded=True) if search.padded else self.encode(batch)
            languages = [take.language or self.language or ENGLISH for take in batch]
            for index, text in zip(some, self.decoder.texts(encoded, languages, search), strict=True):
                take = takes[index]
                words = [held_to(place(word, take.window), take.speech) for word in text.words]
                found[index] = replace(text, words=tuple(no_longer_than_said(words)))
            on_texts(batch)
        return [text for text in found if text is not None]

    def forget(self, take: Take) -> None:
        self._encoded.pop(take.window, None)

    def _sounds(self, takes: Sequence[Take]) -> list[Samples]:
        return [one_level(take.window.samples(self.pcm)) for take in takes]

    def _alike(self, takes: Sequence[Take]) -> list[list[int]]:
        """Return the numbers of the takes in batches of like length."""
        by_length = sorted(range(len(takes)), key=lambda index: takes[index].window.length_s)
        return [list(some) for some in _in_batches(by_length, self.batch_size)]

    def _stop_if_asked(self) -> None:
        if self.should_stop():
            raise Stopped


def inside(window: Window, speech: Sequence[Stretch]) -> list[Stretch]:
    """Return the detected speech inside a window's pieces, in seconds from the span's start."""
    return [
        Stretch(start_s=max(piece.start_s, stretch.start_s), end_s=min(piece.end_s, stretch.end_s))
        for piece in window.pieces
        for stretch in speech
        if stretch.start_s < piece.end_s and stretch.end_s > piece.start_s
    ]


def window_text(*, text: str, words: Sequence[Word], result: Any, temperature: float, language: str) -> WindowText:
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
        language=language,
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


def _padded_features(features: Samples, frames: int) -> Samples:
    """Return the features with more silence behind them, up to so many frames."""
    missing = frames - features.shape[1]
    return np.pad(features, ((0, 0), (0, missing)), constant_values=features.min()) if missing else features


def _together(windows: Sequence[Encoded], *, more: int = 0) -> Any:
    """Return the states of several windows as one batch, with `more` of the silence behind the longest one."""
    import ctranslate2

    longest = max(window.states.shape[1] for window in windows)
    positions = max(longest, min(longest + more, MOST_POSITIONS))
    return ctranslate2.StorageView.from_array(np.concatenate([window.states_of(positions) for window in windows]))


def _in_batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
