"""Hear doubtful windows once more with safer settings, at a bounded cost.

First as a whole, from what the encoder gave already, with no three tokens twice: that ends most loops for the price
of decoding alone. What stays doubtful is heard in narrower parts, which brings back what was dropped; each part costs
as much encoding as a whole window. Where that does not help, as in song or in a language that the model does not
know, it is given up soon.
"""

from collections.abc import Sequence

from tasks.decoding import Listener, Search, Take, inside
from tasks.doubt import NO_SPEECH, REPETITION, TOO_FAST, Hearing, better, doubts, together, weight
from tasks.windows import Quietest, narrower

INVENTED = frozenset({REPETITION, NO_SPEECH, TOO_FAST})
NO_LOOPS = Search(no_repeat_tokens=3)
PART_WAYS = (Search(), NO_LOOPS, Search(temperature=0.6))
"""How a part is heard, in this order, until nothing about it seems invented."""
PART_SHARE = 4  # a part is this share of what the model hears at once
SHORTEST_PART_S = 5.0
PARTS_A_WINDOW = 2  # parts heard for each window of the span, at most
PATIENCE = 2  # windows in succession whose parts were of no help, before it is given up


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
    looping = [index for index in doubtful if INVENTED.intersection(firsts[index][1])]
    found = dict(zip(looping, heard([takes[index] for index in looping], NO_LOOPS, listener), strict=True))
    parts_left, patience = PARTS_A_WINDOW * len(takes), PATIENCE
    length_s = max(SHORTEST_PART_S, window_s / PART_SHARE)
    for index in sorted(doubtful, key=lambda index: -weight(found.get(index, firsts[index])[1])):
        take, before = takes[index], found.get(index, firsts[index])
        parts = [
            Take(window=part, speech=inside(part, take.speech)) for part in narrower(take.window, length_s, quietest)
        ]
        if not before[1] or len(parts) == 1 or len(parts) > parts_left or not patience:
            continue
        parts_left -= len(parts)
        text = together([part[0] for part in heard_in_parts(parts, listener)])
        after = (text, doubts(text, take.window, take.speech))
        patience = PATIENCE if weight(after[1]) < weight(before[1]) else patience - 1
        found[index] = after if index not in found or better(before, after) is text else before
    return dict(sorted(found.items()))


def heard_in_parts(parts: Sequence[Take], listener: Listener) -> list[Hearing]:
    """Return the best hearing of each part."""
    best: list[Hearing] = heard(parts, PART_WAYS[0], listener)
    for way in PART_WAYS[1:]:
        still = [index for index, (_, why) in enumerate(best) if INVENTED.intersection(why)]
        for index, again in zip(still, heard([parts[index] for index in still], way, listener), strict=True):
            best[index] = again if better(best[index], again) is again[0] else best[index]
    for part in parts:
        listener.forget(part)
    return best


def heard(takes: Sequence[Take], search: Search, listener: Listener) -> list[Hearing]:
    """Return what each take gives this way, and what is doubtful about it."""
    return [
        (text, doubts(text, take.window, take.speech))
        for take, text in zip(takes, listener.texts(takes, search), strict=True)
    ]
