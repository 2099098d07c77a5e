"""Work pools and their queues as the Prefect server has them, and their pause; over its HTTP API, from page threads."""

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from dashboards.prefect_runs import DEFAULT_API
from storage.errors import PrefectAway

TIMEOUT_S, CHANGE_WITHIN_S = 5.0, 30.0
"""A look must not hold a page up for long; a change is waited for, since Prefect's SQLite may be busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue of a pool; the lower its priority's number, the earlier its runs are taken."""

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
        PrefectAway: the server does not answer, or not well.
    """
    with _Server() as server:
        pools = server.ask("POST", "/work_pools/filter", {})
        return sorted((_pool(server, pool) for pool in pools), key=lambda pool: pool.name)


def _pool(server: "_Server", pool: dict[str, Any]) -> Pool:
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
    """Stop workers from taking runs of a pool, or let them again; runs in hand go on.

    Not for single queues: on SQLite, Prefect 3.8 waits there for a lock of its own until the request times out
    (`emit_work_queue_status_event` opens a second session inside the first one's transaction).

    Raises:
        PrefectAway: the server does not answer, or not well.
    """
    with _Server(CHANGE_WITHIN_S) as server:
        server.ask("PATCH", f"/work_pools/{pool}", {"is_paused": paused})


class _Server:
    """One conversation with the server that Prefect's settings name."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    def __enter__(self) -> "_Server":
        from prefect.settings import get_current_settings

        api = get_current_settings().api
        headers = {}
        if api.auth_string:
            headers["Authorization"] = f"Basic {base64.b64encode(api.auth_string.get_secret_value().encode()).decode()}"
        elif api.key:
            headers["Authorization"] = f"Bearer {api.key.get_secret_value()}"
        self._http = httpx.Client(base_url=api.url or DEFAULT_API, headers=headers, timeout=self._timeout_s)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: dict[str, Any]) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
            answer.raise_for_status()
        except httpx.ConnectError as error:
            raise PrefectAway(str(self._http.base_url), "nobody listens there") from error
        except httpx.HTTPError as error:
            raise PrefectAway(str(self._http.base_url), str(error) or type(error).__name__) from error
        return answer.json() if answer.content else None
