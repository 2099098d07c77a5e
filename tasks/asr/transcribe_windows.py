"""Transcribe one span: encode windows, detect languages, decode, time words, redecode doubtful windows.

Follows faster-whisper's batched pipeline, with four differences. Windows are utterances, as long as what is said.
Silence inside a window is removed by our own time map. Word times are bounded by detected speech, not by medians. The
checks that the batched path omits (https://github.com/SYSTRAN/faster-whisper/issues/1179) run afterwards.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from storage.domain.records import LanguageGuess, LanguageMismatch, Redecoding, Segment, Stretch, Untranscribed
from tasks.asr.confidence import better
from tasks.asr.redecode import candidate_of, fill_gaps, redecode_doubtful, sure_texts
from tasks.asr.sound_repeats import repeated_in_sound
from tasks.asr.utterance_language import mismatched_as_a_whole, mismatches, together, utterances
from tasks.asr.whisper_decode import Decoder, Search, SpanDecoder, Take, inside
from tasks.asr.word_timing import in_order, segments_of
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.windows import Quietest, pack, quietest_in


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanText:
    """The text of a span; times are seconds from its start."""

    segments: tuple[Segment, ...] = ()
    reheard: tuple[Redecoding, ...] = ()
    languages: tuple[LanguageGuess, ...] = ()
    mismatches: tuple[LanguageMismatch, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()
    repeats: tuple[Stretch, ...] = ()

    @property
    def language(self) -> str | None:
        """The likeliest language, or that of the first segment."""
        if self.languages:
            return self.languages[0].language
        return self.segments[0].language if self.segments else None


def transcribe_windows(
    pcm: Samples,
    speech: Sequence[Stretch],
    maybe: Sequence[Stretch] = (),
    *,
    decoder: Decoder,
    language: str | None,
    batch_size: int,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> SpanText:
    """Return the text of a span, in the given language or in each utterance's own.

    What `maybe` is speech is decoded last, and only sure words of it are kept.

    Raises:
        DecodingStopped: `should_stop` returned true.
    """
    quietest = quietest_in(pcm)
    takes = takes_of(pcm, speech, quietest=quietest, window_s=decoder.window_s)
    done_s = 0.0

    def on_texts(batch: Sequence[Take]) -> None:
        nonlocal done_s
        done_s += sum(take.speech_s for take in batch)
        on_progress(round(done_s, 3))

    span_decoder = SpanDecoder(
        decoder=decoder, pcm=pcm, batch_size=batch_size, should_stop=should_stop, language=language
    )
    asks_languages = decoder.multilingual and bool(takes)
    detected = utterances(takes, span_decoder) if asks_languages and language is None else []
    takes = [each.take for each in detected] or takes
    with span_decoder.detecting(takes) if asks_languages and language else nullcontext():
        first_texts = span_decoder.texts(takes, Search(temperature=decoder.options.temperature), on_texts)
    if asks_languages and language:
        detected = utterances(takes, span_decoder)
    first_passes = [candidate_of(text, take, pcm) for take, text in zip(takes, first_texts, strict=True)]
    second_passes = redecode_doubtful(
        takes, first_passes, span_decoder=span_decoder, quietest=quietest, window_s=decoder.window_s
    )
    texts, reheard = [text for text, _ in first_passes], []
    for index, second_pass in second_passes.items():
        take, (first_pass, reasons) = takes[index], first_passes[index]
        texts[index], _ = better(first_passes[index], second_pass)
        reheard.append(
            Redecoding(
                start_s=take.window.start_s,
                end_s=take.window.end_s,
                doubts=reasons,
                first_text=first_pass.text,
                second_text=second_pass[0].text,
                kept="second" if texts[index] is second_pass[0] else "first",
            )
        )
    filled = fill_gaps(texts, takes, span_decoder=span_decoder, window_s=decoder.window_s)
    texts = [*filled.texts, *sure_texts(maybe, takes, span_decoder=span_decoder, window_s=decoder.window_s)]
    texts.sort(key=lambda text: text.words[0].start_s if text.words else 0.0)
    segments = tuple(in_order([segment for text in texts for segment in segments_of(text)]))
    return SpanText(
        segments=segments,
        reheard=tuple(sorted((*reheard, *filled.reheard), key=lambda each: each.start_s)),
        languages=together(detected) if detected else (),
        mismatches=mismatches(detected, language) if language else (),
        untranscribed=filled.untranscribed,
        repeats=tuple(repeated_in_sound([word for segment in segments for word in segment.words], pcm)),
    )


def takes_of(pcm: Samples, speech: Sequence[Stretch], *, quietest: Quietest, window_s: float) -> list[Take]:
    """Return the windows to decode, each with the speech in it."""
    windows = pack(speech, duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest, window_s=window_s)
    return [Take(window=window, speech=inside(window, speech)) for window in windows]


def language_mismatches(
    pcm: Samples,
    speech: Sequence[Stretch],
    language: str,
    *,
    decoder: Decoder,
    batch_size: int,
    should_stop: Callable[[], bool],
) -> tuple[LanguageMismatch, ...]:
    """Return the utterances that clearly sound like another language, without decoding them.

    Raises:
        DecodingStopped: `should_stop` returned true.
    """
    takes = takes_of(pcm, speech, quietest=quietest_in(pcm), window_s=decoder.window_s)
    span_decoder = SpanDecoder(
        decoder=decoder, pcm=pcm, batch_size=batch_size, should_stop=should_stop, language=language
    )
    detected = utterances(takes, span_decoder) if takes else []
    return mismatches(detected, language) or mismatched_as_a_whole(detected, language)
