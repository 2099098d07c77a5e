"""Hear doubtful windows once more with safer settings, at a bounded cost.

What seems invented is looked at without its echoes first, which costs nothing; where that alone would do, what lies
behind the first echo is heard for itself. Else the window is encoded again with silence up to the length that the model
was trained on, which ends most loops. What still seems invented is decoded with no three tokens twice, and what stays
doubtful is heard in narrower parts, which brings back what was dropped. Speech that still has no text is cut out and
heard by itself, then with what stands on both its sides. Where all that does not help, as in song, it is given up soon,
and the reason is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from storage.records import Rehearing, Stretch, Untranscribed, Word
from tasks.decode import SAMPLE_RATE_HZ
from tasks.decoding import Listener, Search, Take, inside
from tasks.doubt import (
    NO_SPEECH,
    NO_TEXT,
    REPETITION,
    TOO_FAST,
    Hearing,
    WindowText,
    better,
    doubts,
    together,
    unheard,
    weight,
)
from tasks.stitch import SAME_WORD_S
from tasks.untranscribed import Reason, sounds_like
from tasks.utterance_language import SURE, utterances
from tasks.windows import Quietest, Window, behind, narrower, on_grid, pack, quietest_in
from tasks.words import bare, loop_from, with_words, without_echoes

INVENTED = frozenset({REPETITION, NO_SPEECH, TOO_FAST})
PADDED = Search(padded=True)
NO_LOOPS = Search(no_repeat_tokens=3)
PART_WAYS = (Search(), PADDED, NO_LOOPS)
"""How a part is heard, in this order, until nothing about it seems invented or dropped; the same on every try."""
UNSURE_LOGPROB = -0.5  # a window of less is heard once more, and the surer hearing kept
PART_SHARE = 4  # a part is this share of what the model hears at once
WRONG = INVENTED | {NO_TEXT}
SHORTEST_PART_S = 5.0
PARTS_A_WINDOW = 2  # parts heard for each window of the span, at most
PATIENCE = 2  # windows in succession whose parts were of no help, before it is given up

LOOK_S = 0.3  # how far from a loop's begin a quiet moment is looked for
AROUND_S, LEAST_AROUND_S = 2.0, 1.0  # heard on each side of a gap
MOST_SURROUNDINGS = 4  # gaps of a span that are heard with what is around them
LEAST_SURE = 0.4  # mean probability of words that fill a gap
OTHER_LANGUAGE_SHARE = 0.8


def heard_again(
    takes: Sequence[Take],
    firsts: Sequence[Hearing],
    *,
    listener: Listener,
    quietest: Quietest,
    window_s: float,
) -> dict[int, Hearing]:
    """Return the second hearing of doubtful takes, by their number; `firsts` are all takes' first hearings."""
    doubtful = [index for index, (text, why) in enumerate(firsts) if why or unsure(text)]
    found: dict[int, Hearing] = {}
    for index in doubtful:
        text, take = without_echoes(firsts[index][0]), takes[index]
        if text is not firsts[index][0]:
            without = (text, doubts(text, take.window, take.speech))
            found[index] = beyond_loop(take, firsts[index], without, listener, quietest)

    def latest(index: int) -> Hearing:
        return found.get(index, firsts[index])

    def once_more(numbers: Sequence[int], search: Search) -> None:
        for index, again in zip(numbers, heard([takes[index] for index in numbers], search, listener), strict=True):
            found[index] = better(found[index], again) if index in found else again

    once_more([index for index in doubtful if latest(index)[1] or unsure(latest(index)[0])], PADDED)
    once_more(
        [index for index in doubtful if INVENTED.intersection(best_of(firsts[index], latest(index))[1])], NO_LOOPS
    )
    parts_left, patience = PARTS_A_WINDOW * len(takes), PATIENCE
    length_s = max(SHORTEST_PART_S, window_s / PART_SHARE)
    for index in sorted(doubtful, key=lambda index: -weight(latest(index)[1])):
        take, before = takes[index], best_of(firsts[index], latest(index))
        narrow = narrower(take.window, length_s, quietest)
        parts = [Take(window=part, speech=inside(part, take.speech), language=take.language) for part in narrow]
        if not WRONG.intersection(before[1]) or len(parts) == 1 or len(parts) > parts_left or not patience:
            continue
        parts_left -= len(parts)
        text = together([part[0] for part in heard_in_parts(parts, listener)])
        after = (text, doubts(text, take.window, take.speech))
        patience = PATIENCE if weight(after[1]) < weight(before[1]) else patience - 1
        found[index] = better(before, after) if index in found else after
    return dict(sorted(found.items()))


