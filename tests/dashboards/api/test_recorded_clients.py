"""Requests as widely used programs send them, and what those read of the answer."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from dashboards.http.request_options import OptionsForm
from storage.domain.languages import NAMES
from tests.dashboards.served import Served, played_workers, secret_of
from tests.waiting import PATIENCE_S

BOUNDARY = "0d3f1f2f6a4b4c7e9b1a"
HOME_ASSISTANT = (
    "af ar hy az be bs bg ca zh hr cs da nl en et fi fr gl de",
    "el he hi hu is id it ja kn kk ko lv lt mk ms mr mi ne no",
    "fa pl pt ro ru sr sk sl es sw sv fil ta th tr uk ur vi cy",
)
"""What it sends as `language`: homeassistant/components/openai_conversation/stt.py, commit 0c3b5f1."""
PROMPT = "The following conversation is a smart home user talking to Home Assistant."


def body(fields: dict[str, str], name: str, data: bytes, *, kind: str | None) -> bytes:
    """Return a form as requests and httpx write it: the fields, then the file, with or without its type."""
    parts = [f'Content-Disposition: form-data; name="{field}"\r\n\r\n{value}' for field, value in fields.items()]
    told = f"\r\nContent-Type: {kind}" if kind else ""
    head = "".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts)
    head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"{told}\r\n\r\n'
    return head.encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


@pytest.mark.parametrize("code", " ".join(HOME_ASSISTANT).split())
def test_every_language_of_home_assistant_is_known(code: str) -> None:
    assert OptionsForm(language=code).options().language in NAMES


CLIENTS: dict[str, tuple[dict[str, str], str, str | None]] = {
    # openai_conversation/stt.py through openai's AsyncOpenAI, a WAV made of the samples of a satellite
    "Home Assistant": (
        {"model": "gpt-4o-mini-transcribe", "language": "fil", "prompt": PROMPT, "response_format": "json"},
        "a.wav",
        "audio/x-wav",
    ),
    # backend/open_webui/routers/audio.py, commit 01fb3e4: requests.post(…, files={"file": (name, open(…))}, data=…)
    "Open WebUI": ({"model": "whisper-1"}, "3f1c.wav", None),
    "Open WebUI, with a language": ({"model": "whisper-1", "language": "de"}, "3f1c.wav", None),
    # LiteLLM asks for verbose_json whatever its caller wants, since it reads `duration` for its costs
    "LiteLLM": ({"model": "whisper-1", "response_format": "verbose_json"}, "talk.wav", "audio/wav"),
    "a list in brackets": (
        {"model": "whisper-1", "response_format": "verbose_json", "timestamp_granularities[]": "word"},
        "talk.wav",
        "application/octet-stream",
    ),
}


def test_widely_used_programs_are_answered_as_they_expect(served: Served, tone: Callable[..., bytes]) -> None:
    with played_workers(served), httpx.Client(base_url=served.url, timeout=PATIENCE_S) as http:
        key = secret_of("ada")
        for client, (fields, name, kind) in CLIENTS.items():
            headers = {"Authorization": f"Bearer {key}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            content = body(fields, name, tone(0.5, 400.0 + len(client)), kind=kind)
            answer = http.post("/v1/audio/transcriptions", headers=headers, content=content)
            assert answer.status_code == 200, f"{client}: {answer.text}"
            told: dict[str, Any] = answer.json()
            assert told["text"] == "Grüße an alle.", client
            if fields.get("response_format") == "verbose_json":
                assert told["duration"] == 1.0, client
        refused = http.post(
            "/v1/audio/transcriptions",
            headers={"Authorization": f"Bearer {key}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
            content=body({"model": "no-such-model"}, "a.wav", b"x", kind=None),
        )
        assert refused.status_code == 404
        assert refused.json()["error"]["message"]  # what Open WebUI shows: res["error"].get("message")
