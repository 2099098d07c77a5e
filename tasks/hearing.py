"""Hear one span: its windows decoded together, words timed, doubtful windows heard once more.

Follows faster-whisper's batched pipeline with three differences: silence inside a window is squeezed by our own map,
word times are held to the detected speech rather than to medians, and the checks that the batched path leaves out
(https://github.com/SYSTRAN/faster-whisper/issues/1179) are made afterwards.
"""

from collections.abc import Callable, Sequence

from storage.records import Rehearing, Segment, Stretch
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.decoding import Decoder, Listener, Search, Stopped, Take, inside
from tasks.doubt import Hearing, better, doubts
from tasks.rehearing import gaps_filled, heard_again
from tasks.windows import pack, quietest_in
from tasks.words import in_order, segments_of

__all__ = ["Stopped", "hear_windows"]


def hear_windows(
    pcm: Samples,
    speech: Sequence[Stretch],
    *,
    decoder: Decoder,
    batch_size: int,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> tuple[tuple[Segment, ...], tuple[Rehearing, ...]]:
    """Return a span's segments and what was heard twice, in seconds from the span's start.

    Raises:
        Stopped: `should_stop` said so.
    """
    quietest = quietest_in(pcm)
    windows = pack(speech, duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest, window_s=decoder.window_s)
    takes = [Take(window=window, speech=inside(window, speech)) for window in windows]
    listener = Listener(decoder=decoder, pcm=pcm, batch_size=batch_size, should_stop=should_stop)
    firsts: list[Hearing] = []
    search = Search(temperature=decoder.options.temperature)
    for first in range(0, len(takes), batch_size):
        batch = takes[first : first + batch_size]
        for take, text in zip(batch, listener.texts(batch, search), strict=True):
            why = doubts(text, take.window, take.speech)
            firsts.append((text, why))
            if not why:
                listener.forget(take)
        on_progress(round(sum(take.speech_s for take in takes[: first + batch_size]), 3))
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
    kept, fills = gaps_filled(kept, takes, listener=listener, window_s=decoder.window_s)
    reheard = sorted((*reheard, *fills), key=lambda each: each.start_s)
    return tuple(in_order([segment for text in kept for segment in segments_of(text)])), tuple(reheard)
