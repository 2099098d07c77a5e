"""Hear one span: windows decoded together as a batch, words timed, doubtful windows heard once more.

Follows faster-whisper's batched pipeline (pinned; its internals are used) with three differences: silence inside a
window is squeezed by our own map, word times are held to the detected speech rather than to medians, and the checks
that the batched path leaves out (https://github.com/SYSTRAN/faster-whisper/issues/1179) are made afterwards.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from storage.records import Options, Rehearing, Segment, Stretch, Word
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.doubt import (
    NO_SPEECH,
    REPETITION,
    TOO_FAST,
    WEIGHTS,
    WindowText,
    better,
    compression_ratio,
    doubts,
    together,
)
from tasks.prompt import prompt_tokens
from tasks.windows import Window, narrower, pack, quietest_in

BEST_OF = 5
ANY_DOUBT = frozenset(WEIGHTS)
INVENTED = frozenset({REPETITION, NO_SPEECH, TOO_FAST})
SAFER = (
    (12.0, 0.0, ANY_DOUBT),
    (5.0, 0.0, ANY_DOUBT),
    (12.0, 0.2, INVENTED),
    (12.0, 0.4, INVENTED),
    (12.0, 0.8, INVENTED),
)
"""How a doubtful window is heard again, in this order: length of its parts in seconds, temperature, and the doubts for
which it helps. Narrower parts bring back what was dropped; chance breaks loops, and costs several times as much."""
TOKENS_PER_S = 9  # more than anybody speaks; bounds a loop
TOKENS_AT_LEAST = 40
SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")
SEGMENT_GAP_S = 0.8
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"
EARLY_S, LATE_S = 0.1, 0.2  # how far a word may reach out of the detected speech


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """One window and the detected speech in it, in seconds from the span's start."""

    window: Window
    speech: Sequence[Stretch]

    @property
    def speech_s(self) -> float:
        return sum(stretch.end_s - stretch.start_s for stretch in self.speech)


class Stopped(Exception):
    """The caller's flag was up: the span was left unfinished, on purpose."""


