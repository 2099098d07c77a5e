"""`/asr` and `/detect-language` as whisper-asr-webservice's clients call them, over a real port."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from pydantic import SecretStr

from dashboards.runtime import context
from storage.domain import names
from storage.domain.errors import BadRequest
from storage.domain.records import Job
from storage.domain.settings import Settings, WebSettings
from storage.jobs import job_store
from storage.ledger import audit
from tests.dashboards.served import SRT, VTT, Served, played_workers, serving
from tests.dashboards.site import Site, running
from tests.waiting import PATIENCE_S

SECRET = "bazarr_bazarr_bazarr"
NETWORKS = {"asr_user": "bob", "asr_networks": "10.0.0.0/8, 127.0.0.1"}
SECRETLY = {"asr_user": "bob", "asr_secret": SecretStr(SECRET)}
SAMPLES = (8000 * np.sin(np.arange(16_000) / 5)).astype("<i2")
BAZARR = b'--x\r\nContent-Disposition: form-data; name="audio_file"; filename="audio_file"\r\n\r\n%b\r\n--x--\r\n'
"""The body that Bazarr's provider sends with `encode=false`: samples without a header, and no content type."""
FORM = {"Content-Type": "multipart/form-data; boundary=x", "User-Agent": "Subliminal/2.2.1"}


def set_door(settings: Settings, door: dict[str, Any]) -> None:
    settings.__dict__["web"] = settings.web.model_copy(
        update={"asr_user": None, "asr_networks": "", "asr_secret": None} | door
    )


@pytest.fixture
def door(settings: Settings) -> Iterator[Site]:
    """The app in this process, called through a proxy on this machine."""
    with running(settings, peer="127.0.0.1") as site:
        yield site


@pytest.fixture
def asr(settings: Settings) -> Iterator[Served]:
    """The app on a real port, open for this machine, with workers."""
    set_door(settings, NETWORKS)
    with serving(settings) as served, played_workers(served):
        yield served


def jobs(*, deleted: bool = False) -> list[Job]:
    with context.ledger().read() as con:
        return job_store.deleted(con) if deleted else job_store.page(con)


def test_only_who_is_named_comes_in(door: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inside, outside = {"X-Forwarded-For": "10.1.2.3"}, {"X-Forwarded-For": "192.168.1.20"}
    secretly, wrongly = f"/asr-{SECRET}/asr", f"/asr-{SECRET}x/asr"
    cases: list[tuple[dict[str, Any], str, dict[str, str], int, str]] = [
        ({}, "/asr", inside, 404, "not_found"),
        ({}, "/detect-language", inside, 404, "not_found"),
        ({}, secretly, inside, 404, "not_found"),
        ({"asr_user": "bob"}, "/asr", inside, 404, "not_found"),
        (NETWORKS, "/asr", inside, 400, "bad_request"),  # it is let in, and refused as no form
        (NETWORKS, "/detect-language", inside, 400, "bad_request"),
        (NETWORKS, "/asr", outside, 403, "not_allowed"),
        (NETWORKS, secretly, inside, 404, "not_found"),
        (NETWORKS, "/asr", inside | {"Origin": "http://evil.example"}, 403, "cross_site"),
        (NETWORKS, "/asr", inside | {"Origin": "http://rebind.example", "Host": "rebind.example"}, 403, "cross_site"),
        (NETWORKS | {"asr_user": "nobody"}, "/asr", inside, 403, "not_allowed"),
        (NETWORKS | {"asr_user": "rex"}, "/asr", inside, 403, "not_allowed"),
        (SECRETLY, secretly, outside, 400, "bad_request"),
        (SECRETLY, f"/asr-{SECRET}/detect-language", outside, 400, "bad_request"),
        (SECRETLY, wrongly, outside, 404, "not_found"),
        (SECRETLY, "/asr", inside, 403, "not_allowed"),
    ]
    for settings, path, headers, status, code in cases:
        set_door(door.settings, settings)
        answer = door.client.post(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), (settings, path, headers)
        assert SECRET not in answer.text
    for method in ("GET", "PUT", "POST"):  # what people try, and what clients with a wrong address send
        for path in (secretly, f"{secretly}/asr", f"/{secretly}/"):
            door.client.request(method, path, headers=outside)
    assert SECRET not in "".join(
        record.getMessage() + str(record.__dict__) for record in caplog.records if "httpx" not in record.name
    )


@pytest.mark.parametrize("wrong", [{"asr_networks": "0.0.0.0/0"}, {"asr_networks": "bazarr"}, {"asr_secret": "short"}])
def test_a_door_that_stands_open_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises((BadRequest, ValueError), match="TRANSCRIBER_ASR_"):
        WebSettings(**wrong, _env_file=None)  # type: ignore[arg-type]


def test_what_bazarr_sends_becomes_a_recording_of_the_account(asr: Served) -> None:
    asked = {"task": "transcribe", "language": "de", "output": "srt", "encode": "false"}
    answer = httpx.post(
        f"{asr.url}/asr", params=asked, content=BAZARR % SAMPLES.tobytes(), headers=FORM, timeout=PATIENCE_S
    )
    assert (answer.status_code, answer.text) == (200, SRT)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    (job,) = jobs()
    with context.ledger().read() as con:
        accepted = [row.actor for row in audit.page(con, subject=job.id) if row.action == "job.accept"]
    assert accepted == [f"user:{job.owner_id}"]
    assert (job.name, job.options.language, job.options.task) == ("audio_file.wav", "de", "transcribe")
    heard, rate_hz = soundfile.read(io.BytesIO(context.files().read(names.media_name(job.media_sha256))), dtype="int16")
    assert rate_hz == 16_000
    assert np.array_equal(heard, SAMPLES)


def test_the_language_of_a_film_is_heard_in_six_places_and_its_job_is_deleted(asr: Served) -> None:
    film = np.resize(SAMPLES, 400 * 16_000)
    url, asked = f"{asr.url}/detect-language", {"encode": "false", "video_file": "/films/Nosferatu.mkv"}
    answer = httpx.post(url, params=asked, content=BAZARR % film.tobytes(), headers=FORM, timeout=PATIENCE_S)
    assert answer.json() == {"detected_language": "german", "language_code": "de", "confidence": 0.9}
    assert jobs() == []
    (job,) = jobs(deleted=True)
    assert (job.name, job.media_bytes) == ("language of Nosferatu.mkv.wav", 44 + 6 * 30 * 32_000)


def test_each_output_is_as_the_original_has_it(asr: Served) -> None:
    packed = io.BytesIO()
    soundfile.write(packed, SAMPLES, 16_000, format="FLAC")

    def ask(**query: str) -> httpx.Response:
        return httpx.post(
            f"{asr.url}/asr", params=query, files={"audio_file": ("a b.flac", packed.getvalue())}, timeout=60
        )

    assert ask().text == "Grüße an alle."
    assert ask(output="vtt", vad_filter="true", unknown="1").text == VTT
    told = ask(output="json", word_timestamps="true")
    assert told.headers["content-disposition"] == 'attachment; filename="a%20b.flac.json"'
    body = told.json()
    assert (body["language"], body["text"], len(body["segments"])) == ("de", "Grüße an alle.", 1)
    assert [word["word"] for word in body["segments"][0]["words"]] == [" Grüße", " an", " alle."]
    assert ask(output="json").json()["segments"][0]["words"] is None
    assert len(jobs()) == 1
    wrong = [{"task": "sing"}, {"output": "docx"}, {"language": "xx"}, {"diarize": "true"}, {"min_speakers": "2"}]
    for query in wrong:
        refused = ask(**query)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, next(iter(query)))
