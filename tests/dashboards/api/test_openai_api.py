"""`/v1` as OpenAI's own client uses it, over a real port; the workers are played."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.audio import TranscriptionSegment

from dashboards import context
from storage import jobs
from storage.client import HttpReporter
from storage.heartbeats import ModelState
from storage.records import Job, JobState
from storage.reports import Exporting, Started
from storage.settings import Settings
from storage.tokens import worker_token
from tests.dashboards.served import SRT, VTT, Served, played_workers, secret_of, serving
from tests.dashboards.test_worker_api import beat


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serving(settings) as started:
        yield started


@pytest.fixture
def client(served: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key=secret_of("ada"), max_retries=0, timeout=60) as made:
        yield made


@pytest.fixture
def played(served: Served) -> Iterator[None]:
    with played_workers(served):
        yield


def the_job() -> Job:
    with context.ledger().read() as con:
        (job,) = jobs.page(con)
    return job


@pytest.mark.usefixtures("played")
def test_every_format_is_answered_as_the_client_expects(client: OpenAI, tone: Callable[..., bytes]) -> None:
    def ask(**more: Any) -> Any:
        return client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()), **more)

    assert ask().text == "Grüße an alle."
    assert ask().usage.model_dump() == {"type": "duration", "seconds": 1.0}
    assert ask(response_format="text") == "Grüße an alle.\n"
    assert ask(response_format="srt") == SRT
    assert ask(response_format="vtt") == VTT
    told = ask(response_format="verbose_json")
    assert (told.language, told.duration, told.segments[0].text) == ("german", 1.0, " Grüße an alle.")
    assert told.words is None
    assert told.usage.seconds == 1.0
    assert told.segments[0].model_fields_set == set(TranscriptionSegment.model_fields)  # all of them, and no other
    assert told.segments[0].model_extra == {}
    assert told.model_extra == {"task": "transcribe"}
    words = ask(response_format="verbose_json", timestamp_granularities=["word"])
    assert [(word.word, word.start) for word in words.words] == [("Grüße", 0.0), ("an", 0.3), ("alle.", 0.6)]
    assert words.segments is None
    both = ask(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (len(both.words), len(both.segments)) == (3, 1)


@pytest.mark.usefixtures("played")
def test_options_reach_the_job(client: OpenAI, tone: Callable[..., bytes]) -> None:
    client.audio.transcriptions.create(
        model="small",
        file=("Rede.wav", tone()),
        language="de",
        prompt="Nuuk",
        temperature=0.2,
        extra_body={"channels": "split"},
    )
    job = the_job()
    assert job.options.channels == "split"
    assert (job.name, job.options.model, job.options.language) == ("Rede.wav", "small", "de")
    assert (job.options.prompt, job.options.temperature, job.options.task) == ("Nuuk", 0.2, "transcribe")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI's client says so of its own method
def test_a_model_that_cannot_translate_is_refused_at_once(client: OpenAI, tone: Callable[..., bytes]) -> None:
    for model in ("small.en", "large-v3-turbo"):
        with pytest.raises(openai.BadRequestError, match=f"model {model} cannot translate; choose"):
            client.audio.translations.create(model=model, file=("talk.wav", tone()))


@pytest.mark.usefixtures("played")
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_translations_are_translated(client: OpenAI, tone: Callable[..., bytes]) -> None:
    assert client.audio.translations.create(model="whisper-1", file=("talk.wav", tone())).text == "Grüße an alle."
    assert (the_job().options.task, the_job().options.model) == ("translate", "auto")


@pytest.mark.usefixtures("played")
def test_a_job_that_fails_says_why(client: OpenAI, tone: Callable[..., bytes]) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="send another recording"):
        client.audio.transcriptions.create(model="whisper-1", file=("bad.wav", tone()))


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"language": "xx"}, "language"),
        ({"temperature": 7}, "temperature"),
        ({"response_format": "docx"}, "response_format"),
        ({"response_format": "verbose_json", "timestamp_granularities": ["line"]}, "timestamp_granularities"),
    ],
)
def test_what_will_not_do_is_refused_as_openai_does(
    client: OpenAI, tone: Callable[..., bytes], more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()), **more)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"


def test_what_is_no_recording_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match=r"notes\.txt is not readable audio") as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("notes.txt", b"no sound at all" * 99))
    assert refused.value.status_code == 415


def test_a_wrong_key_is_refused(served: Served) -> None:
    stranger = OpenAI(base_url=f"{served.url}/v1", api_key="wt_wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_a_reader_may_not_transcribe(served: Served, tone: Callable[..., bytes]) -> None:
    reader = OpenAI(base_url=f"{served.url}/v1", api_key=secret_of("rex"), max_retries=0)
    with reader, pytest.raises(openai.PermissionDeniedError):
        reader.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()))


def test_models_are_what_workers_have(client: OpenAI) -> None:
    context.workers().beat(beat(default_model=ModelState(name="small", fingerprint="f00d", state="ready")))
    assert [model.id for model in client.models.list()] == ["whisper-1", "small"]
    assert client.models.retrieve("small").id == "small"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("large")


def test_an_endpoint_that_is_not_there_says_so_in_json(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.files.list()


def test_a_client_that_leaves_loses_its_answer_and_nothing_else(
    served: Served, client: OpenAI, tone: Callable[..., bytes]
) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=3).audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()))
    assert the_job().state is JobState.QUEUED
    with played_workers(served):
        answer = client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()))
    assert answer.text == "Grüße an alle."


@pytest.mark.usefixtures("played")
def test_a_request_sent_twice_with_one_key_makes_one_job(client: OpenAI, tone: Callable[..., bytes]) -> None:
    for _ in range(2):
        client.audio.transcriptions.create(
            model="whisper-1", file=("talk.wav", tone()), extra_headers={"Idempotency-Key": "once"}
        )
    assert the_job().name == "talk.wav"


def test_a_form_without_a_file_and_a_body_that_is_no_form_are_refused(served: Served) -> None:
    headers = {"Authorization": f"Bearer {secret_of('ada')}"}
    url = f"{served.url}/v1/audio/transcriptions"
    with httpx.Client(headers=headers) as http:
        missing = http.post(url, files={"model": (None, "whisper-1")})
        assert (missing.status_code, missing.json()["error"]["param"]) == (400, "file")
        assert http.post(url, json={"model": "whisper-1"}).json()["error"]["param"] == "body"
        broken = http.post(url, content=b"--x\r\nnonsense", headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert broken.status_code == 400


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(
    served: Served, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = served.settings.web.model_copy(update={"max_upload_bytes": 1000})
    monkeypatch.setitem(served.settings.__dict__, "web", limited)
    with pytest.raises(openai.APIStatusError, match="TRANSCRIBER_MAX_UPLOAD_BYTES"):
        client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", b"x" * 5000))
    assert list(context.current().shelf.folder.iterdir()) == []


def test_the_reporter_of_flow_runs_speaks_the_internal_api(served: Served, tone: Callable[..., bytes]) -> None:
    token = worker_token(served.settings)
    reporter = HttpReporter(served.url, token)
    with httpx.Client(headers={"Authorization": f"Bearer {token.get_secret_value()}"}) as http:
        job_id = http.post(
            f"{served.url}/internal/v1/jobs", files={"file": ("a.wav", tone())}, data={"owner": "ada"}
        ).json()["id"]
    assert reporter.send(Started(job_id=job_id, attempt=1, worker="cpu-1")).state is JobState.INGESTING
    assert reporter.send(Exporting(job_id=job_id, attempt=1, worker="cpu-1")).state is JobState.EXPORTING
    assert reporter.beat(beat()) == ()
    reporter.close()


def test_many_wait_at_once(client: OpenAI, served: Served, tone: Callable[..., bytes]) -> None:
    texts: list[str] = []

    def ask(sound: bytes) -> None:
        texts.append(client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", sound)).text)

    threads = [threading.Thread(target=ask, args=(tone(0.2 + number / 100),)) for number in range(12)]
    for thread in threads:
        thread.start()
    with played_workers(served):
        for thread in threads:
            thread.join(60)
    assert texts == ["Grüße an alle."] * 12