def unsure(text: WindowText) -> bool:
    """Return whether another hearing may well be surer."""
    return bool(text.text) and text.avg_logprob < UNSURE_LOGPROB


def best_of(first: Hearing, second: Hearing) -> Hearing:
    return first if first is second else better(first, second)


def beyond_loop(take: Take, looped: Hearing, without: Hearing, listener: Listener, quietest: Quietest) -> Hearing:
    """Return the hearing without echoes, with what lies behind the loop's begin heard for itself.

    A decoder in a loop goes on with what it said before, whatever is said then: its first words are no surer than
    the rest of it.
    """
    if REPETITION not in looped[1] or without[1] or (from_s := loop_from(looped[0], take.speech)) is None:
        return without
    at_s = quietest(max(0.0, from_s - LOOK_S), from_s + LOOK_S)
    window = behind(take.window, at_s)
    if window is None:
        return without
    rest = Take(window=window, speech=inside(window, take.speech), language=take.language)
    ((heard_behind, _),) = heard([rest], Search(), listener)
    listener.forget(rest)
    before = with_words(without[0], [word for word in without[0].words if word.start_s < at_s])
    text = together([before, heard_behind])
    found = (text, doubts(text, take.window, take.speech))
    return without if found[1] else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A span's texts with what was found in their gaps, what was heard for it, and what has no text for a reason."""

    texts: list[WindowText]
    reheard: tuple[Rehearing, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()


def gaps_filled(texts: Sequence[WindowText], takes: Sequence[Take], *, listener: Listener, window_s: float) -> Filled:
    """Hear speech that has no text by itself, at its own level and in its own language, until it has text or a reason.

    What gives no words alone is heard once more together with what is around it.
    """
    filled = Filled(texts=list(texts))
    if not takes:
        return filled
    for takes_of in (alone, with_surroundings):
        gaps = gaps_in(filled.texts, takes)
        if not gaps:
            return filled
        filled = _filled_with(filled, gaps, takes, takes_of(gaps, takes, listener, window_s), listener)
    return replace(filled, untranscribed=tuple(_with_reason(gap, listener) for gap in gaps_in(filled.texts, takes)))


def gaps_in(texts: Sequence[WindowText], takes: Sequence[Take]) -> list[Stretch]:
    """Return where somebody speaks for long and no word is: from the first speech to the last without one."""
    words = [word for text in texts for word in text.words]
    speech = [stretch for take in takes for stretch in take.speech]
    span = Stretch(start_s=takes[0].window.start_s, end_s=takes[-1].window.end_s)
    found = []
    for gap in unheard(sorted(words, key=lambda word: word.start_s), span, speech):
        spoken = inside(Window(pieces=(gap,)), speech)
        found.append(Stretch(start_s=spoken[0].start_s, end_s=spoken[-1].end_s))
    return found


def alone(gaps: Sequence[Stretch], takes: Sequence[Take], listener: Listener, window_s: float) -> list[Take]:
    """Return each gap as windows of its own, with no more sound around it than lies between it and the next words."""
    speech = [stretch for take in takes for stretch in take.speech]
    found: list[Take] = []
    for gap in gaps:
        own = inside(Window(pieces=(gap,)), speech)
        windows = pack(
            own, duration_s=len(listener.pcm) / SAMPLE_RATE_HZ, quietest=quietest_in(listener.pcm), window_s=window_s
        )
        found += [Take(window=window, speech=inside(window, own)) for window in windows]
    return in_own_languages(found, takes, listener)


def with_surroundings(
    gaps: Sequence[Stretch], takes: Sequence[Take], listener: Listener, window_s: float
) -> list[Take]:
    """Return each gap together with what stands on both its sides, where a window holds that."""
    speech = [stretch for take in takes for stretch in take.speech]
    span = Stretch(start_s=takes[0].window.start_s, end_s=takes[-1].window.end_s)
    found: list[Take] = []
    for gap in gaps:
        around_s = min(AROUND_S, (window_s - (gap.end_s - gap.start_s)) / 2)
        if around_s < LEAST_AROUND_S or _sound_of(gap, listener) is not Reason.NO_WORDS:
            continue
        start_s, end_s = max(span.start_s, gap.start_s - around_s), min(span.end_s, gap.end_s + around_s)
        window = Window(pieces=(Stretch(start_s=on_grid(start_s), end_s=on_grid(end_s)),))
        found.append(Take(window=window, speech=inside(window, speech), language=_language_at(gap, takes)))
    return found[:MOST_SURROUNDINGS]


def in_own_languages(gaps: list[Take], takes: Sequence[Take], listener: Listener) -> list[Take]:
    """Return the gaps in the languages that are surely spoken in them, else in those around them, if that is open."""
    if listener.language is not None or not gaps:
        return gaps
    found = []
    for each in utterances(gaps, listener):
        sure = max(each.shares.values(), default=0.0) >= SURE
        found.append(each.take if sure else replace(each.take, language=_language_at(each.take.window, takes)))
    return found


def _filled_with(
    filled: Filled, gaps: Sequence[Stretch], takes: Sequence[Take], tried: Sequence[Take], listener: Listener
) -> Filled:
    """Return the texts with the words that the takes gave inside the gaps."""
    texts, reheard = list(filled.texts), list(filled.reheard)
    words = [word for text in texts for word in text.words]
    for take, (text, why) in zip(tried, heard_in_parts(tried, listener), strict=True):
        own = [gap for gap in gaps if gap.start_s < take.window.end_s and gap.end_s > take.window.start_s]
        invented = INVENTED.intersection(why)
        missing = [] if invented else [word for gap in own for word in missing_in(gap, text.words, words)]
        start_s, end_s = take.window.start_s, take.window.end_s
        before = "".join(word.text for word in words if start_s <= word.start_s < end_s).strip()
        if missing:
            words += missing
            at = max((i for i, each in enumerate(takes) if each.window.start_s <= own[0].start_s), default=0)
            both = sorted((*texts[at].words, *missing), key=lambda word: word.start_s)
            texts[at] = with_words(texts[at], both)
        reheard.append(
            Rehearing(
                start_s=start_s,
                end_s=end_s,
                doubts=(NO_TEXT,),
                first_text=before,
                second_text=text.text,
                kept="second" if missing else "first",
            )
        )
    return replace(filled, texts=texts, reheard=tuple(reheard))


def _with_reason(gap: Stretch, listener: Listener) -> Untranscribed:
    """Return why the gap has no text."""
    reason = _sound_of(gap, listener)
    if reason is Reason.NO_WORDS and listener.language is not None and listener.decoder.multilingual:
        take = Take(window=_window_of(gap), speech=(gap,))
        if take.window.length_s <= listener.decoder.window_s:
            (shares,) = listener.languages([take])
            listener.forget(take)
            name, share = max(shares.items(), key=lambda pair: pair[1])
            reason = Reason.OTHER_LANGUAGE if name != listener.language and share >= OTHER_LANGUAGE_SHARE else reason
    return Untranscribed(start_s=round(gap.start_s, 3), end_s=round(gap.end_s, 3), reason=reason)


def _sound_of(gap: Stretch, listener: Listener) -> Reason:
    return sounds_like(_window_of(gap).samples(listener.pcm))


def _window_of(gap: Stretch) -> Window:
    return Window(pieces=(Stretch(start_s=on_grid(gap.start_s), end_s=on_grid(gap.end_s)),))


def _language_at(gap: Stretch | Window, takes: Sequence[Take]) -> str | None:
    """Return the language of what is heard around a gap."""
    return max(
        (take for take in takes if take.window.start_s <= gap.end_s), key=lambda take: take.window.end_s
    ).language


def missing_in(gap: Stretch, heard: Sequence[Word], known: Sequence[Word]) -> list[Word]:
    """Return the words of a new hearing that lie in the gap and are not what is known beside it."""
    found = [
        word
        for word in heard
        if gap.start_s < (word.start_s + word.end_s) / 2 < gap.end_s
        and not any(abs(word.start_s - other.start_s) <= SAME_WORD_S and bare(word) == bare(other) for other in known)
    ]
    sure = sum(word.probability for word in found) >= LEAST_SURE * len(found)
    return found if sure else []


def heard_in_parts(parts: Sequence[Take], listener: Listener) -> list[Hearing]:
    """Return the best hearing of each part."""
    best: list[Hearing] = heard(parts, PART_WAYS[0], listener)
    for way in PART_WAYS[1:]:
        still = [index for index, (_, why) in enumerate(best) if WRONG.intersection(why)]
        for index, again in zip(still, heard([parts[index] for index in still], way, listener), strict=True):
            best[index] = better(best[index], again)
    for part in parts:
        listener.forget(part)
    return best


def heard(takes: Sequence[Take], search: Search, listener: Listener) -> list[Hearing]:
    """Return what each take gives this way, and what is doubtful about it."""
    return [
        (text, doubts(text, take.window, take.speech))
        for take, text in zip(takes, listener.texts(takes, search), strict=True)
    ]
