"""The order of steps: report, submit, and decode uncertain spans again."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.runs.process_state import CancelFlag, ClipsAhead, NamedLocks
from flows.runs.read_recording import RecordingReader
from flows.runs.transcribe_spans import ClipTranscription, SpansTranscription
from storage.domain.records import LanguageGuess, Options, Plan, Segment, Span, SpanResult, Stretch, to_json
from storage.files.file_store import Files
from storage.jobs.reports import Cut, Planned
from tests.waiting import PATIENCE_S

SPANS = tuple(
    Span(
        index=n,
        start_s=10.0 * n,
        end_s=10.0 * n + 9,
        samples_sha256=f"{n:064d}",
        speech=(Stretch(start_s=10.0 * n, end_s=10.0 * n + 8),),
    )
    for n in range(3)
)
PLAN = Plan(media_sha256="m", duration_s=30.0, speech_s=24.0, spans=SPANS)


class Played:
    """A recording's flow with everything but the hearing played: what is told, submitted and stored is on record."""

    def __init__(self, files: Files, sure: dict[int, tuple[str, float]], options: Options | None = None) -> None:
        told = {"reporter": SimpleNamespace(send=lambda _: None), "locks": NamedLocks(), "ahead": ClipsAhead()}
        self.here = SimpleNamespace(files=files, name="cpu-test", **told)
        self.job = SimpleNamespace(id="0123456789", attempt=1, media_sha256="m", fingerprint="f", model="m")
        self.job.options, self.job.lane = options or Options(), "interactive"
        self.artifacts = SimpleNamespace(progress=lambda _: None)
        self.span_runs = self
        self.events: list[str] = []
        self._sure = sure

    async def tell(self, kind: type, **told: Any) -> None:
        numbers = ",".join(str(span.index) for span in told["spans"])
        self.events.append(f"{ {Cut: 'cut', Planned: 'planned'}[kind] } {numbers}")

    def report_span(self, span: Span, _heard: SpanResult, _result: str, *, reused: bool) -> None:
        self.events.append(f"found {span.index}" if reused else f"reported {span.index}")

    async def transcribe_all(
        self,
        spans: AsyncGenerator[Span, None],
        parameters: Callable[[Span], dict[str, Any]],
        on_transcribed: Callable[[Span], None],
    ) -> None:
        async for span in spans:
            told = parameters(span)
            self.events.append(f"hear {span.index} {told['language']}")
            self.here.files.write(told["result"], to_json(self._heard(span, told["language"])))
            on_transcribed(span)

    def _heard(self, span: Span, told: str | None) -> SpanResult:
        language, share = self._sure[span.index]
        guesses = () if told else (LanguageGuess(language=language, probability=share),)
        said = Segment(start_s=1.0, end_s=2.0, text=f" {told or language}", language=None if told else language)
        rest = {"model": "m", "fingerprint": "f", "engine": "e", "device": "cpu", "compute_type": "int8"}
        return SpanResult(segments=(said,), language=told or language, languages=guesses, engine_s=1.0, **rest)  # type: ignore[arg-type]


def reading(*batches: tuple[Span, ...]) -> RecordingReader:
    async def spans() -> AsyncGenerator[list[Span], None]:
        for batch in batches:
            yield list(batch)

    async def read() -> Plan:
        return PLAN

    told = {
        "spans": spans,
        "read": read,
        "whole": read,
        "plan": PLAN,
        "announced_s": 30.0,
        "flag": CancelFlag(),
        "sounds": {},
    }
    return cast(RecordingReader, SimpleNamespace(**told))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path))


ALL_GERMAN = dict.fromkeys(range(3), ("de", 0.95))


async def heard(
    played: Played,
    read: RecordingReader,
    told: str | None = None,
    *,
    kind: type[SpansTranscription] = SpansTranscription,
) -> SpansTranscription:
    hearing = kind(cast(Any, played), read, told)
    await hearing.run()
    return hearing


async def test_a_span_is_reported_then_transcribed_before_the_next_is_cut(files: Files) -> None:
    played = Played(files, ALL_GERMAN)
    await heard(played, reading(SPANS[:1], SPANS[1:]))
    assert played.events == ["cut 0", "hear 0 None", "cut 1,2", "hear 1 None", "hear 2 None", "planned 0,1,2"]


async def test_a_stored_plan_starts_at_once_and_reuses_results(files: Files) -> None:
    await heard(Played(files, ALL_GERMAN), reading(SPANS[:2]))
    played = Played(files, ALL_GERMAN)
    await heard(played, reading())
    assert played.events == ["planned 0,1,2", "found 0", "found 1", "found 2"]


class Slow(Played):
    """The hearing takes a moment."""

    async def transcribe_all(self, *told: Any) -> None:
        await super().transcribe_all(*told)
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(("after_s", "planned"), [(PATIENCE_S, []), (0.0, ["planned 0,1,2"])])
async def test_a_clip_reports_its_plan_only_if_it_takes_longer(
    files: Files, after_s: float, planned: list[str]
) -> None:
    class Soon(ClipTranscription):
        plan_after_s = after_s

    first = Slow(files, ALL_GERMAN)
    await heard(first, reading(SPANS[:1], SPANS[1:]), kind=Soon)
    assert sorted(first.events) == ["hear 0 None", "hear 1 None", "hear 2 None", *planned]


async def test_a_clip_leaves_results_that_are_there_to_the_end(files: Files) -> None:
    for expected in (["hear 0 None", "hear 1 None", "hear 2 None"], []):
        played = Played(files, ALL_GERMAN)
        hearing = await heard(played, reading(SPANS), kind=ClipTranscription)
        assert played.events == expected
        assert hearing.reused == (set() if expected else {0, 1, 2})


async def test_a_span_of_uncertain_language_is_transcribed_again(files: Files) -> None:
    mixed = {0: ("de", 0.95), 1: ("nn", 0.4), 2: ("en", 0.95)}
    played = Played(files, mixed | {0: ("de", 0.99)})
    hearing = await heard(played, reading(SPANS))
    assert played.events[-1] == "hear 1 de"
    _, results, spoken = hearing.outcome()
    assert spoken.language == "de"
    assert [each.language for each in results] == ["de", "de", "en"]

    again = Played(files, mixed)
    assert [each.language for each in (await heard(again, reading(SPANS))).outcome()[1]] == ["de", "de", "en"]
    assert not [event for event in again.events if event.startswith("hear")]


async def test_a_given_language_applies_to_uncertain_spans_with_detection(files: Files) -> None:
    asked = Options(language="es", language_per_span=True)
    played = Played(files, {0: ("de", 0.95), 1: ("nn", 0.4), 2: ("de", 0.95)}, asked)
    _, results, spoken = (await heard(played, reading(SPANS))).outcome()
    assert spoken.language == "es"
    assert [each.language for each in results] == ["de", "es", "de"]


async def test_a_requested_language_is_not_detected(files: Files) -> None:
    played = Played(files, ALL_GERMAN, Options(language="es"))
    _, _, spoken = (await heard(played, reading(SPANS), told="es")).outcome()
    assert (spoken.language, spoken.probability) == ("es", None)
    assert [event for event in played.events if event.startswith("hear")] == [f"hear {n} es" for n in range(3)]
