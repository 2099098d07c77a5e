"""Check whether what an English-only model transcribed is English.

A multilingual model that is on the machine listens to the first half minute of speech of each span. What it finds is
not part of a result's name: the text stays the same without it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

from storage.domain.records import LanguageMismatch, Options, Plan, SpanResult, Stretch
from tasks.asr.base import ENGLISH, AsrEngine, ShouldStop
from tasks.asr.language import speech_s
from tasks.audio.decode import Samples
from tasks.models.catalogue import InstalledModel, installed, is_multilingual

CHECKED_S = 30.0
MAJORITY = 0.5
Lend = Callable[[], AbstractContextManager[AsrEngine | None]]


def nothing_to_lend() -> AbstractContextManager[None]:
    """Lend no engine, where there is none to check with."""
    return nullcontext()


def multilingual_model(model_dir: Path) -> InstalledModel | None:
    """Return the smallest multilingual model in the folder, if there is one."""
    found = [model for model in installed(model_dir) if is_multilingual(model.path)]
    return min(found, key=lambda model: model.bytes, default=None)


def with_language_checked(
    result: SpanResult,
    pcm: Samples,
    speech: Sequence[Stretch],
    *,
    engine: AsrEngine,
    options: Options,
    lend: Lend,
    should_stop: ShouldStop,
) -> SpanResult:
    """Return a result with the stretches that sound like another language.

    Only an English-only engine's result needs it.

    `lend` provides a multilingual engine.

    Raises:
        DecodingStopped: `should_stop` returned true.
    """
    if engine.capabilities.multilingual or options.language not in {None, ENGLISH} or not speech:
        return result
    with lend() as other:
        if other is None:
            return result
        first = tuple(_first(speech, CHECKED_S))
        return replace(result, mismatches=other.language_mismatches(pcm, first, ENGLISH, should_stop=should_stop))


def mostly_another(plan: Plan, mismatches: Sequence[LanguageMismatch]) -> str | None:
    """Return the language that most of the checked speech sounds like, if another."""
    checked_s = sum(min(CHECKED_S, speech_s(span)) for span in plan.spans)
    by_language: dict[str, float] = {}
    for each in mismatches:
        by_language[each.language] = by_language.get(each.language, 0.0) + _speech_inside_s(each, plan)
    if not checked_s or sum(by_language.values()) < MAJORITY * checked_s:
        return None
    return max(by_language, key=lambda language: by_language[language])


def _speech_inside_s(mismatch: LanguageMismatch, plan: Plan) -> float:
    speech = (stretch for span in plan.spans for stretch in span.speech)
    lengths_s = (min(mismatch.end_s, each.end_s) - max(mismatch.start_s, each.start_s) for each in speech)
    return sum(length_s for length_s in lengths_s if length_s > 0)


def _first(speech: Sequence[Stretch], length_s: float) -> Iterator[Stretch]:
    """Yield the first stretches, up to this many seconds."""
    left_s = length_s
    for stretch in speech:
        if left_s <= 0:
            return
        yield replace(stretch, end_s=min(stretch.end_s, stretch.start_s + left_s))
        left_s -= stretch.end_s - stretch.start_s
