"""The Prefect UI's address, with a ticket to sign in at our own server."""

from urllib.parse import quote

import httpx

from dashboards.clients.prefect_pools import PrefectServer
from storage.domain.errors import PrefectAway

SIGN_IN = "/sign-in"


def address() -> str:
    """Return an address that opens the UI, signed in if the server is ours.

    A server that somebody else runs asks for its own secret.

    Raises:
        PrefectAway: the server does not answer.
    """
    from prefect.settings import get_current_settings

    settings = get_current_settings()
    with PrefectServer() as server:
        api_url = server.api_url
        root = api_url.removesuffix("/").removesuffix("/api")
        home = (settings.ui_url or root).rstrip("/")
        answer = server.send("POST", f"{root}{SIGN_IN}", {})
    if answer.status_code != httpx.codes.CREATED:
        return home
    try:
        return f"{home}{SIGN_IN}?ticket={quote(answer.json()['ticket'], safe='')}"
    except (ValueError, KeyError, TypeError) as error:
        raise PrefectAway(api_url, "something else answers there") from error
