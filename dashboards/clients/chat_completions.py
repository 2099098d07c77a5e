"""A client of OpenAI's chat completions, as many servers have them.

https://platform.openai.com/docs/api-reference/chat/create
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from dashboards.clients import outgoing_http
from dashboards.clients.outgoing_http import OutgoingAnswer
from storage.domain.errors import HostUnreachable, OutgoingRefused, SummaryFailed
from storage.domain.settings import SummarySettings
from storage.domain.settings.summary_settings import ALLOWED
from storage.domain.translation import marked

MAX_ANSWER_BYTES = 4 << 20
THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
"""What some models write before their answer."""
REASONS: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: marked("it does not accept the key; an administrator can correct TRANSCRIBER_SUMMARY_KEY"),
    HTTPStatus.FORBIDDEN: marked(
        "it does not allow this to the key; an administrator can correct TRANSCRIBER_SUMMARY_KEY"
    ),
    HTTPStatus.NOT_FOUND: marked(
        "it has no such model or address; an administrator can correct TRANSCRIBER_SUMMARY_MODEL and "
        "TRANSCRIBER_SUMMARY_URL"
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: marked(
        "the text is too long for it; an administrator can lower TRANSCRIBER_SUMMARY_MAX_CHARS"
    ),
    HTTPStatus.TOO_MANY_REQUESTS: marked("it has too many requests at the moment; try again later"),
}


async def complete(settings: SummarySettings, messages: Sequence[Mapping[str, str]]) -> str:
    """Send messages, and return what the model answers.

    Raises:
        SummaryFailed: no answer came, or none that can be used.
    """
    asked = {"model": settings.summary_model, "messages": list(messages), "temperature": 0, "stream": False}
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if settings.summary_key:
        headers["Authorization"] = f"Bearer {settings.summary_key.get_secret_value()}"
    url, host, patience_s = f"{settings.summary_url}/chat/completions", settings.host, settings.summary_timeout_seconds
    sent = outgoing_http.request(
        settings.targets,
        "POST",
        url,
        headers=headers,
        content=json.dumps(asked).encode(),
        follow=(),
        patience_s=patience_s,
    )
    try:
        async with asyncio.timeout(patience_s), sent as answer:
            return _said(host, await _body(host, answer))
    except TimeoutError:
        raise SummaryFailed(
            host, "it took longer than {patience_s:g} s; try again later", {"patience_s": patience_s}
        ) from None
    except OutgoingRefused as error:
        raise SummaryFailed(
            host, "its address is not public; an administrator can list it in {setting}", {"setting": ALLOWED}
        ) from error
    except HostUnreachable as error:
        raise SummaryFailed(host, "{reason}; try again later", {"reason": error.reason}) from error


async def _body(host: str, answer: OutgoingAnswer) -> bytes:
    if answer.status != HTTPStatus.OK:
        raise _refusal(host, answer.status)
    found = b""
    async for block in answer.body:
        found += block
        if len(found) > MAX_ANSWER_BYTES:
            raise SummaryFailed(host, "its answer is too long")
    return found


def _refusal(host: str, status: int) -> SummaryFailed:
    if status in REASONS:
        return SummaryFailed(host, REASONS[status])
    return SummaryFailed(
        host, "it answers with an error of its own (HTTP {status}); try again later", {"status": status}
    )


def _said(host: str, body: bytes) -> str:
    """Return the text of an answer, without a model's thoughts before it."""
    try:
        told: Any = json.loads(body)
        text = told["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        text = None
    if not isinstance(text, str) or not text.strip():
        raise SummaryFailed(host, "its answer is not one of OpenAI's chat completions; check TRANSCRIBER_SUMMARY_URL")
    return THOUGHT.sub("", text).strip()
