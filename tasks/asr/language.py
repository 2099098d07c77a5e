"""Choose the language of a recording from its options and the results of its spans.

Each span counts by its seconds of speech, and each language by its probability there. Music and noise, on which the
model is uncertain, add a little to many languages and decide nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.domain.records import LanguageGuess, Options, Plan, Span, SpanResult
from tasks.asr.base import ENGLISH, Capabilities

SURE = 0.8
"""A span is decoded again if its languages together are less probable than this."""
CANDIDATES = 5

Shares = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenLanguage:
    """The likeliest language, its probability (None without detection), and the next candidates."""

    language: str
    probability: float | None = None
    others: tuple[LanguageGuess, ...] = ()


def requested_language(options: Options, capabilities: Capabilities) -> str | None:
    """Return the language to decode spans in, or None if the engine detects it.

    Raises:
        ModelCannot: the job requests what the model cannot do.
    """
    capabilities.check(options)
    if not capabilities.multilingual:
        return ENGLISH
    return None if options.language_per_span else options.language


def recording_language(plan: Plan, results: Sequence[SpanResult], *, given: str | None = None) -> SpokenLanguage:
    """Return the language of a recording whose spans are all transcribed.

    `given` is the requested language. A model that supports only English transcribes English, whatever was requested.
    """
    if not results or (given and any(result.languages or result.language == given for result in results)):
        return SpokenLanguage(language=given or "en")
    lengths_s = [speech_s(span) for span in plan.spans]
    detected = [(result, length_s) for result, length_s in zip(results, lengths_s, strict=True) if result.languages]
    if detected:
        shares = [{guess.language: guess.probability for guess in result.languages} for result, _ in detected]
        return together(shares, [length_s for _, length_s in detected])
    return SpokenLanguage(language=together([{result.language: 1.0} for result in results], lengths_s).language)


def settle_language(
    plan: Plan, results: Sequence[SpanResult], options: Options, requested: str | None
) -> tuple[SpokenLanguage, list[Span]]:
    """Return the recording's language, and the spans to decode again in it."""
    spoken = recording_language(plan, results, given=requested or options.language)
    return spoken, spans_to_redecode(plan, results, spoken)


def spans_to_redecode(plan: Plan, results: Sequence[SpanResult], spoken: SpokenLanguage) -> list[Span]:
    """Return the spans to decode again in the recording's language.

    They were decoded in another one, and the engine was not certain of it. For a span in several languages, their
    combined probability counts.
    """
    return [
        span
        for span, result in zip(plan.spans, results, strict=True)
        if may_be_redecoded(result) and languages_of(result) != {spoken.language}
    ]


def may_be_redecoded(result: SpanResult) -> bool:
    """Return whether a span's language is so uncertain that the recording's may replace it."""
    return bool(result.languages) and _sureness(result) < SURE


def languages_of(result: SpanResult) -> set[str]:
    """Return the languages of a span's segments."""
    return {segment.language or result.language for segment in result.segments} or {result.language}


def speech_s(span: Span) -> float:
    """Return the seconds of speech in a span."""
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)


def together(probabilities: Sequence[Shares], weights: Sequence[float]) -> SpokenLanguage:
    """Return the likeliest language: the mean of probabilities, weighted by length."""
    if not sum(weights):
        weights = [1.0] * len(weights)
    totals: Shares = {}
    for shares, weight in zip(probabilities, weights, strict=True):
        for language, share in shares.items():
            totals[language] = totals.get(language, 0.0) + share * weight / sum(weights)
    ranked = sorted(totals.items(), key=lambda pair: pair[1], reverse=True)[:CANDIDATES]
    first, *others = [LanguageGuess(language=name, probability=round(min(share, 1.0), 4)) for name, share in ranked]
    return SpokenLanguage(language=first.language, probability=first.probability, others=tuple(others))


def _sureness(result: SpanResult) -> float:
    spoken = languages_of(result)
    return sum(guess.probability for guess in result.languages if guess.language in spoken)
