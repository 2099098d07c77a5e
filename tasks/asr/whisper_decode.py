"""Decode windows with a faster-whisper model: encode each once, decode in batches.

Uses faster-whisper's internals (pinned), without its padding to 30 s: the encoder takes any number of frames, and
attention costs the square of them. A second of silence is kept after the audio. Windows of similar length are decoded
together, and the states of shorter ones are extended with their own silence to the longest.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, TypeVar

import numpy as np

from storage.domain.records import Options, Stretch, Word
from tasks.asr.base import DecodingStopped
from tasks.asr.batching import GPU_WEIGHTS_COST, WEIGHTS_COST, batches_of
from tasks.asr.confidence import COMPRESSION_LIMIT, WindowText, compression_ratio, loops
from tasks.asr.encoded_windows import MOST_POSITIONS, Encoded, padded_features, together
from tasks.asr.prompt import prompt_tokens
from tasks.asr.side_by_side import side_by_side
from tasks.asr.word_timing import held_to, no_longer_than_said, place
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.window_level import one_level
from tasks.audio.windows import Window

T = TypeVar("T")

BEST_OF = 5
TOKENS_PER_S, TOKENS_AT_LEAST = 5, 20  # enough for most speech; a loop goes on to the limit
MOST_TOKENS_PER_S, MOST_TOKENS_AT_LEAST = 9, 40  # for texts cut short by the lower limit that do not loop
ENGLISH = "en"
WHISPER_S = 30.0
POSITIONS_A_SECOND = 50  # of the encoder's states
SILENCE_S = 1.0  # kept after the audio of a window
MORE_SILENT_STATES = 60  # added after the longest window of a batch: silence of 1.2 s that is not encoded
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to search for text: beam search, or with a temperature, best-of sampling.

    `no_repeat_tokens` forbids repeating a run of this many tokens; 0 allows it. `padded` encodes with silence up to the
    length that the model was trained on, which ends some loops.
    """

    temperature: float = 0.0
    no_repeat_tokens: int = 0
    padded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A window with the speech detected in it and the language to decode.

    `speech` is in seconds from the span's start.
    """

    window: Window
    speech: Sequence[Stretch]
    language: str | None = None

    @property
    def speech_s(self) -> float:
        return sum(stretch.end_s - stretch.start_s for stretch in self.speech)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The prompt tokens of one language, and the tokenizer that decodes its text."""

    tokenizer: Any
    tokens: list[int]
    suppressed: list[int]


