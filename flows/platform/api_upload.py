"""Upload files to a running platform, for `transcriber batch` and the demo."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
from pydantic import SecretStr, TypeAdapter

from flows.platform.os_user import operator
from storage.domain.batch_outcomes import MOST_KEYS, KnownRecording, KnownState, printable
from storage.domain.errors import LedgerUnreachable, RemoteError
from storage.domain.records import Job, from_json
from storage.domain.settings import Settings
from storage.domain.tags import SEPARATOR
from storage.remote.service_tokens import strongest_token

TIMEOUT = httpx.Timeout(600.0, connect=5.0)
KEPT_S = 2.0
_making_client = Lock()
_STATES: TypeAdapter[list[KnownState]] = TypeAdapter(list[KnownState])


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """The job of a file that was sent, which may have been there already."""

    job: Job
    is_new: bool


def send_file(
    settings: Settings,
    path: Path,
    *,
    options: dict[str, Any],
    lane: str,
    owner: str,
    key: str | None,
    actor: str | None = None,
    replaces: str | None = None,
    token: SecretStr | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> SentFile:
    """Upload one file and return its job; a repeated `key` creates no second job.

    `replaces` is the job of an earlier part of the same file, which is deleted then. The token is the strongest one of
    this machine, unless another is given.

    Raises:
        RemoteError: the web process refused it; the message is its own.
        LedgerUnreachable: it does not answer.
    """
    form = {"options": json.dumps(options), "lane": lane, "owner": owner, "actor": actor or operator()}
    if key is not None:
        form["idempotency_key"] = key
    if replaces is not None:
        form["replaces"] = replaces
    if tags:
        form["tags"] = SEPARATOR.join(tags)
    if metadata:
        form["metadata"] = json.dumps(dict(metadata))
    with path.open("rb") as opened:
        answer = _post(settings, "jobs", token, data=form, files={"file": (printable(name or path.name), opened)})
    return SentFile(job=from_json(Job, answer.content), is_new=answer.status_code == HTTPStatus.CREATED)


def known_recording(
    settings: Settings, *, owner: str, key: str, again: bool, actor: str, token: SecretStr | None = None
) -> KnownRecording:
    """Return what earlier batches did with a recording; `again` retries it if it failed.

    Raises:
        RemoteError: the web process refused to say it.
        LedgerUnreachable: it does not answer.
    """
    asked = {"owner": owner, "key": key, "again": again, "actor": actor}
    return from_json(KnownRecording, _post(settings, "known-recordings", token, json=asked).content)


def known_states(
    settings: Settings, *, owner: str, keys: Sequence[str], token: SecretStr | None = None
) -> list[KnownState]:
    """Return what earlier batches did with many recordings, in the order of their keys.

    Raises:
        RemoteError: the web process refused to say it.
        LedgerUnreachable: it does not answer.
    """
    found: list[KnownState] = []
    for start in range(0, len(keys), MOST_KEYS):
        asked = {"owner": owner, "keys": list(keys[start : start + MOST_KEYS])}
        found += _STATES.validate_json(_post(settings, "known-recordings/many", token, json=asked).content)
    return found


@cache
def _shared_client() -> httpx.Client:
    limits = httpx.Limits(keepalive_expiry=KEPT_S)  # connections are left before the server closes them
    return httpx.Client(timeout=TIMEOUT, trust_env=False, limits=limits)


def _client() -> httpx.Client:
    """Return the one client of this process; threads may ask for it at once."""
    with _making_client:
        return _shared_client()


def _post(settings: Settings, path: str, token: SecretStr | None, **content: Any) -> httpx.Response:
    url = settings.web.base_url
    headers = {"Authorization": f"Bearer {(token or strongest_token(settings)).get_secret_value()}"}
    try:
        answer = _client().post(f"{url}/internal/v1/{path}", headers=headers, **content)
    except httpx.TransportError as error:
        raise LedgerUnreachable(url, str(error) or type(error).__name__) from error
    if answer.is_success:
        return answer
    try:
        error_body = answer.json()["error"]
        raise RemoteError(answer.status_code, str(error_body["code"]), str(error_body["message"]))
    except (ValueError, KeyError, TypeError):
        raise LedgerUnreachable(url, f"something else answers there, with status {answer.status_code}") from None
