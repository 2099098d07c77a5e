"""`stream=true` with OpenAI's own client over a real port, while a played flow run tells of its text."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI, Stream
from openai.types.audio import TranscriptionStreamEvent

from dashboards.api import openai_stream
from dashboards.runtime import context, notify
from storage.accounts import users
from storage.domain.records import Job, JobState
from storage.jobs import job_store
from storage.remote.worker_registry import SPEAKERS
from tests.dashboards.heard import LINES, Growing
from tests.dashboards.served import Served, played_workers, secret_of
from tests.dashboards.site import Site
from tests.factories import heartbeat
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site

TEXT = " ".join(LINES)


@pytest.fixture
def ask(client: OpenAI, tone: Callable[..., bytes]) -> Callable[..., Stream[TranscriptionStreamEvent]]:
    def stream(**more: Any) -> Stream[TranscriptionStreamEvent]:
        asked: dict[str, Any] = {"model": "gpt-4o-transcribe", "file": ("talk.wav", tone())} | more
        started: Stream[TranscriptionStreamEvent] = client.audio.transcriptions.create(**asked, stream=True)
        return started

    return stream


def growing_job() -> Growing:
    """Begin to transcribe the recording that was just sent."""
    with context.ledger().read() as con:
        (job,) = job_store.page(con)
        owner = users.get(con, job.owner_id)
    return Growing(owner, job=job)


def state_of(job: Job) -> JobState:
    with context.ledger().read() as con:
        return job_store.get(con, job.id).state


def rest_of(events: Iterator[TranscriptionStreamEvent]) -> tuple[str, str]:
    """Return the deltas that are left, joined, and the text of the event after which there is none."""
    *deltas, done = events
    assert done.type == "transcript.text.done"
    return "".join(each.delta for each in deltas if each.type == "transcript.text.delta"), done.text


def delta_of(event: TranscriptionStreamEvent) -> str:
    assert event.type == "transcript.text.delta"
    return str(event.delta)


def test_deltas_come_as_spans_finish_and_together_are_the_whole_text(ask: Any) -> None:
    with ask() as stream:
        events, growing = iter(stream), growing_job()
        growing.say(2)
        first = delta_of(next(events))
        assert first == f"{LINES[0]} {LINES[1]}"
        growing.say(1)
        second = delta_of(next(events))
        assert second == f" {LINES[2]}"
        growing.complete()
        rest, whole = rest_of(events)
    assert first + second + rest == whole == TEXT


def test_what_may_still_change_is_sent_when_it_is_final(ask: Any) -> None:
    with ask() as stream:
        events, growing = iter(stream), growing_job()
        growing.say(1)
        sent = delta_of(next(events))
        growing.say(1, certain=False)
        growing.say(1)
        changed = dataclasses.replace(growing.segments[1], text=" The ferry leaves at ten.")
        growing.segments[1] = changed
        growing.complete()
        rest, whole = rest_of(events)
    assert sent + rest == whole == " ".join([LINES[0], "The ferry leaves at ten.", *LINES[2:]])


def test_another_attempt_sends_nothing_twice(ask: Any) -> None:
    with ask() as stream:
        events, growing = iter(stream), growing_job()
        growing.say(2)
        sent = delta_of(next(events))
        growing.again()
        growing.say(1)
        growing.say(2)
        sent += delta_of(next(events))
        assert sent == " ".join(LINES[:3])
        growing.complete()
        rest, whole = rest_of(events)
    assert sent + rest == whole == TEXT


def test_a_text_that_came_out_differently_is_told_by_the_last_event(ask: Any) -> None:
    with ask() as stream:
        events, growing = iter(stream), growing_job()
        growing.say(1)
        assert delta_of(next(events)) == LINES[0]
        growing.again()
        growing.segments = growing.segments[1:]
        growing.complete()
        assert rest_of(events) == ("", " ".join(LINES[1:]))


@pytest.mark.parametrize("response_format", ["json", "text"])
def test_a_short_clip_and_the_same_one_again_have_a_delta_each(served: Served, ask: Any, response_format: Any) -> None:
    with played_workers(served):
        for _ in range(2):
            headers = {"Idempotency-Key": "once"}
            with ask(response_format=response_format, extra_headers=headers) as stream:
                assert rest_of(iter(stream)) == ("Grüße an alle.", "Grüße an alle.")


def test_speakers_come_with_the_segments_before_the_whole_text(ask: Any) -> None:
    context.workers().beat(heartbeat(versions={SPEAKERS: "1"}))
    with ask(model="gpt-4o-transcribe-diarize", response_format="diarized_json") as stream:
        events, growing = iter(stream), growing_job()
        names = ("Speaker 2", "Anna", None, "Speaker 1", "Speaker 2")
        growing.segments[:] = [
            dataclasses.replace(segment, speaker=name) for segment, name in zip(growing.segments, names, strict=True)
        ]
        growing.complete()
        told = list(events)
    segments = [event for event in told if event.type == "transcript.text.segment"]
    assert [event.speaker for event in segments] == ["A", "Anna", "unknown", "B", "A"]
    assert (segments[0].id, segments[1].id, told[-1].type) == ("seg_000", "seg_001", "transcript.text.done")
    assert growing.job.options.diarize


def test_a_client_that_leaves_does_not_end_the_job(ask: Any) -> None:
    listeners = context.current().bus.crowd()
    with ask() as stream:
        events, growing = iter(stream), growing_job()
        growing.say(1)
        next(events)
        assert context.current().bus.crowd() > listeners
    until = time.monotonic() + PATIENCE_S
    while context.current().bus.crowd() > listeners and time.monotonic() < until:
        time.sleep(0.01)
    assert context.current().bus.crowd() == listeners
    assert state_of(growing.job) is JobState.TRANSCRIBING
    growing.complete()
    assert state_of(growing.job) is JobState.COMPLETED


def test_an_error_after_the_start_is_an_event(ask: Any) -> None:
    with ask() as stream:
        events, growing = iter(stream), growing_job()
        growing.say(1)
        assert delta_of(next(events)) == LINES[0]
        notify.announce(context.ledger().run(job_store.cancel, growing.job.id, actor="cli:me"))
        with pytest.raises(openai.APIError, match="the job was cancelled") as told:
            next(events)
    assert told.value.code == "transcription_cancelled"


def test_events_are_lines_that_every_reader_can_split(served: Served, tone: Callable[..., bytes]) -> None:
    headers = {"Authorization": f"Bearer {secret_of('ada')}"}
    form = {"model": "whisper-1", "stream": "true"}
    with played_workers(served), httpx.Client(headers=headers, timeout=PATIENCE_S) as http:
        url = f"{served.url}/v1/audio/transcriptions"
        answer = http.post(url, data=form, files={"file": ("talk.wav", tone())})
        failed = http.post(url, data=form, files={"file": ("bad.wav", tone())})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.content.isascii()
    assert [line[:37] for line in answer.text.split("\n\n") if line[:1] != ":"] == [
        'data: {"type": "transcript.text.delta',
        'data: {"type": "transcript.text.done"',
        "",
    ]
    assert 'event: error\ndata: {"type": "error", "error": {"code": "transcription_failed"' in failed.text


@pytest.mark.parametrize(("more", "param"), [({"response_format": "srt"}, "stream"), ({"model": "no-such"}, None)])
def test_what_cannot_be_streamed_is_refused_before_there_is_a_job(ask: Any, more: Any, param: str | None) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        ask(**more)
    assert (refused.value.status_code, refused.value.param) == (400 if param else 404, param)
    with context.ledger().read() as con:
        assert job_store.page(con) == []


def test_a_stream_that_waits_is_kept_alive(site: Site) -> None:
    growing = Growing(site.user("ada"))

    async def first() -> Any:
        events: Any = openai_stream.streamed(growing.job, keep_alive_s=0.01).body_iterator
        async with aclosing(events):
            return await anext(events)

    assert site.client.portal is not None
    assert site.client.portal.call(first).startswith(b":")
