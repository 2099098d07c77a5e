"""Which language is spoken: asked of the model over several windows of speech, so that a jingle does not decide."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.records import Plan, Span
from tasks.decode import SAMPLE_RATE_HZ, Samples
from tasks.engine import Engine
from tasks.windows import WINDOW_S, pack, quietest_in

WINDOWS_ASKED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenLanguage:
    """The likeliest language, its probability over all windows (None: not asked for), and the next best."""

    language: str
    probability: float | None
    others: tuple[tuple[str, float], ...] = ()


def spans_to_ask(plan: Plan, count: int = WINDOWS_ASKED) -> list[Span]:
    """Return up to `count` spans spread over the recording, those with much speech first among neighbours."""
    if len(plan.spans) <= count:
        return list(plan.spans)
    groups = np.array_split(np.arange(len(plan.spans)), count)
    return [max((plan.spans[int(index)] for index in group), key=speech_s) for group in groups]


def speech_s(span: Span) -> float:
    """Return the seconds of speech in a span."""
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)


def speech_window(pcm: Samples, span: Span) -> Samples:
    """Return up to 30 s of speech of a span, out of its middle."""
    from tasks.stitch import speech_of

    windows = pack(speech_of(span), duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest_in(pcm))
    return windows[len(windows) // 2].samples(pcm) if windows else pcm[: int(WINDOW_S * SAMPLE_RATE_HZ)]


def detect_language(engine: Engine, windows: Sequence[Samples]) -> SpokenLanguage:
    """Return the language of windows of speech (float32 mono, 16 kHz, up to 30 s each).

    A model that knows only English says so at once.
    """
    if not engine.multilingual or not windows:
        return SpokenLanguage(language="en", probability=None)
    return engine.with_less(lambda: _asked(engine, windows))


def _asked(engine: Engine, windows: Sequence[Samples]) -> SpokenLanguage:
    from faster_whisper.audio import pad_or_trim

    totals: dict[str, float] = {}
    for window in windows:
        features = pad_or_trim(engine.model.feature_extractor(window)[..., :-1])
        for token, probability in engine.model.model.detect_language(engine.model.encode(features))[0]:
            totals[token[2:-2]] = totals.get(token[2:-2], 0.0) + float(probability) / len(windows)
    ranked = sorted(totals.items(), key=lambda found: found[1], reverse=True)
    (language, probability), *others = [(name, round(share, 4)) for name, share in ranked]
    return SpokenLanguage(language=language, probability=probability, others=tuple(others[:4]))
