"""Hear doubtful windows once more with safer settings, at a bounded cost.

What seems invented is looked at without its echoes first, which costs nothing; where that alone would do, what lies
behind the first echo is heard for itself. Else it is heard as a whole from what the encoder gave already, with no three
tokens twice: that ends most loops for the price of decoding alone. What stays doubtful is heard in narrower parts,
which brings back what was dropped; each part costs as much encoding as a window. Speech that still has no text, because
a window or a part began in the middle of a sentence, say, is heard with what stands on both its sides. Where all that
does not help, as in song or in a language that the model does not know, it is given up soon.
"""

from collections.abc import Sequence

from storage.records import Rehearing, Stretch, Word
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
from tasks.windows import Quietest, Window, behind, narrower
from tasks.words import bare, loop_from, with_words, without_echoes

INVENTED = frozenset({REPETITION, NO_SPEECH, TOO_FAST})
NO_LOOPS = Search(no_repeat_tokens=3)
PART_WAYS = (Search(), NO_LOOPS, Search(temperature=0.6))
"""How a part is heard, in this order, until nothing about it seems invented or dropped."""
PART_SHARE = 4  # a part is this share of what the model hears at once
WRONG = INVENTED | {NO_TEXT}
SHORTEST_PART_S = 5.0
PARTS_A_WINDOW = 2  # parts heard for each window of the span, at most
PATIENCE = 2  # windows in succession whose parts were of no help, before it is given up

LOOK_S = 0.3  # how far from a loop's begin a quiet moment is looked for
AROUND_S, LEAST_AROUND_S = 2.0, 1.0  # heard on each side of a gap
LEAST_SURE = 0.5  # mean probability of words that fill a gap


def heard_again(
    takes: Sequence[Take],
    firsts: Sequence[Hearing],
    *,
    listener: Listener,
    quietest: Quietest,
    window_s: float,
) -> dict[int, Hearing]:
    """Return the second hearing of doubtful takes, by their number; `firsts` are all takes' first hearings."""
    doubtful = [index for index, (_, why) in enumerate(firsts) if why]
    found: dict[int, Hearing] = {}
    for index in doubtful:
        text, take = without_echoes(firsts[index][0]), takes[index]
        if text is not firsts[index][0]:
            without = (text, doubts(text, take.window, take.speech))
            found[index] = beyond_loop(take, firsts[index], without, listener, quietest)
    looping = [index for index in doubtful if INVENTED.intersection(found.get(index, firsts[index])[1])]
    for index, again in zip(looping, heard([takes[index] for index in looping], NO_LOOPS, listener), strict=True):
        found[index] = better(found[index], again) if index in found else again
    parts_left, patience = PARTS_A_WINDOW * len(takes), PATIENCE
    length_s = max(SHORTEST_PART_S, window_s / PART_SHARE)
    for index in sorted(doubtful, key=lambda index: -weight(found.get(index, firsts[index])[1])):
        take, before = takes[index], found.get(index, firsts[index])
        narrow = narrower(take.window, length_s, quietest)
        parts = [Take(window=part, speech=inside(part, take.speech)) for part in narrow]
        if not before[1] or len(parts) == 1 or len(parts) > parts_left or not patience:
            continue
        parts_left -= len(parts)
        text = together([part[0] for part in heard_in_parts(parts, listener)])
        after = (text, doubts(text, take.window, take.speech))
        patience = PATIENCE if weight(after[1]) < weight(before[1]) else patience - 1
        found[index] = better(before, after) if index in found else after
    return dict(sorted(found.items()))


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
    rest = Take(window=window, speech=inside(window, take.speech))
    ((heard_behind, _),) = heard([rest], Search(), listener)
    listener.forget(rest)
    before = with_words(without[0], [word for word in without[0].words if word.start_s < at_s])
    text = together([before, heard_behind])
    found = (text, doubts(text, take.window, take.speech))
    return without if found[1] else found


def gaps_filled(
    texts: Sequence[WindowText], takes: Sequence[Take], *, listener: Listener, window_s: float
) -> tuple[list[WindowText], list[Rehearing]]:
    """Hear speech that has no text together with what is around it.

    Returns:
        `texts` with the words that were found in the gaps, and what was heard for it.
    """
    filled, patience = list(texts), PATIENCE
    found: list[Rehearing] = []
    words = [word for text in texts for word in text.words]
    speech = [stretch for take in takes for stretch in take.speech]
    if not takes:
        return filled, found
    span = Stretch(start_s=takes[0].window.start_s, end_s=takes[-1].window.end_s)
    for gap in unheard(words, span, speech):
        around_s = min(AROUND_S, (window_s - (gap.end_s - gap.start_s)) / 2)
        if around_s < LEAST_AROUND_S or not patience:
            continue
        wide = Stretch(start_s=max(span.start_s, gap.start_s - around_s), end_s=min(span.end_s, gap.end_s + around_s))
        window = Window(pieces=(wide,))
        take = Take(window=window, speech=inside(window, speech))
        ((text, why),) = heard_in_parts([take], listener)
        missing = [] if set(why) - {NO_TEXT} else missing_in(gap, text.words, words)
        patience = PATIENCE if missing else patience - 1
        if missing:
            at = max(index for index, each in enumerate(takes) if each.window.start_s <= gap.start_s)
            both = sorted((*filled[at].words, *missing), key=lambda word: word.start_s)
            filled[at] = with_words(filled[at], both)
        found.append(
            Rehearing(
                start_s=wide.start_s,
                end_s=wide.end_s,
                doubts=(NO_TEXT,),
                first_text="".join(word.text for word in words if wide.start_s <= word.start_s < wide.end_s).strip(),
                second_text=text.text,
                kept="second" if missing else "first",
            )
        )
    return filled, found


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
