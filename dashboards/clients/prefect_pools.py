"""Client for Prefect's work pools and queues, over its HTTP API, for page threads."""

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from dashboards.clients.prefect_runs import DEFAULT_API
from storage.domain.errors import PrefectAway
from storage.domain.translation import marked
from storage.remote.certificates import usual_tls

NOBODY = marked("nobody listens there")
TIMEOUT_S, CHANGE_WITHIN_S = 5.0, 30.0
"""Reads must not delay a page; changes may wait for Prefect's busy SQLite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue of a pool; a lower priority number is served earlier."""

    name: str
    paused: bool
    priority: int
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A work pool; `status` is ready, not_ready or paused."""

    name: str
    status: str
    paused: bool
    limit: int | None
    queues: tuple[Queue, ...]


def all_pools() -> list[Pool]:
    """Return the pools by name.

    Raises:
        PrefectAway: the server does not answer, or reports an error.
    """
    with PrefectServer() as server:
        pools = server.ask("POST", "/work_pools/filter", {})
        return sorted((_pool(server, pool) for pool in pools), key=lambda pool: pool.name)


def _pool(server: "PrefectServer", pool: dict[str, Any]) -> Pool:
    rows = server.ask("POST", f"/work_pools/{pool['name']}/queues/filter", {})
    queues = (
        Queue(name=row["name"], paused=row["is_paused"], priority=row["priority"], limit=row["concurrency_limit"])
        for row in rows
    )
    return Pool(
        name=pool["name"],
        status=str(pool.get("status") or "not_ready").lower(),
        paused=pool["is_paused"],
        limit=pool["concurrency_limit"],
        queues=tuple(sorted(queues, key=lambda queue: queue.priority)),
    )


def pause(pool: str, *, paused: bool) -> None:
    """Pause or resume a pool; runs in progress continue.

    Raises:
        PrefectAway: the server does not answer, or reports an error.
    """
    with PrefectServer(CHANGE_WITHIN_S) as server:
        server.ask("PATCH", f"/work_pools/{pool}", {"is_paused": paused})


class PrefectServer:
    """One conversation with the server in Prefect's settings."""

    def __init__(self, timeout_s: float = TIMEOUT_S, *, connections_kept: int | None = None) -> None:
        self._timeout_s, self._limits = timeout_s, httpx.Limits(max_keepalive_connections=connections_kept)

    def __enter__(self) -> "PrefectServer":
        from prefect.settings import get_current_settings

        api = get_current_settings().api
        headers = {}
        if api.auth_string:
            headers["Authorization"] = f"Basic {base64.b64encode(api.auth_string.get_secret_value().encode()).decode()}"
        elif api.key:
            headers["Authorization"] = f"Bearer {api.key.get_secret_value()}"
        self.api_url = str(api.url or DEFAULT_API)
        self._http = httpx.Client(
            base_url=self.api_url, headers=headers, timeout=self._timeout_s, limits=self._limits, verify=usual_tls()
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        """Send a request and return the answer, whatever its status.

        Raises:
            PrefectAway: there is none.
        """
        try:
            return self._http.request(method, path, json=body)
        except httpx.ConnectError as error:
            raise PrefectAway(self.api_url, NOBODY) from error
        except httpx.HTTPError as error:
            raise PrefectAway(self.api_url, str(error) or type(error).__name__) from error

    def ask(self, method: str, path: str, body: dict[str, Any]) -> Any:
        answer = self.send(method, path, body)
        try:
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise PrefectAway(self.api_url, str(error)) from error
        return answer.json() if answer.content else None
