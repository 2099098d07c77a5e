"""Trusted proxies name client, scheme and host; nobody else does."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboards.http.forwarding import Forwarding, client_address, over_https
from dashboards.runtime import context
from dashboards.serve import server_config
from storage.accounts import sessions
from storage.domain.settings import Settings, WebSettings
from storage.jobs import share_links
from storage.ledger import audit
from tests.dashboards.heard import hear
from tests.dashboards.site import ORIGIN, PASSWORD, Site, running
from tests.waiting import PATIENCE_S

CLIENT = "203.0.113.7"
FORGED = {
    "X-Forwarded-For": "198.51.100.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=198.51.100.1;proto=https;host=evil.example",
    "X-Real-IP": "198.51.100.1",
}


async def echo(request: Request) -> Response:
    """Answer with everything that the app may know of the request."""
    told = {name: value for name, value in request.headers.items() if "forward" in name or name == "x-real-ip"}
    return JSONResponse([client_address(request), str(request.base_url), over_https(request), told])


async def stay(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"{client_address(websocket)} {websocket.url.scheme}")
    await websocket.receive()


def app_of(web: WebSettings, **limits: Any) -> Starlette:
    routes = [Route(path, echo) for path in ("/", "/livez", "/readyz")]
    middleware = [Middleware(Forwarding, web=web, **limits)]
    return Starlette(routes=[*routes, WebSocketRoute("/ws", stay)], middleware=middleware)


def settings_of(**web: Any) -> WebSettings:
    return WebSettings(_env_file=None, **web)


def told(peer: str, headers: dict[str, str], **web: Any) -> list[Any]:
    client = TestClient(app_of(settings_of(**web)), base_url="http://nas.lan:8501", client=(peer, 1))
    answer: list[Any] = client.get("/", headers=headers).json()
    return answer


@pytest.mark.parametrize(
    ("peer", "proxies"),
    [("192.0.2.1", "10.0.0.0/8"), ("2001:db8::1", "fd00::/8"), ("127.0.0.1", "0"), ("127.0.0.1", "")],
)
def test_headers_of_an_untrusted_peer_have_no_effect(peer: str, proxies: str) -> None:
    assert told(peer, FORGED, trusted_proxies=proxies) == [peer, "http://nas.lan:8501/", False, {}]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (FORGED, ["198.51.100.1", "https://evil.example/", True]),
        ({"X-Forwarded-For": f"6.6.6.6, {CLIENT}"}, [CLIENT, "http://nas.lan:8501/", False]),
        # Each proxy appends to the lists: what the client wrote stands first.
        (
            {
                "X-Forwarded-For": f"6.6.6.6, {CLIENT}",
                "X-Forwarded-Proto": "https, http",
                "X-Forwarded-Host": "evil.example, app.example",
            },
            [CLIENT, "http://app.example/", False],
        ),
        # Two proxies that append, then two that pass on what the outer one set.
        (
            {
                "X-Forwarded-For": f"6.6.6.6, {CLIENT}, 10.0.0.3",
                "X-Forwarded-Proto": "http, https, http",
                "X-Forwarded-Host": "evil.example, app.example, inner.lan",
            },
            [CLIENT, "https://app.example/", True],
        ),
        (
            {
                "X-Forwarded-For": f"{CLIENT}, 10.0.0.3",
                "X-Forwarded-Proto": "HTTPS",
                "X-Forwarded-Host": "app.example:8443",
            },
            [CLIENT, "https://app.example:8443/", True],
        ),
        # IPv6 with a port, and garbage of every kind.
        (
            {"X-Forwarded-For": "[2001:db8::7]:99", "X-Forwarded-Host": "[2001:db8::1]:8443"},
            ["2001:db8::7", "http://[2001:db8::1]:8443/", False],
        ),
        (
            {"X-Forwarded-For": "<b>, ', ,", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "a b/../@x"},
            ["10.0.0.2", "http://nas.lan:8501/", False],
        ),
        (
            {"X-Forwarded-For": ",,,", "X-Forwarded-Proto": " ", "X-Forwarded-Host": "," * 500},
            ["10.0.0.2", "http://nas.lan:8501/", False],
        ),
        ({"X-Real-IP": CLIENT, "Forwarded": f"for={CLIENT}"}, ["10.0.0.2", "http://nas.lan:8501/", False]),
    ],
)
def test_a_trusted_proxy_names_client_scheme_and_host(headers: dict[str, str], found: list[Any]) -> None:
    assert told("10.0.0.2", headers, trusted_proxies="10.0.0.0/8") == [*found, {}]


def test_a_number_of_proxies_counts_from_the_end() -> None:
    through = {"X-Forwarded-For": f"6.6.6.6, {CLIENT}, 192.0.2.9", "X-Forwarded-Proto": "https"}
    assert told("192.0.2.1", through, trusted_proxies="2")[:3] == [CLIENT, "https://nas.lan:8501/", True]
    around = {"X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "https"}
    assert told("192.0.2.1", around, trusted_proxies="2")[:3] == ["192.0.2.1", "http://nas.lan:8501/", False]


def test_a_public_https_address_makes_every_request_secure() -> None:
    plain = {"Host": "t.example", "X-Forwarded-For": CLIENT, "X-Forwarded-Proto": "http"}
    assert told("127.0.0.1", plain, public_url="https://t.example")[2] is True
    assert told("192.0.2.1", {"Host": "t.example"}, public_url="http://t.example")[2] is False


def test_a_forwarded_host_does_not_hide_the_one_that_was_asked_for() -> None:
    """A page whose name leads to this machine (DNS rebinding) may set any header."""
    client = TestClient(app_of(settings_of(public_url="https://t.example")), client=("127.0.0.1", 1))
    for sent, forwarded, status in [
        ("t.example", "evil.example", 421),
        ("evil.example", "t.example", 421),
        ("127.0.0.1:8501", "t.example", 200),
    ]:
        headers = {"Host": sent, "X-Forwarded-Host": forwarded}
        assert client.get("/", headers=headers).status_code == status, (sent, forwarded)
    with pytest.raises(WebSocketDisconnect):
        client.websocket_connect("/ws", headers={"Host": "evil.example", "X-Forwarded-Host": "t.example"}).__enter__()


def test_an_unknown_host_is_told_where_to_go_and_health_answers_under_any() -> None:
    client = TestClient(app_of(settings_of(public_url="https://t.example")), client=("192.0.2.1", 1))
    refused = client.get("/", headers={"Host": "evil.example"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (421, "unknown_host")
    assert "https://t.example" in refused.json()["error"]["message"]
    assert "TRANSCRIBER_ALLOWED_HOSTS" in refused.json()["error"]["message"]
    for path in ("/livez", "/readyz"):
        assert client.get(path, headers={"Host": "pod-7.internal"}).status_code == 200
    for host in ("192.168.1.7:8501", "[::1]:8501", "localhost", "t.example"):
        assert client.get("/", headers={"Host": host}).status_code == 200, host


def test_one_client_behind_a_proxy_takes_only_its_part() -> None:
    app = app_of(settings_of(trusted_proxies="10.0.0.0/8"), most_by_address=1)
    client = TestClient(app, client=("10.0.0.2", 1))
    mine, other = ({"X-Forwarded-For": f"6.6.6.6, {address}"} for address in (CLIENT, "203.0.113.8"))
    with client.websocket_connect("/ws", headers=mine | {"X-Forwarded-Proto": "https"}) as first:
        assert first.receive_text() == f"{CLIENT} wss"
        with pytest.raises(WebSocketDisconnect):
            client.websocket_connect("/ws", headers=mine).__enter__()
        assert client.get("/", headers=mine).status_code == 429
        assert client.get("/", headers=other).status_code == 200
        first.send_text("done")
    assert client.get("/", headers=mine).status_code == 200


@pytest.mark.parametrize(("proxies", "found"), [("0", "127.0.0.1"), ("127.0.0.1", CLIENT), ("2", "6.6.6.6")])
async def test_the_server_itself_believes_nobody(proxies: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    web = settings_of(trusted_proxies=proxies)
    config = server_config(app_of(web), web)
    config.port = 0
    server = uvicorn.Server(config)
    running_server = asyncio.create_task(server.serve())
    while not server.started:
        assert not running_server.done()
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.servers[0].sockets[0].getsockname()[1])
    lines = ["GET / HTTP/1.1", "Host: x", "X-Forwarded-For: 6.6.6.6", f"X-Forwarded-For: {CLIENT}", "Connection: close"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    body = (await asyncio.wait_for(reader.read(), PATIENCE_S)).partition(b"\r\n\r\n")[2]
    writer.close()
    server.should_exit = True
    await running_server
    assert json.loads(body)[0] == found


def configured(settings: Settings, **web: Any) -> Settings:
    """Return the settings of a data dir with other ones of the web process."""
    settings.__dict__["web"] = settings.web.model_copy(update=web)
    return settings


def clients(site: Site, name: str) -> list[str]:
    with context.ledger().read() as con:
        return [session.client.split(" ")[0] for session in sessions.list_of(con, site.user(name).id)]


def log_in(site: Site, name: str, password: str = PASSWORD, **headers: str) -> Any:
    form = {"name": name, "password": password}
    return site.client.post("/auth/session", data=form, headers=ORIGIN | headers, follow_redirects=False)


def behind(forwarded_for: str) -> dict[str, str]:
    return {"X-Forwarded-For": forwarded_for, "X-Forwarded-Proto": "http"}


def test_the_app_counts_and_records_the_client_behind_its_proxy(settings: Settings) -> None:
    web = {"trusted_proxies": "10.0.0.0/8", "public_url": "https://t.example", "allowed_hosts": "testserver"}
    page = {"Origin": "https://testserver"}
    with running(configured(settings, **web), peer="10.0.0.2") as site:
        for tried in range(5):
            assert log_in(site, "ada", "wrong", **page, **behind(f"198.51.100.{tried}, {CLIENT}")).status_code == 401
        assert log_in(site, "ada", **page, **behind(f"198.51.100.99, {CLIENT}")).status_code == 429
        answer = log_in(site, "ada", **page, **behind("203.0.113.8"))
        assert answer.status_code == 200
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" in answer.headers
        assert clients(site, "ada") == ["203.0.113.8"]
        of_streamlit = site.client.get("/_stcore/health", headers=behind("203.0.113.8")).headers["set-cookie"]
        assert (of_streamlit.partition("=")[0], "; secure" in of_streamlit.lower()) == ("_streamlit_xsrf", True)

        job = hear(site.user("ada"))
        token, _ = context.ledger().run(share_links.create, job.id, lasts=timedelta(days=1), actor="system:test")
        assert site.client.get(f"/shared/{token}", headers=behind(f"6.6.6.6, {CLIENT}")).status_code == 200
        with context.ledger().read() as con:
            assert [row.detail["client"] for row in audit.page(con, action="share.open")] == [CLIENT]

        refused = log_in(site, "ada", **behind("203.0.113.8"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "needs_https")
        assert "https://t.example" in refused.json()["error"]["message"]
        on_the_machine = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}
        assert log_in(site, "ada", **on_the_machine, **behind("203.0.113.8")).status_code == 200

        refused = site.client.get("/", headers={"Host": "evil.example"})
        assert refused.status_code == 421
        assert {"strict-transport-security", "x-request-id", "content-security-policy"} <= set(refused.headers)


def test_the_app_does_not_let_a_stranger_choose_an_address(settings: Settings) -> None:
    with running(configured(settings, trusted_proxies="10.0.0.0/8"), peer="192.0.2.1") as site:
        for tried in range(5):
            forged = FORGED | {"X-Forwarded-For": f"198.51.100.{tried}"}
            assert log_in(site, "ada", "wrong", **forged).status_code == 401
        assert log_in(site, "ada", **FORGED).status_code == 429
        answer = log_in(site, "bob", **FORGED)
        assert answer.status_code == 200
        assert "secure" not in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" not in answer.headers
        assert clients(site, "bob") == ["192.0.2.1"]
