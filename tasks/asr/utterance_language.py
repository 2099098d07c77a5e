"""Detect the language of each utterance from its encoded window, smoothed over neighbours.

The model's answer is reliable where a window holds enough speech; a short one follows its neighbours unless it is very
certain. Windows next to a change of language are examined in parts, because a pause of less than a second may separate
two people who speak two languages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log

from storage.domain.records import LanguageGuess, LanguageMismatch, Stretch
from tasks.asr.whisper_decode import SpanDecoder, Take, inside
from tasks.audio.windows import Window, on_grid

Shares = dict[str, float]

SWITCH_COST = 1.1  # of a change of language, in natural log probabilities; there and back costs twice
STRANGER_COST = 1.5  # of a language without a majority that nobody in the span clearly speaks
MAJORITY, CLEAR = 0.5, 0.8
FULL_WEIGHT_S = 3.0  # an utterance with less speech counts in proportion
LEAST_SHARE = 1e-4
CANDIDATE_SHARE = 0.2
SURE = 0.95  # a window whose language is less probable may hold two
PART_PAUSE_S = 0.25  # the shortest pause at which a change of language is looked for
SHORTEST_PART_S = 1.0
MISMATCH_SHARE, MISMATCH_S = 0.9, 3.0
OTHER_SHARE, OWN_SHARE, WHOLE_S = 0.6, 0.1, 1.5  # of another language and of the given one, in all speech together
CANDIDATES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """A take and the probability of each language in it."""

    take: Take
    shares: Shares


def utterances(takes: Sequence[Take], span_decoder: SpanDecoder) -> list[Utterance]:
    """Return the takes with language probabilities, each set to its own language.

    A take that holds two languages is divided between them.
    """
    detected = [
        Utterance(take=take, shares=shares) for take, shares in zip(takes, span_decoder.languages(takes), strict=True)
    ]
    languages = smoothed(detected)
    if len(set(languages)) > 1:
        detected = _parted_at_changes(detected, languages, span_decoder)
        languages = smoothed(detected)
    return [
        replace(utterance, take=replace(utterance.take, language=language))
        for utterance, language in zip(detected, languages, strict=True)
    ]


def smoothed(detected: Sequence[Utterance]) -> list[str]:
    """Return the likeliest sequence of languages, with a cost for every change (Viterbi)."""
    candidates = sorted(
        {name for utterance in detected for name, share in utterance.shares.items() if share >= CANDIDATE_SHARE}
    )
    if len(candidates) < 2:
        return [candidates[0] if candidates else "en"] * len(detected)
    spoken = {name for utterance in detected for name, share in utterance.shares.items() if share >= CLEAR}
    costs = dict.fromkeys(candidates, 0.0)
    history: list[dict[str, str]] = []
    for utterance in detected:
        weight = min(1.0, utterance.take.speech_s / FULL_WEIGHT_S)
        cheapest = min(candidates, key=lambda name: (costs[name], name))
        previous = {name: name if costs[name] <= costs[cheapest] + SWITCH_COST else cheapest for name in candidates}
        costs = {
            name: costs[previous[name]]
            + SWITCH_COST * (previous[name] != name)
            + weight * _doubt(name, utterance.shares.get(name, 0.0), spoken)
            for name in candidates
        }
        history.append(previous)
    path = [min(candidates, key=lambda name: (costs[name], name))]
    for previous in reversed(history[1:]):
        path.append(previous[path[-1]])
    return path[::-1]


def _doubt(name: str, share: float, spoken: set[str]) -> float:
    """Return the cost of a language for an utterance, in natural log probabilities."""
    is_stranger = bool(spoken) and name not in spoken and share < MAJORITY
    return STRANGER_COST * is_stranger - log(max(share, LEAST_SHARE))


def together(detected: Sequence[Utterance]) -> tuple[LanguageGuess, ...]:
    """Return the likeliest languages, averaged over utterances by seconds of speech."""
    total_s = sum(utterance.take.speech_s for utterance in detected)
    means: Shares = {}
    for utterance in detected:
        for name, share in utterance.shares.items():
            means[name] = means.get(name, 0.0) + share * utterance.take.speech_s / total_s
    best = sorted(means.items(), key=lambda pair: -pair[1])[:CANDIDATES]
    return tuple(LanguageGuess(language=name, probability=round(min(share, 1.0), 4)) for name, share in best)


def mismatches(detected: Sequence[Utterance], language: str) -> tuple[LanguageMismatch, ...]:
    """Return the utterances that clearly sound like a language other than the given one."""
    mismatched = []
    for utterance in detected:
        name, share = max(utterance.shares.items(), key=lambda pair: pair[1], default=(language, 0.0))
        if name != language and share >= MISMATCH_SHARE and utterance.take.speech_s >= MISMATCH_S:
            window = utterance.take.window
            mismatched.append(
                LanguageMismatch(
                    start_s=window.start_s, end_s=window.end_s, language=name, probability=round(min(share, 1.0), 4)
                )
            )
    return tuple(mismatched)


def mismatched_as_a_whole(detected: Sequence[Utterance], language: str) -> tuple[LanguageMismatch, ...]:
    """Return all utterances if together they sound like another language than the given one."""
    if sum(utterance.take.speech_s for utterance in detected) < WHOLE_S:
        return ()
    guesses = {guess.language: guess.probability for guess in together(detected)}
    name, share = max(guesses.items(), key=lambda pair: pair[1])
    if name == language or share < OTHER_SHARE or guesses.get(language, 0.0) > OWN_SHARE:
        return ()
    windows = [utterance.take.window for utterance in detected]
    return tuple(
        LanguageMismatch(start_s=window.start_s, end_s=window.end_s, language=name, probability=share)
        for window in windows
    )


def _parted_at_changes(
    detected: Sequence[Utterance], languages: Sequence[str], span_decoder: SpanDecoder
) -> list[Utterance]:
    """Return the utterances, with those at a language change divided if their parts differ."""
    result: list[Utterance] = []
    for index, utterance in enumerate(detected):
        nearby = languages[max(0, index - 1) : index + 2]
        is_uniform = len(set(nearby)) == 1 and max(utterance.shares.values()) >= SURE
        parts = [] if is_uniform else parts_of(utterance.take)
        if len(parts) < 2:
            result.append(utterance)
            continue
        part_utterances = [
            Utterance(take=part, shares=shares)
            for part, shares in zip(parts, span_decoder.languages(parts), strict=True)
        ]
        part_languages = smoothed([*result[-1:], *part_utterances, *detected[index + 1 : index + 2]])[
            len(result[-1:]) :
        ][: len(part_utterances)]
        groups = _grouped(part_utterances, part_languages, span_decoder)
        result += groups if len(groups) > 1 else [utterance]
        for part in parts:
            if all(part.window != group.take.window for group in groups):
                span_decoder.forget(part)
    return result


def _grouped(
    part_utterances: Sequence[Utterance], part_languages: Sequence[str], span_decoder: SpanDecoder
) -> list[Utterance]:
    """Merge neighbouring parts of one language into one utterance each."""
    takes: list[Take] = []
    for utterance, language in zip(part_utterances, part_languages, strict=True):
        if takes and takes[-1].language == language:
            window = Window(pieces=(*takes[-1].window.pieces, *utterance.take.window.pieces))
            takes[-1] = Take(window=window, speech=(*takes[-1].speech, *utterance.take.speech), language=language)
        else:
            takes.append(replace(utterance.take, language=language))
    return [
        Utterance(take=take, shares=shares) for take, shares in zip(takes, span_decoder.languages(takes), strict=True)
    ]


def parts_of(take: Take) -> list[Take]:
    """Return the take divided at its pauses, with a second of speech in each part."""
    parts: list[list[Stretch]] = []
    for stretch in take.speech:
        is_pause = parts and stretch.start_s - parts[-1][-1].end_s >= PART_PAUSE_S
        if not parts or (is_pause and _length_s(parts[-1]) >= SHORTEST_PART_S):
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
    """Return the part of the window between two moments."""
    pieces = tuple(
        Stretch(start_s=max(piece.start_s, start_s), end_s=min(piece.end_s, end_s))
        for piece in window.pieces
        if piece.end_s > start_s and piece.start_s < end_s
    )
    return Window(pieces=pieces) if pieces else None


def _length_s(speech: Sequence[Stretch]) -> float:
    return sum(stretch.end_s - stretch.start_s for stretch in speech)
