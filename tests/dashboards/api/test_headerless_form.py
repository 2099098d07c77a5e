"""Recordings without a header are taken as the client says."""

import io

import httpx
import numpy as np
import soundfile

from dashboards.runtime import context
from storage.domain import names
from storage.jobs import job_store
from tests.dashboards.served import Served, played_workers, secret_of
from tests.dashboards.site import Site
from tests.waiting import PATIENCE_S

SAMPLES = (8000 * np.sin(np.arange(16_000) / 5)).astype("<i2")
LITTLE, BIG = SAMPLES.tobytes(), SAMPLES.byteswap().tobytes()
FIELDS = {"input_format": "s16le", "sample_rate": "16000"}
SENT = [
    (("1.pcm", LITTLE, "application/octet-stream"), FIELDS, "1.wav"),
    (("2", LITTLE, "audio/pcm; rate=16000"), {}, "2.wav"),
    (("3.wav", LITTLE, "audio/pcm"), {"sample_rate": "16000"}, "3.wav"),
    (("4.mp3", BIG, "audio/L16;rate=16000;channels=1"), {}, "4.mp3.wav"),
    (("5.raw", LITTLE, "audio/l16;rate=8000"), FIELDS, "5.wav"),
]


def test_samples_are_taken_as_the_client_says_and_stored_as_wav(served: Served) -> None:
    headers, url = {"Authorization": f"Bearer {secret_of('ada')}"}, f"{served.url}/v1/audio/transcriptions"
    with played_workers(served), httpx.Client(headers=headers, timeout=PATIENCE_S) as http:
        for file, form, taken_as in SENT:
            answer = http.post(url, data=form, files={"file": file})
            assert answer.json()["text"] == "Grüße an alle.", (taken_as, answer.text)
            with context.ledger().read() as con:
                newest, *_ = job_store.page(con)
            stored = context.files().read(names.media_name(newest.media_sha256))
            samples, rate_hz = soundfile.read(io.BytesIO(stored), dtype="int16")
            assert (newest.name, newest.media_bytes, rate_hz) == (taken_as, len(stored), 16_000)
            assert np.array_equal(samples, SAMPLES)
        for kind, status in (("application/octet-stream", 415), ("audio/pcm", 400)):
            assert http.post(url, files={"file": ("talk.raw", LITTLE, kind)}).status_code == status
    assert list(context.current().shelf.folder.iterdir()) == []


def a_law() -> bytes:
    """Return a second of A-law without a header, at 8 kHz."""
    raw = io.BytesIO()
    soundfile.write(raw, SAMPLES[:8000], 8000, format="RAW", subtype="ALAW")
    return raw.getvalue()


def test_a_job_is_made_of_a_recording_without_a_header(site: Site) -> None:
    headers, file = site.key_of(site.user("ada")), ("call.alaw", a_law())
    asked = site.client.post("/api/v1/jobs", files={"file": file}, headers=headers)
    assert (asked.status_code, asked.json()["error"]["code"]) == (415, "header_missing")
    assert "input_format and sample_rate" in asked.json()["error"]["message"]

    form = {"input_format": "alaw", "sample_rate": "8000"}
    answer = site.client.post("/api/v1/jobs", files={"file": file}, data=form, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "call.wav"
    media = site.client.get(f"/api/v1/jobs/{answer.json()['id']}/media", headers=headers).json()
    assert (media["codec"], media["sample_rate_hz"], media["duration_s"]) == ("pcm_alaw", 8000, 1.0)


REFUSED = [
    ({"input_format": "wav"}, "input_format", "alaw, mulaw, g722, gsm"),
    ({"input_format": "alaw"}, "sample_rate", "say it in Hz"),
    ({"input_format": "alaw", "sample_rate": "8 kHz"}, "sample_rate", "integer"),
    ({"input_format": "alaw", "sample_rate": "800"}, "sample_rate", "from 4000 to 192000"),
    ({"input_format": "gsm", "sample_rate": "16000"}, "sample_rate", "always has 8000 Hz"),
    ({"sample_rate": "8000"}, "sample_rate", "say the format, too"),
]


def test_what_will_not_do_is_refused_with_what_would(site: Site) -> None:
    headers, files = site.key_of(site.user("ada")), {"file": ("call", a_law())}
    for form, param, said in REFUSED:
        answer = site.client.post("/api/v1/jobs", files=files, data=form, headers=headers)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), form
        assert said in answer.json()["error"]["message"], form
