"""`/v1` with OpenAI's own client over a real port; the workers are simulated."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.audio import TranscriptionDiarizedSegment, TranscriptionSegment

from dashboards.runtime import context
from storage.domain.records import Job, JobState
from storage.jobs import job_store
from storage.jobs.reports import Exporting, Started
from storage.remote.service_tokens import operator_token, worker_token
from storage.remote.web_client import HttpReporter
from storage.remote.worker_registry import SPEAKERS, ModelState
from tests.dashboards.api.test_worker_api import beat
from tests.dashboards.served import SRT, VTT, Served, played_workers, secret_of
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_server  # of what is refused; what makes jobs or has workers has its own


@pytest.fixture
def played(served: Served) -> Iterator[None]:
    with played_workers(served):
        yield


def the_job() -> Job:
    with context.ledger().read() as con:
        (job,) = job_store.page(con)
    return job


def has_job() -> bool:
    with context.ledger().read() as con:
        return bool(job_store.page(con))


@pytest.mark.own_site
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


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
def test_options_reach_the_job(client: OpenAI, tone: Callable[..., bytes]) -> None:
    client.audio.transcriptions.create(
        model="small",
        file=("Rede.wav", tone()),
        language="de",
        prompt="Nuuk",
        temperature=0.2,
        chunking_strategy="auto",
        keywords=["Ilulissat", "Disko"],
        extra_body={"channels": "split"},
    )
    job = the_job()
    assert job.options.hotwords == "Ilulissat, Disko"
    assert job.options.channels == "split"
    assert (job.name, job.options.model, job.options.language) == ("Rede.wav", "small", "de")
    assert (job.options.prompt, job.options.temperature, job.options.task) == ("Nuuk", 0.2, "transcribe")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # OpenAI's client says so of its own method
def test_a_model_that_cannot_translate_is_refused_at_once(client: OpenAI, tone: Callable[..., bytes]) -> None:
    for model in ("small.en", "distil-large-v3"):
        with pytest.raises(openai.BadRequestError, match=f"model {model} cannot translate; choose"):
            client.audio.translations.create(model=model, file=("talk.wav", tone()))


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_translations_are_translated(client: OpenAI, tone: Callable[..., bytes]) -> None:
    assert client.audio.translations.create(model="whisper-1", file=("talk.wav", tone())).text == "Grüße an alle."
    assert (the_job().options.task, the_job().options.model) == ("translate", "auto")


@pytest.mark.own_site
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
        ({"response_format": "diarized_json"}, "response_format"),  # no worker tells speakers apart
        ({"extra_body": {"input_format": "mp3"}}, "input_format"),
        ({"extra_body": {"input_format": "mulaw"}}, "sample_rate"),
        ({"extra_body": {"sample_rate": 16000}}, "sample_rate"),
        ({"extra_body": {"input_format": "s16le", "sample_rate": 16000, "input_channels": 0}}, "input_channels"),
        ({"response_format": "verbose_json", "timestamp_granularities": ["line"]}, "timestamp_granularities"),
        ({"response_format": "json", "timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"extra_body": {"stream": "perhaps"}}, "stream"),
        ({"include": ["logprobs"]}, "include"),
        ({"chunking_strategy": {"type": "server_vad", "threshold": 0.5}}, "chunking_strategy"),
        ({"chunking_strategy": "silence"}, "chunking_strategy"),
        ({"languages": ["de", "en"]}, "languages"),
        ({"known_speaker_names": ["Anna"]}, "known_speaker_names"),
        ({"keywords": ["Nuuk" * 600]}, "keywords"),
        ({"extra_body": {"vad_filter": True}}, "vad_filter"),
    ],
)
def test_what_will_not_do_is_refused_as_openai_does(
    client: OpenAI, tone: Callable[..., bytes], more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()), **more)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"
    assert param in refused.value.message
    with context.ledger().read() as con:
        assert job_store.page(con) == []


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


@pytest.mark.own_site
def test_models_are_what_can_be_used_and_never_a_path(client: OpenAI) -> None:
    mistyped = ModelState(name="nonsuch", fingerprint=None, state="failed")  # a job once asked for it
    here = ModelState(name="/srv/mine", fingerprint="f00d", state="ready")
    context.workers().beat(beat(default_model=here, models=(mistyped,)))
    listed = [model.id for model in client.models.list()]
    assert {"whisper-1", "gpt-4o-transcribe", "whisper-large-v3", "large-v3-turbo", "mine"} <= set(listed)
    assert not {"small", "large-v3", "/srv/mine"} & set(listed)  # no worker has the first two
    assert len(listed) == len(set(listed))
    assert client.models.retrieve("mine").id == "mine"
    for name in ("large-v3", "srv/mine", "nonsuch"):
        with pytest.raises(openai.NotFoundError) as refused:
            client.models.retrieve(name)
        assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="nonsuch", file=("talk.wav", b"sound"))


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
@pytest.mark.parametrize(
    ("asked", "used"),
    [
        ("gpt-4o-transcribe", "auto"),
        ("gpt-4o-mini-transcribe", "auto"),
        ("whisper-large-v3", "auto"),
        ("large-v3-turbo", "large-v3-turbo"),
        ("mine", "mine"),
    ],
)
def test_names_that_clients_send_mean_what_is_here(
    client: OpenAI, tone: Callable[..., bytes], asked: str, used: str
) -> None:
    here = [ModelState(name=name, fingerprint="f00d", state="ready") for name in ("large-v3-turbo", "/srv/mine")]
    context.workers().beat(beat(models=tuple(here)))
    client.audio.transcriptions.create(model=asked, file=("talk.wav", tone()))
    assert the_job().options.model == used


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
def test_an_administrator_changes_which_names_there_are(
    served: Served, client: OpenAI, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = served.settings.web.model_copy(update={"model_aliases": "house=small|base"})
    monkeypatch.setitem(served.settings.__dict__, "web", changed)
    client.audio.transcriptions.create(model="house", file=("talk.wav", tone()))
    assert the_job().options.model == "base"
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(model="gpt-4o-transcribe", file=("talk.wav", tone()))


def test_an_unknown_model_is_refused_before_the_recording_is_read(served: Served) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n/srv/mine\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n'
    )
    address = httpx.URL(served.url)
    with closing(HTTPConnection(address.host, address.port or 80, timeout=PATIENCE_S)) as wire:
        wire.putrequest("POST", "/v1/audio/transcriptions")
        wire.putheader("Authorization", f"Bearer {secret_of('ada')}")
        wire.putheader("Content-Type", "multipart/form-data; boundary=x")
        wire.putheader("Content-Length", "1000000000")
        wire.endheaders(form)  # and not a byte of the recording
        answer = wire.getresponse()
        error = json.loads(answer.read())["error"]
    assert answer.status == 404
    assert (error["code"], error["type"]) == ("model_not_found", "invalid_request_error")
    with context.ledger().read() as con:
        assert job_store.page(con) == []
    assert list(context.current().shelf.folder.iterdir()) == []


def test_an_unknown_model_behind_a_large_recording_is_refused_and_leaves_nothing(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="/v1/models") as refused:
        client.audio.transcriptions.create(model="no-such", file=("talk.wav", bytes(30_000_000)))
    assert refused.value.code == "model_not_found"
    with context.ledger().read() as con:
        assert job_store.page(con) == []


def test_an_endpoint_that_is_not_there_says_so_in_json(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.files.list()


@pytest.mark.own_site
def test_a_client_that_leaves_loses_its_answer_and_nothing_else(
    served: Served, client: OpenAI, tone: Callable[..., bytes]
) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=2).audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()))
    until = time.monotonic() + PATIENCE_S
    while not has_job() and time.monotonic() < until:
        time.sleep(0.05)
    assert the_job().state is JobState.QUEUED
    with played_workers(served):
        answer = client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", tone()))
    assert answer.text == "Grüße an alle."
    assert the_job().state is JobState.COMPLETED  # there is no other


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
def test_a_request_sent_twice_with_one_key_makes_one_job(client: OpenAI, tone: Callable[..., bytes]) -> None:
    for _ in range(2):
        client.audio.transcriptions.create(
            model="whisper-1", file=("talk.wav", tone()), extra_headers={"Idempotency-Key": "once"}
        )
    assert the_job().name == "talk.wav"


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
def test_a_key_means_one_request_whatever_its_model_means_by_then(client: OpenAI, tone: Callable[..., bytes]) -> None:
    def ask(**more: Any) -> Any:
        asked: dict[str, Any] = {"model": "whisper-large-v3", "file": ("talk.wav", tone())} | more
        return client.audio.transcriptions.create(**asked, extra_headers={"Idempotency-Key": "once"})

    ask()
    context.workers().beat(beat(default_model=ModelState(name="large-v3", fingerprint="f00d", state="ready")))
    assert ask(response_format="srt") == SRT  # another answer to the same request
    for other in ({"language": "de"}, {"model": "whisper-1"}, {"file": ("talk.wav", tone(2))}):
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            ask(**other)
        assert (refused.value.code, refused.value.param) == ("idempotency_key_reused", "idempotency_key")
    assert the_job().options.model == "auto"


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


@pytest.mark.own_site
def test_the_reporter_of_flow_runs_speaks_the_internal_api(served: Served, tone: Callable[..., bytes]) -> None:
    token, reporter = operator_token(served.settings), HttpReporter(served.url, worker_token(served.settings))
    with httpx.Client(headers={"Authorization": f"Bearer {token.get_secret_value()}"}) as http:
        job_id = http.post(
            f"{served.url}/internal/v1/jobs", files={"file": ("a.wav", tone())}, data={"owner": "ada"}
        ).json()["id"]
    assert reporter.send(Started(job_id=job_id, attempt=1, worker="cpu-1")).state is JobState.INGESTING
    assert reporter.send(Exporting(job_id=job_id, attempt=1, worker="cpu-1")).state is JobState.EXPORTING
    assert reporter.beat(beat()) == ()
    reporter.close()


@pytest.mark.own_site
def test_many_wait_at_once(client: OpenAI, served: Served, tone: Callable[..., bytes]) -> None:
    texts: list[str] = []

    def ask(sound: bytes) -> None:
        texts.append(client.audio.transcriptions.create(model="whisper-1", file=("talk.wav", sound)).text)

    threads = [threading.Thread(target=ask, args=(tone(0.2 + number / 100),)) for number in range(12)]
    for thread in threads:
        thread.start()
    with played_workers(served):
        for thread in threads:
            thread.join(PATIENCE_S)
    assert texts == ["Grüße an alle."] * 12


@pytest.mark.own_site
@pytest.mark.usefixtures("played")
def test_speakers_are_labelled_as_openai_does(client: OpenAI, tone: Callable[..., bytes]) -> None:
    context.workers().beat(beat(versions={SPEAKERS: "1"}))
    told = client.audio.transcriptions.create(
        model="gpt-4o-transcribe-diarize",
        file=("two.wav", tone()),
        response_format="diarized_json",
        chunking_strategy="auto",
    )
    assert the_job().options.diarize
    assert (told.text, told.duration, told.task) == ("Grüße an alle.", 1.0, "transcribe")
    assert [(one.id, one.speaker, one.text) for one in told.segments] == [("seg_000", "unknown", " Grüße an alle.")]
    assert told.segments[0].model_fields_set == set(TranscriptionDiarizedSegment.model_fields)
