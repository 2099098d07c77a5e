"""Find the language of each utterance: asked of the encoded window, smoothed over its neighbours.

The model's answer for a window is reliable where there is enough speech in it; a short one follows its neighbours
unless it is very sure. Windows beside a change of language are asked part by part, because what a pause of less than a
second parts may be two people who speak two languages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log

from storage.records import LanguageGuess, LanguageMismatch, Stretch
from tasks.decoding import Listener, Take, inside
from tasks.windows import Window, on_grid

Shares = dict[str, float]

SWITCH_COST = 1.1  # of a change of language, as a natural logarithm of probabilities; there and back costs twice
FULL_WEIGHT_S = 3.0  # an utterance of less speech counts in proportion
LEAST_SHARE = 1e-4
CANDIDATE_SHARE = 0.2
SURE = 0.95  # a window whose language is less probable than this may hold two
PART_PAUSE_S = 0.25  # a change of language is looked for at pauses of at least so long
SHORTEST_PART_S = 1.0
MISMATCH_SHARE, MISMATCH_S = 0.9, 3.0
CANDIDATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A take and the probability of each language in it."""

    take: Take
    shares: Shares


def utterances(takes: Sequence[Take], listener: Listener) -> list[Utterance]:
    """Return the takes with their languages' probabilities, each to be decoded in its own language.

    A take that holds two languages is parted between them.
    """
    asked = [Utterance(take=take, shares=shares) for take, shares in zip(takes, listener.languages(takes), strict=True)]
    languages = smoothed(asked)
    if len(set(languages)) > 1:
        asked = _parted_at_changes(asked, languages, listener)
        languages = smoothed(asked)
    return [
        replace(each, take=replace(each.take, language=language))
        for each, language in zip(asked, languages, strict=True)
    ]


def smoothed(asked: Sequence[Utterance]) -> list[str]:
    """Return the likeliest sequence of languages, of which every change has its cost (Viterbi)."""
    candidates = sorted({name for each in asked for name, share in each.shares.items() if share >= CANDIDATE_SHARE})
    if len(candidates) < 2:
        return [candidates[0] if candidates else "en"] * len(asked)
    costs = dict.fromkeys(candidates, 0.0)
    before: list[dict[str, str]] = []
    for each in asked:
        weight = min(1.0, each.take.speech_s / FULL_WEIGHT_S)
        cheapest = min(candidates, key=lambda name: (costs[name], name))
        origin = {name: name if costs[name] <= costs[cheapest] + SWITCH_COST else cheapest for name in candidates}
        costs = {
            name: costs[origin[name]]
            + SWITCH_COST * (origin[name] != name)
            - weight * log(max(each.shares.get(name, 0.0), LEAST_SHARE))
            for name in candidates
        }
        before.append(origin)
    found = [min(candidates, key=lambda name: (costs[name], name))]
    for origin in reversed(before[1:]):
        found.append(origin[found[-1]])
    return found[::-1]


def together(asked: Sequence[Utterance]) -> tuple[LanguageGuess, ...]:
    """Return the mean probability of each language, weighted by seconds of speech; the likeliest ones, best first."""
    total_s = sum(each.take.speech_s for each in asked)
    means: Shares = {}
    for each in asked:
        for name, share in each.shares.items():
            means[name] = means.get(name, 0.0) + share * each.take.speech_s / total_s
    best = sorted(means.items(), key=lambda pair: -pair[1])[:CANDIDATES]
    return tuple(LanguageGuess(language=name, probability=round(min(share, 1.0), 4)) for name, share in best)


def mismatches(asked: Sequence[Utterance], language: str) -> tuple[LanguageMismatch, ...]:
    """Return the utterances that surely sound like another language than the one that was given."""
    found = []
    for each in asked:
        name, share = max(each.shares.items(), key=lambda pair: pair[1], default=(language, 0.0))
        if name != language and share >= MISMATCH_SHARE and each.take.speech_s >= MISMATCH_S:
            window = each.take.window
            found.append(
                LanguageMismatch(
                    start_s=window.start_s, end_s=window.end_s, language=name, probability=round(min(share, 1.0), 4)
                )
            )
    return tuple(found)


def _parted_at_changes(asked: Sequence[Utterance], languages: Sequence[str], listener: Listener) -> list[Utterance]:
    """Return the utterances, of which those beside a change or in doubt are parted if their parts differ."""
    found: list[Utterance] = []
    for index, each in enumerate(asked):
        beside = languages[max(0, index - 1) : index + 2]
        alike = len(set(beside)) == 1 and max(each.shares.values()) >= SURE
        parts = [] if alike else parts_of(each.take)
        if len(parts) < 2:
            found.append(each)
            continue
        own = [
            Utterance(take=part, shares=shares) for part, shares in zip(parts, listener.languages(parts), strict=True)
        ]
        named = smoothed([*found[-1:], *own, *asked[index + 1 : index + 2]])[len(found[-1:]) :][: len(own)]
        groups = _grouped(own, named, listener)
        found += groups if len(groups) > 1 else [each]
        for part in parts:
            if all(part.window != kept.take.window for kept in groups):
                listener.forget(part)
    return found


def _grouped(own: Sequence[Utterance], named: Sequence[str], listener: Listener) -> list[Utterance]:
    """Return neighbours of one language as one utterance each."""
    takes: list[Take] = []
    for each, language in zip(own, named, strict=True):
        if takes and takes[-1].language == language:
            window = Window(pieces=(*takes[-1].window.pieces, *each.take.window.pieces))
            takes[-1] = Take(window=window, speech=(*takes[-1].speech, *each.take.speech), language=language)
        else:
            takes.append(replace(each.take, language=language))
    return [Utterance(take=take, shares=shares) for take, shares in zip(takes, listener.languages(takes), strict=True)]


def parts_of(take: Take) -> list[Take]:
    """Return the take parted at its pauses, each part with at least a second of speech."""
    parts: list[list[Stretch]] = []
    for stretch in take.speech:
        apart = parts and stretch.start_s - parts[-1][-1].end_s >= PART_PAUSE_S
        if not parts or (apart and _length_s(parts[-1]) >= SHORTEST_PART_S):
            parts.append([stretch])
        else:
            parts[-1].append(stretch)
    if len(parts) > 1 and _length_s(parts[-1]) < SHORTEST_PART_S:
        last = parts.pop()
        parts[-1] += last
    bounds = [take.window.start_s]
    bounds += [on_grid((left[-1].end_s + right[0].start_s) / 2) for left, right in pairwise(parts)]
    bounds.append(take.window.end_s)
    return [
        Take(window=window, speech=inside(window, take.speech))
        for start_s, end_s in pairwise(bounds)
        if (window := between(take.window, start_s, end_s)) is not None
    ]


def between(window: Window, start_s: float, end_s: float) -> Window | None:
    """Return what of the window lies between two moments."""
    pieces = tuple(
        Stretch(start_s=max(piece.start_s, start_s), end_s=min(piece.end_s, end_s))
        for piece in window.pieces
        if piece.end_s > start_s and piece.start_s < end_s
    )
    return Window(pieces=pieces) if pieces else None


def _length_s(speech: Sequence[Stretch]) -> float:
    return sum(stretch.end_s - stretch.start_s for stretch in speech)
