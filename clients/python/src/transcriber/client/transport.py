"""What both clients set up alike: address, key, time-outs."""

import os
from collections.abc import Generator
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from transcriber.client.steps import Answer, Call

URL_VARIABLE, KEY_VARIABLE = "TRANSCRIBER_URL", "TRANSCRIBER_API_KEY"
READ_S = 60.0
USER_AGENT = "whisper-transcriber-client"


class KeyAuth(httpx.Auth):
    """Sends the API key with each request.

    It is in no header of the client and in no text of this object.
    """

    def __init__(self, api_key: SecretStr) -> None:
        self._api_key = api_key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._api_key.get_secret_value()}"
        yield request


def checked_url(url: str | None) -> str:
    """Return the address of the platform, with one slash at its end.

    By default, it is that of TRANSCRIBER_URL.

    Raises:
        ValueError: there is none, or it is no address.
    """
    url = (url or os.environ.get(URL_VARIABLE, "")).strip()
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            f"give the address of the platform, such as https://transcriber.example.org, or {URL_VARIABLE}"
        )
    if parts.username or parts.password:
        raise ValueError("leave user and password out of the address; the key is given on its own")
    return f"{url.rstrip('/')}/"


def checked_key(api_key: str | SecretStr | None) -> SecretStr:
    """Return the API key, by default that of TRANSCRIBER_API_KEY.

    Raises:
        ValueError: there is none, or it cannot be one; the message does not repeat it.
    """
    told = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    key = (told or os.environ.get(KEY_VARIABLE, "")).strip()
    if not key:
        raise ValueError(f"give an API key, or set {KEY_VARIABLE}; keys are made in the settings under API keys")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("this is no API key: it has characters that no key has")
    return SecretStr(key)


def request_of(http: httpx.Client | httpx.AsyncClient, call: Call) -> httpx.Request:
    """Return the request of a call."""
    timeout = httpx.Timeout(call.read_s or READ_S, connect=10.0, write=600.0, pool=600.0)
    return http.build_request(
        call.method,
        call.path,
        params=list(call.params) or None,
        headers=dict(call.headers),
        json=call.json,
        content=call.content,
        timeout=timeout,
    )


def answer_from(response: httpx.Response, body: bytes = b"") -> Answer:
    """Return an answer as the operations know it."""
    return Answer(status=response.status_code, headers=response.headers, body=body)
