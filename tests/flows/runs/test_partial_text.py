"""The text so far on storage: complete parts, written once, resumed after a crash."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from flows.runs.partial_text import PartialTextWriter
from flows.runs.process_state import Resident, in_thread
from storage.domain import names
from storage.domain.errors import StaleAttempt, StorageUnreachable
from storage.domain.records import Job, LanguageGuess, Part, Segment, Span, SpanResult, from_json, to_json
from storage.files.file_store import Files
from storage.jobs.reports import Readable
from tests.waiting import PATIENCE_S

JOB = cast(Job, SimpleNamespace(id="0123456789", attempt=2))
SPANS = [Span(index=n, start_s=10.0 * n, end_s=10.0 * n + 9, samples_sha256=f"{n}") for n in range(4)]


class Ledger:
    """Takes the reports; answers as it is told to."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.parts: list[int] = []
        self.answer = answer

    def send(self, report: Readable) -> None:
        if self.answer:
            raise self.answer
        self.parts.append(report.parts)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    store = Files(str(tmp_path))
    for span in SPANS:
        said = Segment(start_s=1.0, end_s=2.0, text=f" {span.index}")
        rest = {"language": "en", "model": "m", "fingerprint": "f", "engine": "e", "device": "cpu"}
        heard = SpanResult(segments=(said,), engine_s=1.0, compute_type="int8", **rest)  # type: ignore[arg-type]
        store.write(result_of(span), to_json(heard))
    return store


def result_of(span: Span) -> str:
    return f"results/{span.index}.json"


def along_in(files: Files, ledger: Ledger) -> PartialTextWriter:
    here = SimpleNamespace(files=files, reporter=ledger, name="cpu-test")
    return PartialTextWriter(here=cast(Resident, here), job=JOB, write_every_s=0.0)


def parts_in(files: Files) -> list[tuple[float, str]]:
    """How far each part reaches and what it says."""
    stored = [from_json(Part, files.read(name)) for name in sorted(files.list(names.partial_folder(JOB.id, 2)))]
    return [(part.until_s, "".join(segment.text for segment in part.segments)) for part in stored]


async def written(along: PartialTextWriter, *heard: Span) -> None:
    """Tell of spans, and have written what there is."""
    for span in heard:
        along.add_result(span, result_of(span))
    await in_thread(along._write)


async def test_a_result_out_of_order_waits_for_earlier_spans(files: Files) -> None:
    ledger = Ledger()
    along = along_in(files, ledger)
    along.cut(SPANS[:3])
    await written(along, SPANS[1])
    assert parts_in(files) == []
    await written(along, SPANS[0])
    assert parts_in(files) == [(12.0, " 0 1")]
    await written(along, SPANS[2])
    assert len(parts_in(files)) == 1  # whether the next span begins before its end is not known yet
    along.cut(SPANS[3:], all_cut=True)
    await written(along, SPANS[3])
    assert parts_in(files) == [(12.0, " 0 1"), (32.0, " 2 3")]
    assert ledger.parts == [1, 2]


async def test_text_is_certain_up_to_the_first_span_that_may_be_decoded_again(files: Files) -> None:
    heard = from_json(SpanResult, files.read(result_of(SPANS[1])))
    doubtful = replace(heard, languages=(LanguageGuess(language="en", probability=0.5),))
    files.write(result_of(SPANS[1]), to_json(doubtful))
    along = along_in(files, Ledger())
    along.cut(SPANS, all_cut=True)
    for span in SPANS[:3]:
        await written(along, span)
    parts = [from_json(Part, files.read(name)) for name in sorted(files.list(names.partial_folder(JOB.id, 2)))]
    assert [part.certain for part in parts] == [True, False, False]


async def test_a_new_process_goes_on_behind_what_the_lost_one_has_written(files: Files) -> None:
    first = along_in(files, Ledger())
    first.cut(SPANS[:3])
    await written(first, SPANS[0])
    before = files.read(names.partial_name(JOB.id, 2, 0))

    ledger = Ledger()
    again = along_in(files, ledger)
    again.cut(SPANS, all_cut=True)
    await written(again, *SPANS)
    assert [said for _, said in parts_in(files)] == [" 0", " 1 2 3"]
    assert files.read(names.partial_name(JOB.id, 2, 0)) == before
    assert ledger.parts == [2]


async def test_storage_that_is_away_for_a_while_costs_no_text(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter(range(3))
    write = Files.write

    def seldom(self: Files, name: str, data: bytes) -> None:
        if next(refusals, None) is not None:
            raise StorageUnreachable(name, "timed out")
        write(self, name, data)

    monkeypatch.setattr(Files, "write", seldom)
    along = along_in(files, Ledger())
    along.cut(SPANS, all_cut=True)
    for span in SPANS:
        along.add_result(span, result_of(span))
    writing = asyncio.create_task(along.keep_writing())
    async with asyncio.timeout(PATIENCE_S):
        while not parts_in(files):  # noqa: ASYNC110 - storage tells nobody
            await asyncio.sleep(0.01)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert [said for _, said in parts_in(files)] == [" 0 1 2 3"]


async def test_it_stops_when_the_attempt_is_over(files: Files) -> None:
    along = along_in(files, Ledger(StaleAttempt(JOB.id, 2)))
    along.cut(SPANS, all_cut=True)
    for span in SPANS:
        along.add_result(span, result_of(span))
    async with asyncio.timeout(PATIENCE_S):
        await along.keep_writing()
