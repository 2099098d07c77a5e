"""Answers that take long, and calls that are sent again, with OpenAI's own client over a real port."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from dashboards.runtime import context
from storage.accounts import profiles
from storage.domain.records import Job, JobState
from storage.jobs import job_store
from tests.dashboards.served import SRT, Served, played_workers, secret_of
from tests.waiting import PATIENCE_S

GREETING = "Grüße an alle."


def the_job() -> Job:
    with context.ledger().read() as con:
        (job,) = job_store.page(con)
    return job


@pytest.fixture
def soon(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers take long after a tenth of a second."""
    changed = served.settings.web.model_copy(update={"keep_alive_seconds": 0.1})
    monkeypatch.setitem(served.settings.__dict__, "web", changed)


@contextmanager
def sent(served: Served, sound: bytes, name: str = "talk.wav", **form: str) -> Iterator[httpx.Response]:
    """Send a recording and stream its answer."""
    headers = {"Authorization": f"Bearer {secret_of('ada')}"}
    url, files = f"{served.url}/v1/audio/transcriptions", {"file": (name, sound)}
    asked: dict[str, Any] = {"data": {"model": "whisper-1"} | form, "files": files, "headers": headers}
    with httpx.Client(timeout=PATIENCE_S) as http, http.stream("POST", url, **asked) as answer:
        yield answer


def test_a_call_that_is_sent_again_gets_the_same_job(
    served: Served, client: OpenAI, tone: Callable[..., bytes]
) -> None:
    sound, answers = tone(), list[str]()

    def ask(**more: Any) -> None:
        answers.append(client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", sound), **more).text)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    with played_workers(served):
        for thread in threads:
            thread.join(PATIENCE_S)
    context.ledger().run(profiles.set_quota, the_job().owner_id, hours=0, size_bytes=None, actor="system:test")
    ask()  # it has just finished, and used up what there was
    assert answers == [GREETING] * 4
    with pytest.raises(openai.PermissionDeniedError):
        ask(language="de")
    assert the_job().state is JobState.COMPLETED


@pytest.mark.usefixtures("soon")
def test_json_that_takes_long_begins_with_white_space(
    served: Served, client: OpenAI, tone: Callable[..., bytes]
) -> None:
    with sent(served, tone(), response_format="verbose_json") as answer:
        parts = answer.iter_bytes()
        assert (answer.status_code, next(parts)) == (200, b" ")
        with played_workers(served):
            assert json.loads(b"".join(parts))["text"] == GREETING
    assert client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone())).text == GREETING


@pytest.mark.usefixtures("soon")
def test_a_job_that_fails_late_cuts_the_answer_and_tells_why_when_asked_again(
    served: Served, client: OpenAI, tone: Callable[..., bytes]
) -> None:
    with sent(served, tone(), "bad.wav") as answer:
        parts = answer.iter_bytes()
        assert next(parts) == b" "
        with played_workers(served), pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            list(parts)
    with pytest.raises(openai.UnprocessableEntityError, match="send another recording"):
        client.audio.transcriptions.create(model="whisper-1", file=("bad.wav", tone()))
    assert the_job().attempt == 1


@pytest.mark.usefixtures("soon")
def test_text_and_captions_begin_with_nothing_else(served: Served, tone: Callable[..., bytes]) -> None:
    sound, answers = tone(), list[bytes]()

    def ask() -> None:
        with sent(served, sound, response_format="srt") as answer:
            answers.append(answer.read())

    thread = threading.Thread(target=ask)
    with sent(served, sound) as early:
        assert next(early.iter_bytes()) == b" "
        thread.start()
        thread.join(0.5)
        with played_workers(served):
            thread.join(PATIENCE_S)
    assert answers == [SRT.encode()]


def test_each_call_is_a_job_where_an_administrator_wants_so(
    served: Served, client: OpenAI, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = served.settings.web.model_copy(update={"repeat_minutes": 0.0})
    monkeypatch.setitem(served.settings.__dict__, "web", changed)
    with played_workers(served):
        for _ in range(2):
            client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()))
    with context.ledger().read() as con:
        assert len(job_store.page(con)) == 2
