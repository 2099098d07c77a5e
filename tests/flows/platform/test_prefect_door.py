"""The door of our Prefect server: hosts, origins and sign-in tickets."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from flows.platform.prefect_door import TICKET_S, PrefectDoor
from storage.domain.clock import utc_now
from storage.domain.settings import Settings, StorageSettings
from storage.remote.service_tokens import RotatingSecret, ServiceSecret, replace

HOME, AUTH = "http://127.0.0.1:4200", "transcriber:secret"


@dataclass(slots=True)
class Clock:
    """A clock that a test sets."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def door(clock: Clock | None = None, *, auth: str | None = AUTH, hosts: set[str] | None = None) -> httpx.AsyncClient:
    prefect = Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("prefect"), methods=["GET", "POST"])])
    app = PrefectDoor(prefect, auth=auth, origins=[HOME], hosts=hosts or {"127.0.0.1"}, clock=clock or Clock())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME)


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null", ""])
async def test_pages_of_other_origins_are_refused(origin: str) -> None:
    async with door() as http:
        answer = await http.post("/api/flow_runs/filter", headers={"Origin": origin})

    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (403, False)


async def test_its_own_pages_and_programs_pass() -> None:
    async with door() as http:
        for headers in ({}, {"Origin": HOME}):
            assert (await http.post("/api/flow_runs/filter", headers=headers)).text == "prefect"


@pytest.mark.parametrize("host", ["evil.example:4200", "127.0.0.1.evil.example", "[::1", ""])
async def test_other_hosts_are_refused(host: str) -> None:
    async with door() as http:
        assert (await http.get("/api/health", headers={"Host": host})).status_code == 403


async def test_no_page_shows_it_in_a_frame() -> None:
    async with door() as http:
        ticket = (await http.post("/sign-in", auth=("transcriber", "secret"))).json()["ticket"]
        for path in ("/v2/dashboard", "/sign-in", f"/sign-in?ticket={ticket}"):
            headers = (await http.get(path)).headers
            assert headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_a_ticket_signs_a_browser_in_once() -> None:
    async with door() as http:
        made = await http.post("/sign-in", auth=("transcriber", "secret"))
        ticket = {"ticket": made.json()["ticket"]}
        first, second = await http.get("/sign-in", params=ticket), await http.get("/sign-in", params=ticket)

    password = re.search(r'"prefect-password", "([^"]+)"', first.text)
    assert password
    assert base64.b64decode(password[1]).decode() == AUTH
    assert first.headers["cache-control"] == "no-store"
    assert second.status_code == 403
    assert "secret" not in second.text


async def test_a_ticket_ends_after_a_minute() -> None:
    clock = Clock()
    async with door(clock) as http:
        ticket = (await http.post("/sign-in", auth=("transcriber", "secret"))).json()
        clock.now = TICKET_S
        assert (await http.get("/sign-in", params=ticket)).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer x"}])
async def test_nobody_gets_a_ticket_without_the_secret(headers: dict[str, str]) -> None:
    async with door() as http:
        assert (await http.post("/sign-in", headers=headers)).status_code == 401
        assert (await http.get("/sign-in", params={"ticket": ""})).status_code == 403


async def test_a_server_without_a_secret_has_no_tickets() -> None:
    async with door(auth=None) as http:
        assert (await http.post("/sign-in")).text == "prefect"


@pytest.fixture
def kept(tmp_path: Path) -> RotatingSecret:
    """The secret in a data dir."""
    kept = RotatingSecret(tmp_path / "prefect-auth", prefix="transcriber:")
    kept.current()
    return kept


def rotate(folder: Path, *, until: datetime) -> None:
    settings = Settings()
    settings.__dict__["storage"] = StorageSettings(data_dir=folder, _env_file=None)
    replace(settings, ServiceSecret.PREFECT, until=until)


async def test_prefects_server_answers_through_a_rotation(kept: RotatingSecret, tmp_path: Path) -> None:
    """Prefect's own API checks the secret that it started with."""
    from prefect.server.api.server import create_api_app  # here: it takes seconds, in each process that collects

    own, first = "transcriber:of-this-start", kept.current().get_secret_value()
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: own}):
        app = PrefectDoor(
            create_api_app(),
            auth=own,
            kept=kept,
            origins=[HOME],
            hosts={"127.0.0.1"},
        )

    async def status_with(secret: str | None) -> int:
        auth = secret.split(":", 1) if secret else None
        answer = await http.get("/admin/version", auth=(auth[0], auth[1]) if auth else None)
        return answer.status_code

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        assert [await status_with(each) for each in (own, first, None, "transcriber:x")] == [200, 200, 401, 401]
        rotate(tmp_path, until=utc_now() + timedelta(hours=1))
        second = kept.current().get_secret_value()
        assert [await status_with(each) for each in (own, first, second)] == [200, 200, 200]
        made = await http.post("/sign-in", auth=("transcriber", second.partition(":")[2]))
        page = await http.get("/sign-in", params={"ticket": made.json()["ticket"]})
        assert base64.b64encode(second.encode()).decode() in page.text
        rotate(tmp_path, until=utc_now())
        third = kept.current().get_secret_value()
        assert [await status_with(each) for each in (own, first, second, third)] == [200, 401, 401, 200]


def test_prefects_websockets_open_through_a_rotation(kept: RotatingSecret, tmp_path: Path) -> None:
    from prefect.server.utilities import subscriptions

    async def news(websocket: WebSocket) -> None:
        """Accept as Prefect's endpoints do."""
        await subscriptions.accept_prefect_socket(websocket)

    def opened_with(secret: str) -> bool:
        with client.websocket_connect("ws://127.0.0.1:4200/api/events/out", subprotocols=["prefect"]) as socket:
            socket.send_json({"type": "auth", "token": secret})
            message = socket.receive()
            return message["type"] == "websocket.send" and "auth_success" in message["text"]

    own, first = "transcriber:of-this-start", kept.current().get_secret_value()
    prefect = Starlette(routes=[WebSocketRoute("/api/events/out", news)])
    app = PrefectDoor(prefect, auth=own, kept=kept, origins=[HOME], hosts={"127.0.0.1"})
    with (
        temporary_settings({PREFECT_SERVER_API_AUTH_STRING: own}),
        TestClient(app) as client,
    ):
        rotate(tmp_path, until=utc_now() + timedelta(hours=1))
        second = kept.current().get_secret_value()
        assert [opened_with(each) for each in (own, first, second, "x", "")] == [True, True, True, False, False]
        rotate(tmp_path, until=utc_now())
        assert [opened_with(each) for each in (own, first, second)] == [True, False, False]
