"""Hear one span: its windows encoded, their languages found, decoded together, words timed, doubtful ones heard again.

Follows faster-whisper's batched pipeline with four differences: windows are utterances and as long as these, silence
inside a window is squeezed by our own map, word times are held to the detected speech rather than to medians, and the
checks that the batched path leaves out (https://github.com/SYSTRAN/faster-whisper/issues/1179) are made afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.records import LanguageGuess, LanguageMismatch, Rehearing, Segment, Stretch, Untranscribed
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.decoding import Decoder, Listener, Search, Stopped, Take, inside
from tasks.doubt import Hearing, better, doubts
from tasks.rehearing import gaps_filled, heard_again
from tasks.utterance_language import mismatches, together, utterances
from tasks.windows import pack, quietest_in
from tasks.words import in_order, segments_of

__all__ = ["Stopped", "hear_windows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanText:
    """What was heard in a span, in seconds from its start."""

    segments: tuple[Segment, ...] = ()
    reheard: tuple[Rehearing, ...] = ()
    languages: tuple[LanguageGuess, ...] = ()
    mismatches: tuple[LanguageMismatch, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()


def hear_windows(
    pcm: Samples,
    speech: Sequence[Stretch],
    *,
    decoder: Decoder,
    language: str | None,
    batch_size: int,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> SpanText:
    """Return what is said in a span, in the language that is given, or each utterance in its own.

    Raises:
        Stopped: `should_stop` said so.
    """
    quietest = quietest_in(pcm)
    windows = pack(speech, duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest, window_s=decoder.window_s)
    takes = [Take(window=window, speech=inside(window, speech)) for window in windows]
    done_s = 0.0

    def on_texts(batch: Sequence[Take]) -> None:
        nonlocal done_s
        done_s += sum(take.speech_s for take in batch)
        on_progress(round(done_s, 3))

    listener = Listener(decoder=decoder, pcm=pcm, batch_size=batch_size, should_stop=should_stop, language=language)
    asked = utterances(takes, listener) if decoder.multilingual and takes else []
    if asked and language is None:
        takes = [each.take for each in asked]
    texts = listener.texts(takes, Search(temperature=decoder.options.temperature), on_texts)
    firsts: list[Hearing] = [
        (text, doubts(text, take.window, take.speech)) for take, text in zip(takes, texts, strict=True)
    ]
    seconds = heard_again(takes, firsts, listener=listener, quietest=quietest, window_s=decoder.window_s)
    kept, reheard = [text for text, _ in firsts], []
    for index, second in seconds.items():
        take, (first_text, why) = takes[index], firsts[index]
        kept[index], _ = better(firsts[index], second)
        reheard.append(
            Rehearing(
                start_s=take.window.start_s,
                end_s=take.window.end_s,
                doubts=why,
                first_text=first_text.text,
                second_text=second[0].text,
                kept="second" if kept[index] is second[0] else "first",
            )
        )
    filled = gaps_filled(kept, takes, listener=listener, window_s=decoder.window_s)
    return SpanText(
        segments=tuple(in_order([segment for text in filled.texts for segment in segments_of(text)])),
        reheard=tuple(sorted((*reheard, *filled.reheard), key=lambda each: each.start_s)),
        languages=together(asked) if asked else (),
        mismatches=mismatches(asked, language) if language else (),
        untranscribed=filled.untranscribed,
    )