@dataclass(kw_only=True)
class Decoder:
    """One model with one job's options; made for one call and not thread-safe.

    Only `languages` may run beside other calls. On a CPU, as many windows are encoded and aligned side by side as the
    model has `workers`.
    """

    model: Any
    options: Options
    workers: int = 1
    dense: bool = False  # many tokens a second, as in scripts whose letters take several tokens
    _prompts: dict[str, Prompt] = field(default_factory=dict)

    @property
    def window_s(self) -> float:
        """The longest window that the model decodes at once."""
        return float(self.model.feature_extractor.chunk_length)

    @property
    def multilingual(self) -> bool:
        return bool(self.model.model.is_multilingual)

    def prompt(self, language: str) -> Prompt:
        """Return the prompt of a language."""
        if language not in self._prompts:
            from faster_whisper.tokenizer import Tokenizer
            from faster_whisper.transcribe import get_suppressed_tokens

            options, is_multilingual = self.options, self.model.model.is_multilingual
            tokenizer = Tokenizer(self.model.hf_tokenizer, is_multilingual, task=options.task, language=language)
            self._prompts[language] = Prompt(
                tokenizer=tokenizer,
                tokens=prompt_tokens(self.model, tokenizer, prompt=options.prompt, hotwords=options.hotwords),
                suppressed=list(get_suppressed_tokens(tokenizer, [-1])),
            )
        return self._prompts[language]

    def encoded(self, sounds: Sequence[Samples], *, padded: bool = False) -> list[Encoded]:
        """Encode sounds (float32 mono, 16 kHz), followed by silence.

        That is one second, or with `padded` as much as the model was trained on. On a CPU they are encoded one at a
        time: a batch would take longer and many times the memory.
        """
        import ctranslate2

        def encode(batch_sounds: Sequence[Samples]) -> list[Encoded]:
            features = [self._features(sound, padded=padded) for sound in batch_sounds]
            longest = max(each.shape[1] for each in features)
            batch = np.stack([padded_features(each, longest) for each in features])
            states = self.model.model.encode(ctranslate2.StorageView.from_array(batch), to_cpu=True)
            rows = np.array(states.to(ctranslate2.DataType.float32))
            lengths_s = [len(sound) / SAMPLE_RATE_HZ for sound in batch_sounds]
            return [Encoded(states=row[None], length_s=each_s) for row, each_s in zip(rows, lengths_s, strict=True)]

        batches = list(_in_batches(sounds, self._at_once(len(sounds))))
        return [each for batch in side_by_side(encode, batches, workers=self.workers) for each in batch]

    def languages(self, windows: Sequence[Encoded]) -> list[dict[str, float]]:
        """Return the probability of each language for each window."""
        halves = [replace(window, states=window.states[:, ::2]) for window in windows]  # they tell it as well as all
        batches = list(_in_batches(halves, self._at_once(len(halves))))  # one by one on a CPU, as in `encoded`
        detect = self.model.model.detect_language
        told = side_by_side(lambda batch: detect(together(batch)), batches, workers=self.workers)
        answers = [answer for batch in told for answer in batch]
        return [{token[2:-2]: float(probability) for token, probability in answer} for answer in answers]

    def texts(self, windows: Sequence[Encoded], languages: Sequence[str], search: Search) -> list[WindowText]:
        """Decode windows together; word times are seconds from each window's start."""
        longest_s = max(window.length_s for window in windows)
        high_limit = MOST_TOKENS_AT_LEAST + int(MOST_TOKENS_PER_S * longest_s)
        limit = high_limit if self.dense else TOKENS_AT_LEAST + int(TOKENS_PER_S * longest_s)
        prompts = [self.prompt(language) for language in languages]
        states = together(windows, more=MORE_SILENT_STATES)
        results = self._generated(states, prompts, search, limit)
        if any(self._cut_short(result, prompt, limit) for result, prompt in zip(results, prompts, strict=True)):
            self.dense, limit = True, high_limit  # the rest of this speaker or language will need it too
            results = self._generated(states, prompts, search, limit)
        tokens = [
            [token for token in result.sequences_ids[0] if token < prompt.tokenizer.eot]
            for result, prompt in zip(results, prompts, strict=True)
        ]
        timed = self.timed(tokens, windows, languages)
        return [
            window_text(
                text=prompt.tokenizer.decode(text_tokens),
                words=words,
                result=result,
                temperature=search.temperature,
                language=language,
                limit=limit,
            )
            for text_tokens, words, result, prompt, language in zip(
                tokens, timed, results, prompts, languages, strict=True
            )
        ]

    def _generated(self, states: Any, prompts: Sequence[Prompt], search: Search, tokens: int) -> list[Any]:
        """Generate at most this many tokens for each window."""
        search_options: dict[str, Any] = {"beam_size": self.options.beam_size}
        if search.temperature:
            search_options = {
                "beam_size": 1,
                "num_hypotheses": BEST_OF,
                "sampling_topk": 0,
                "sampling_temperature": search.temperature,
            }
        prompt_tokens = [list(prompt.tokens) for prompt in prompts]
        results: list[Any] = self.model.model.generate(
            states,
            prompt_tokens,
            max_length=min(
                int(self.model.max_length), 2 * max(tokens, len(prompt_tokens[0]))
            ),  # half of it is for the text
            no_repeat_ngram_size=search.no_repeat_tokens,
            suppress_blank=True,
            suppress_tokens=prompts[0].suppressed,
            return_scores=True,
            return_no_speech_prob=True,
            **search_options,
        )
        return results

    def _cut_short(self, result: Any, prompt: Prompt, tokens: int) -> bool:
        """Return whether a text reached the token limit without being a loop."""
        tokens_found = result.sequences_ids[0]
        if self.dense or len(tokens_found) < tokens:
            return False
        text = prompt.tokenizer.decode([token for token in tokens_found if token < prompt.tokenizer.eot])
        return compression_ratio(text) <= COMPRESSION_LIMIT and not loops(text.split())

    def _features(self, sound: Samples, *, padded: bool) -> Samples:
        from faster_whisper.audio import pad_or_trim

        extractor = self.model.feature_extractor
        max_frames = int(extractor.nb_max_frames)
        silence = np.zeros(int(SILENCE_S * SAMPLE_RATE_HZ), dtype=np.float32)
        features: Samples = extractor(np.concatenate([sound, silence]))[..., :-1]
        # models with shorter windows than Whisper's were trained on padded audio
        if padded or self.window_s < WHISPER_S or features.shape[1] > max_frames:
            return np.ascontiguousarray(pad_or_trim(features, max_frames))
        return np.ascontiguousarray(features[:, : features.shape[1] // 2 * 2])

    def timed(self, tokens: list[list[int]], windows: Sequence[Encoded], languages: Sequence[str]) -> list[list[Word]]:
        """Return the words of each window; on a CPU one by one, as in `encoded`."""
        from faster_whisper.transcribe import merge_punctuations

        words: list[list[Word]] = [[] for _ in windows]
        for language in dict.fromkeys(languages):
            same_language = [index for index, each in enumerate(languages) if each == language and tokens[index]]
            batches = list(_in_batches(same_language, self._at_once(len(same_language))))
            tokenizer = self.prompt(language).tokenizer

            def align(indices: Sequence[int], tokenizer: Any = tokenizer) -> list[Any]:
                states = together([windows[index] for index in indices])
                frames, texts = [windows[index].frames for index in indices], [tokens[index] for index in indices]
                aligned: list[Any] = self.model.find_alignment(tokenizer, texts, states, frames)
                return aligned

            for indices, alignments in zip(batches, side_by_side(align, batches, workers=self.workers), strict=True):
                for index, alignment in zip(indices, alignments, strict=True):
                    merge_punctuations(alignment, PREPENDED, APPENDED)
                    words[index] = [_word(each) for each in alignment if each["word"].strip()]
        return words

    @property
    def on_gpu(self) -> bool:
        return bool(self.model.model.device == "cuda")

    def _at_once(self, count: int) -> int:
        return max(1, count) if self.on_gpu else 1


@dataclass(kw_only=True)
class SpanDecoder:
    """A span's audio and its encoded windows, kept until `forget` for further decoding.

    `language` is the given one, for takes that have none of their own; None where each take has its own.
    """

    decoder: Decoder
    pcm: Samples
    batch_size: int
    should_stop: Callable[[], bool]
    language: str | None = None
    _encoded: dict[Window, Encoded] = field(default_factory=dict)
    _languages: dict[Window, dict[str, float]] = field(default_factory=dict)

    @contextmanager
    def detecting(self, takes: Sequence[Take]) -> Iterator[None]:
        """Detect the languages of takes beside the block, if there is another worker, for `languages`."""
        if self.decoder.workers < 2:
            yield
            return
        detected: dict[Window, Future[list[dict[str, float]]]] = {}
        with ThreadPoolExecutor(1) as pool:
            for take, encoded in zip(takes, self.encode(takes), strict=True):
                detected[take.window] = pool.submit(self.decoder.languages, [encoded])
            try:
                yield
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self._languages.update({window: each.result()[0] for window, each in detected.items()})

    def encode(self, takes: Sequence[Take]) -> list[Encoded]:
        """Encode the takes that are not encoded yet, with quiet voices raised to loud ones.

        Raises:
            DecodingStopped: `should_stop` returned true.
        """
        for batch in _in_batches([take for take in takes if take.window not in self._encoded], self.batch_size):
            self._stop_if_asked()
            windows = [take.window for take in batch]
            self._encoded.update(zip(windows, self.decoder.encoded(self._sounds(batch)), strict=True))
        return [self._encoded[take.window] for take in takes]

    def languages(self, takes: Sequence[Take]) -> list[dict[str, float]]:
        """Return the probability of each language in each take."""
        if all(take.window in self._languages for take in takes):
            return [self._languages[take.window] for take in takes]
        probabilities: list[dict[str, float]] = [{} for _ in takes]
        for indices in self._alike(takes):
            self._stop_if_asked()
            encoded = self.encode([takes[index] for index in indices])
            for index, shares in zip(indices, self.decoder.languages(encoded), strict=True):
                probabilities[index] = shares
        return probabilities

    def texts(
        self, takes: Sequence[Take], search: Search, on_texts: Callable[[Sequence[Take]], None] = lambda _: None
    ) -> list[WindowText]:
        """Decode takes in batches of similar length; word times count from the span's start.

        `on_texts` receives each finished batch.

        Raises:
            DecodingStopped: `should_stop` returned true.
        """
        decoded: list[WindowText | None] = [None] * len(takes)
        for indices in self._alike(takes, padded=search.padded):
            self._stop_if_asked()
            batch = [takes[index] for index in indices]
            encoded = self.decoder.encoded(self._sounds(batch), padded=True) if search.padded else self.encode(batch)
            languages = [take.language or self.language or ENGLISH for take in batch]
            for index, text in zip(indices, self.decoder.texts(encoded, languages, search), strict=True):
                take = takes[index]
                words = [held_to(place(word, take.window), take.speech) for word in text.words]
                decoded[index] = replace(text, words=tuple(no_longer_than_said(words)))
            on_texts(batch)
        return [text for text in decoded if text is not None]

    def forget(self, take: Take) -> None:
        self._encoded.pop(take.window, None)

    def _sounds(self, takes: Sequence[Take]) -> list[Samples]:
        return [one_level(take.window.samples(self.pcm)) for take in takes]

    def _alike(self, takes: Sequence[Take], *, padded: bool = False) -> list[list[int]]:
        """Return the indices of the takes in batches of similar length."""
        positions = [MOST_POSITIONS if padded else positions_of(take.window.length_s) for take in takes]
        cost = GPU_WEIGHTS_COST if self.decoder.on_gpu else WEIGHTS_COST
        return batches_of(positions, batch_size=self.batch_size, weights_cost=cost)

    def _stop_if_asked(self) -> None:
        if self.should_stop():
            raise DecodingStopped


def positions_of(length_s: float) -> int:
    """Return the encoder positions that a window of this length takes, padding included."""
    return min(MOST_POSITIONS, ceil((length_s + SILENCE_S) * POSITIONS_A_SECOND) + MORE_SILENT_STATES)


def inside(window: Window, speech: Sequence[Stretch]) -> list[Stretch]:
    """Return the detected speech inside a window's pieces, in seconds from the span's start."""
    return [
        Stretch(start_s=max(piece.start_s, stretch.start_s), end_s=min(piece.end_s, stretch.end_s))
        for piece in window.pieces
        for stretch in speech
        if stretch.start_s < piece.end_s and stretch.end_s > piece.start_s
    ]


def window_text(
    *, text: str, words: Sequence[Word], result: Any, temperature: float, language: str, limit: int
) -> WindowText:
    """Return a decoded window as one value; it could have `limit` tokens."""
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
        ended=length < limit,
    )


def _word(aligned: dict[str, Any]) -> Word:
    return Word(
        start_s=float(aligned["start"]),
        end_s=float(aligned["end"]),
        text=str(aligned["word"]),
        probability=round(float(aligned["probability"]), 4),
    )


def _in_batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
