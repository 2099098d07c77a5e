"""Which language is spoken: asked of the model over several windows of speech, so that a jingle does not decide.

Each window counts by the seconds of speech in it, and each language by its share of the probability there: music and
noise, of which the model is unsure, add a little to many languages and decide nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from storage.files import Files
from storage.records import LanguageGuess, Options, Plan, Span
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.engine import Engine
from tasks.windows import WINDOW_S, pack, quietest_in

WINDOWS_ASKED = 5
SPAN_S = 30.0
"""How long the spans of a recording in several languages are at most: the language may change from one to the next."""
SPAN_FLOOR = 0.6
"""A span whose likeliest language is less probable than this is heard in the recording's."""
CANDIDATES = 5

Shares = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenLanguage:
    """The recording's likeliest language, its probability over all windows (None: not asked for), and the next best.

    `spans` is the language of each span, where each was asked for its own.
    """

    language: str
    probability: float | None = None
    others: tuple[LanguageGuess, ...] = ()
    spans: tuple[LanguageGuess, ...] = ()

    def of(self, span: Span) -> str:
        """Return the language that a span is heard in."""
        return self.spans[span.index].language if self.spans else self.language


def span_max_s(options: Options, usual_s: float) -> float:
    """Return how long the job's spans are at most."""
    return min(usual_s, SPAN_S) if options.language_per_span else usual_s


def spans_to_ask(plan: Plan, count: int = WINDOWS_ASKED) -> list[Span]:
    """Return up to `count` spans spread over the recording, those with much speech first among neighbours."""
    if len(plan.spans) <= count:
        return list(plan.spans)
    groups = np.array_split(np.arange(len(plan.spans)), count)
    return [max((plan.spans[int(index)] for index in group), key=speech_s) for group in groups]


def speech_s(span: Span) -> float:
    """Return the seconds of speech in a span."""
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)


def speech_windows(pcm: Samples, span: Span, count: int = 1) -> list[Samples]:
    """Return up to `count` windows of speech of a span, up to 30 s each, spread over it; one is out of its middle."""
    from tasks.stitch import speech_of

    windows = pack(speech_of(span), duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest_in(pcm))
    if not windows:
        return [pcm[: int(WINDOW_S * SAMPLE_RATE_HZ)]]
    count = min(count, len(windows))
    return [windows[(2 * place + 1) * len(windows) // (2 * count)].samples(pcm) for place in range(count)]


def spoken_in(engine: Engine, files: Files, plan: Plan, options: Options) -> SpokenLanguage:
    """Return the language of a recording whose spans are on storage, and of each span where the options ask for it.

    A model that knows only English says so at once; a language that was given is that of spans of which none is sure.
    """
    if not engine.multilingual or not plan.spans:
        return SpokenLanguage(language=options.language or "en" if engine.multilingual else "en")
    whole = SpokenLanguage(language=options.language) if options.language else _of_recording(engine, files, plan)
    if not options.language_per_span:
        return whole
    asked = [_windows_of(files, span, 1) for span in plan.spans]
    own = [_sure_or(whole, together(*_shares(engine, windows))) for windows in asked]
    return SpokenLanguage(language=whole.language, probability=whole.probability, others=whole.others, spans=tuple(own))


def detect_language(engine: Engine, windows: Sequence[Samples]) -> SpokenLanguage:
    """Return the language of windows of speech (float32 mono, 16 kHz, up to 30 s each)."""
    if not engine.multilingual or not windows:
        return SpokenLanguage(language="en")
    return together(*_shares(engine, windows))


def together(found: Sequence[Shares], weights: Sequence[float]) -> SpokenLanguage:
    """Return the likeliest language over windows: the mean of their probabilities, weighed by their lengths."""
    totals: Shares = {}
    for shares, weight in zip(found, weights, strict=True):
        for language, share in shares.items():
            totals[language] = totals.get(language, 0.0) + share * weight / sum(weights)
    ranked = sorted(totals.items(), key=lambda pair: pair[1], reverse=True)[:CANDIDATES]
    first, *others = [LanguageGuess(language=name, probability=round(min(share, 1.0), 4)) for name, share in ranked]
    return SpokenLanguage(language=first.language, probability=first.probability, others=tuple(others))


def _of_recording(engine: Engine, files: Files, plan: Plan) -> SpokenLanguage:
    spans = spans_to_ask(plan)
    each = ceil(WINDOWS_ASKED / len(spans))
    return detect_language(engine, [window for span in spans for window in _windows_of(files, span, each)])


def _windows_of(files: Files, span: Span, count: int) -> list[Samples]:
    from tasks.ingest import read_span

    return speech_windows(read_span(files, span.samples_sha256), span, count)


def _sure_or(whole: SpokenLanguage, found: SpokenLanguage) -> LanguageGuess:
    probability = found.probability or 0.0
    language = found.language if probability >= SPAN_FLOOR else whole.language
    return LanguageGuess(language=language, probability=probability)


def _shares(engine: Engine, windows: Sequence[Samples]) -> tuple[list[Shares], list[float]]:
    """Return the probability of each language in each window, and the windows' lengths in seconds."""
    found = [engine.with_less(lambda window=window: _asked(engine, window)) for window in windows]  # type: ignore[misc]
    return found, [max(len(window), 1) / SAMPLE_RATE_HZ for window in windows]


def _asked(engine: Engine, window: Samples) -> Shares:
    from faster_whisper.audio import pad_or_trim

    features = pad_or_trim(engine.model.feature_extractor(window)[..., :-1])
    answer = engine.model.model.detect_language(engine.model.encode(features))[0]
    return {token[2:-2]: float(probability) for token, probability in answer}