@dataclass(kw_only=True)
class Hearing:
    """One span's hearing by one model; made for one call, never shared between threads."""

    model: Any
    options: Options
    language: str
    batch_size: int
    should_stop: Callable[[], bool]
    on_progress: Callable[[float], None]

    def hear(self, pcm: Samples, speech: Sequence[Stretch]) -> tuple[tuple[Segment, ...], tuple[Rehearing, ...]]:
        """Return the span's segments and what was heard twice, in seconds from the span's start."""
        windows = pack(
            speech, duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest_in(pcm), window_s=self._window_s()
        )
        takes = [Take(window=window, speech=inside(window, speech)) for window in windows]
        segments: list[Segment] = []
        reheard: list[Rehearing] = []
        for first in range(0, len(takes), self.batch_size):
            batch = takes[first : first + self.batch_size]
            for take, text in zip(batch, self._decoded(batch, pcm, self.options.temperature), strict=True):
                kept, again = self._checked(take, text, pcm)
                reheard += again
                segments += segments_of(kept)
            self.on_progress(round(sum(take.speech_s for take in takes[: first + self.batch_size]), 3))
        return tuple(in_order(segments)), tuple(reheard)

    def _checked(self, take: Take, first: WindowText, pcm: Samples) -> tuple[WindowText, list[Rehearing]]:
        """Hear a doubtful window again, in narrower parts and with temperature fallback, and keep the better one."""
        why = doubts(first, take.window, take.speech)
        if not why:
            return first, []
        second = self._again(take, pcm)
        kept = better((first, why), (second, doubts(second, take.window, take.speech)))
        record = Rehearing(
            start_s=take.window.start_s,
            end_s=take.window.end_s,
            doubts=why,
            first_text=first.text,
            second_text=second.text,
            kept="second" if kept is second else "first",
        )
        return kept, [record]

    def _again(self, take: Take, pcm: Samples) -> WindowText:
        """Return the window heard in parts; a part that stays doubtful is heard in other ways, and the best kept."""
        parts = self._parts(take, SAFER[0][0], pcm)
        best: dict[int, tuple[WindowText, tuple[str, ...]]] = {}
        for length_s, temperature, helps in SAFER:
            open_parts = [
                index for index in range(len(parts)) if index not in best or helps.intersection(best[index][1])
            ]
            pieces = [self._parts(parts[index], length_s, pcm) for index in open_parts]
            texts = iter(self._in_batches([piece for some in pieces for piece in some], pcm, temperature))
            for index, some in zip(open_parts, pieces, strict=True):
                text = together(list(islice(texts, len(some))))
                found = (text, doubts(text, parts[index].window, parts[index].speech))
                best[index] = found if index not in best or better(best[index], found) is text else best[index]
        return together([best[index][0] for index in range(len(parts))])

    def _parts(self, take: Take, length_s: float, pcm: Samples) -> list[Take]:
        windows = narrower(take.window, length_s, quietest_in(pcm))
        return [Take(window=window, speech=inside(window, take.speech)) for window in windows]

    def _in_batches(self, takes: Sequence[Take], pcm: Samples, temperature: float) -> Iterator[WindowText]:
        for first in range(0, len(takes), self.batch_size):
            yield from self._decoded(takes[first : first + self.batch_size], pcm, temperature)

    def _decoded(self, takes: Sequence[Take], pcm: Samples, temperature: float) -> list[WindowText]:
        """Decode windows together; word times are seconds from the span's start."""
        self._stop_if_asked()
        sounds = [take.window.samples(pcm) for take in takes]
        tokenizer = self._tokenizer()
        encoded = self.model.encode(np.stack([self._features(sound) for sound in sounds]))
        prompt = self._prompt(tokenizer)
        results = self.model.model.generate(
            encoded,
            [list(prompt) for _ in sounds],
            max_length=self._max_length(len(prompt), sounds),
            suppress_blank=True,
            suppress_tokens=suppressed(tokenizer),
            return_scores=True,
            return_no_speech_prob=True,
            **self._search(temperature),
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        frames = [-(-len(sound) // self.model.feature_extractor.hop_length) for sound in sounds]
        timed = self._timed(tokenizer, tokens, encoded, frames)
        return [
            window_text(
                text=tokenizer.decode(found),
                words=[held_to(place(word, take.window), take.speech) for word in words],
                result=result,
                temperature=temperature,
            )
            for take, found, words, result in zip(takes, tokens, timed, results, strict=True)
        ]

    def _window_s(self) -> float:
        """Return the longest window that the model's own `preprocessor_config.json` lets it hear at once."""
        return float(self.model.feature_extractor.chunk_length)

    def _stop_if_asked(self) -> None:
        if self.should_stop():
            raise Stopped

    def _search(self, temperature: float) -> dict[str, Any]:
        """Return how to look for the best text: by beam, or, with a temperature, by the best of several samples."""
        if temperature == 0:
            return {"beam_size": self.options.beam_size}
        return {
            "beam_size": 1,
            "num_hypotheses": BEST_OF,
            "sampling_topk": 0,
            "sampling_temperature": temperature,
        }

    def _max_length(self, prompt_tokens: int, sounds: Sequence[Samples]) -> int:
        longest_s = max(len(sound) for sound in sounds) / SAMPLE_RATE_HZ
        return min(int(self.model.max_length), prompt_tokens + TOKENS_AT_LEAST + int(TOKENS_PER_S * longest_s))

    def _tokenizer(self) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(
            self.model.hf_tokenizer, self.model.model.is_multilingual, task=self.options.task, language=self.language
        )

    def _prompt(self, tokenizer: Any) -> list[int]:
        asked = self.options
        return prompt_tokens(self.model, tokenizer, prompt=asked.prompt, hotwords=asked.hotwords)

    def _features(self, sound: Samples) -> Samples:
        from faster_whisper.audio import pad_or_trim

        found: Samples = pad_or_trim(self.model.feature_extractor(sound)[..., :-1])
        return found

    def _timed(self, tokenizer: Any, tokens: list[list[int]], encoded: Any, frames: list[int]) -> list[list[Word]]:
        from faster_whisper.transcribe import merge_punctuations

        timed: list[list[Word]] = []
        for alignment in self.model.find_alignment(tokenizer, tokens, encoded, frames):
            merge_punctuations(alignment, PREPENDED, APPENDED)
            timed.append(
                [
                    Word(
                        start_s=float(found["start"]),
                        end_s=float(found["end"]),
                        text=str(found["word"]),
                        probability=round(float(found["probability"]), 4),
                    )
                    for found in alignment
                    if found["word"].strip()
                ]
            )
        return timed


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


def suppressed(tokenizer: Any) -> list[int]:
    """Return the tokens that never are speech."""
    from faster_whisper.transcribe import get_suppressed_tokens

    return list(get_suppressed_tokens(tokenizer, [-1]))


def inside(window: Window, speech: Sequence[Stretch]) -> list[Stretch]:
    """Return the detected speech inside a window's pieces, in seconds from the span's start."""
    return [
        Stretch(start_s=max(piece.start_s, stretch.start_s), end_s=min(piece.end_s, stretch.end_s))
        for piece in window.pieces
        for stretch in speech
        if stretch.start_s < piece.end_s and stretch.end_s > piece.start_s
    ]


def segments_of(heard: WindowText) -> Iterator[Segment]:
    """Yield what was heard in a window as sentences."""
    for sentence in sentences(heard.words):
        yield Segment(
            start_s=sentence[0].start_s,
            end_s=sentence[-1].end_s,
            text="".join(word.text for word in sentence).strip(),
            words=tuple(sentence),
            avg_logprob=round(heard.avg_logprob, 4),
            compression_ratio=round(heard.compression_ratio, 3),
            no_speech_prob=round(heard.no_speech_prob, 4),
            temperature=heard.temperature,
        )


def place(word: Word, window: Window) -> Word:
    """Return the word on the span's clock; both its ends lie in the piece that holds its middle."""
    piece = window.piece_at((word.start_s + word.end_s) / 2)
    start_s, end_s = window.to_span_s(word.start_s, piece), window.to_span_s(word.end_s, piece)
    return replace(word, start_s=round(start_s, 3), end_s=round(max(start_s, end_s), 3))


def held_to(word: Word, speech: Sequence[Stretch]) -> Word:
    """Return the word without the silence that its time reaches into."""
    touched = [stretch for stretch in speech if stretch.start_s < word.end_s and stretch.end_s > word.start_s]
    if not touched:
        return word
    start_s = max(word.start_s, touched[0].start_s - EARLY_S)
    return replace(word, start_s=round(start_s, 3), end_s=round(min(word.end_s, touched[-1].end_s + LATE_S), 3))


def sentences(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Yield runs of words that end at a full stop or at a pause."""
    held: list[Word] = []
    for word in words:
        if held and (held[-1].text.rstrip().endswith(SENTENCE_ENDS) or word.start_s - held[-1].end_s > SEGMENT_GAP_S):
            yield held
            held = []
        held.append(word)
    if held:
        yield held


def in_order(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Yield the segments with words that start no earlier than the one before, and end no earlier than they start."""
    latest_s = 0.0
    for segment in segments:
        words: list[Word] = []
        for word in segment.words:
            start_s = max(word.start_s, latest_s)
            words.append(replace(word, start_s=start_s, end_s=max(word.end_s, start_s)))
            latest_s = words[-1].end_s
        yield replace(segment, start_s=words[0].start_s, end_s=words[-1].end_s, words=tuple(words))
