"""Which language is spoken: what an engine is told, and what its answers say of the recording as a whole.

Each span counts by the seconds of speech in it, and each language by its share of the probability there: music and
noise, of which the model is unsure, add a little to many languages and decide nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.records import Heard, LanguageGuess, Options, Plan, Span

SURE = 0.8
"""A span is heard again where the languages that it was heard in are less probable than this, taken together."""
CANDIDATES = 5

Shares = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenLanguage:
    """The recording's likeliest language, its probability over all of it (None: not asked for), and the next best."""

    language: str
    probability: float | None = None
    others: tuple[LanguageGuess, ...] = ()


def told_language(options: Options, *, multilingual: bool) -> str | None:
    """Return the language that spans are heard in; None where the engine is to find it out for itself."""
    if not multilingual:
        return "en"
    return None if options.language_per_span else options.language


def recording_language(plan: Plan, heards: Sequence[Heard], *, given: str | None = None) -> SpokenLanguage:
    """Return the language of a recording all of whose spans have been heard; `given` is what its job asked for.

    A model that knows only English has heard English, whatever it was told.
    """
    if not heards or (given and any(heard.languages or heard.language == given for heard in heards)):
        return SpokenLanguage(language=given or "en")
    lengths_s = [speech_s(span) for span in plan.spans]
    found_out = [(heard, length_s) for heard, length_s in zip(heards, lengths_s, strict=True) if heard.languages]
    if found_out:
        shares = [{guess.language: guess.probability for guess in heard.languages} for heard, _ in found_out]
        return together(shares, [length_s for _, length_s in found_out])
    return SpokenLanguage(language=together([{heard.language: 1.0} for heard in heards], lengths_s).language)


def to_hear_again(plan: Plan, heards: Sequence[Heard], spoken: SpokenLanguage) -> list[Span]:
    """Return the spans that are to be heard once more, told the recording's language.

    Those are in another one, and the engine was not sure of it. A span in several languages is as sure as all of them
    together.
    """
    return [
        span
        for span, heard in zip(plan.spans, heards, strict=True)
        if heard.languages and languages_of(heard) != {spoken.language} and _sureness(heard) < SURE
    ]


def languages_of(heard: Heard) -> set[str]:
    """Return the languages that a span was heard in."""
    return {segment.language or heard.language for segment in heard.segments} or {heard.language}


def speech_s(span: Span) -> float:
    """Return the seconds of speech in a span."""
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)


def together(found: Sequence[Shares], weights: Sequence[float]) -> SpokenLanguage:
    """Return the likeliest language over stretches: the mean of their probabilities, weighed by their lengths."""
    if not sum(weights):
        weights = [1.0] * len(weights)
    totals: Shares = {}
    for shares, weight in zip(found, weights, strict=True):
        for language, share in shares.items():
            totals[language] = totals.get(language, 0.0) + share * weight / sum(weights)
    ranked = sorted(totals.items(), key=lambda pair: pair[1], reverse=True)[:CANDIDATES]
    first, *others = [LanguageGuess(language=name, probability=round(min(share, 1.0), 4)) for name, share in ranked]
    return SpokenLanguage(language=first.language, probability=first.probability, others=tuple(others))


def _sureness(heard: Heard) -> float:
    spoken = languages_of(heard)
    return sum(guess.probability for guess in heard.languages if guess.language in spoken)
