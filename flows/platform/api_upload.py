"""Sending files to a running platform, as `transcriber batch` and the demonstration do."""

import json
from pathlib import Path
from typing import Any

import httpx

from flows.actor import operator
from storage.errors import LedgerUnreachable, RemoteError
from storage.records import Job, from_json
from storage.settings import Settings
from storage.tokens import worker_token

TIMEOUT = httpx.Timeout(600.0, connect=5.0)


def send_file(
    settings: Settings,
    path: Path,
    *,
    options: dict[str, Any],
    lane: str,
    owner: str,
    key: str | None,
    actor: str | None = None,
) -> Job:
    """Send one file to the web process and return the job that it became; the same `key` makes no second one.

    Raises:
        RemoteError: the web process refused it; the message is its own.
        LedgerUnreachable: it does not answer.
    """
    url = settings.web.base_url
    headers = {"Authorization": f"Bearer {worker_token(settings).get_secret_value()}"}
    form = {"options": json.dumps(options), "lane": lane, "owner": owner, "actor": actor or operator()}
    if key is not None:
        form["idempotency_key"] = key
    with path.open("rb") as opened, httpx.Client(timeout=TIMEOUT, trust_env=False, headers=headers) as http:
        try:
            answer = http.post(f"{url}/internal/v1/jobs", data=form, files={"file": (path.name, opened)})
        except httpx.TransportError as error:
            raise LedgerUnreachable(url, str(error) or type(error).__name__) from error
    if answer.is_success:
        return from_json(Job, answer.content)
    try:
        told = answer.json()["error"]
        raise RemoteError(answer.status_code, str(told["code"]), str(told["message"]))
    except (ValueError, KeyError, TypeError):
        raise LedgerUnreachable(url, f"something else answers there, with status {answer.status_code}") from None
