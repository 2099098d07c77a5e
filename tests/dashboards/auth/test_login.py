"""Login, logout, passwords, and the end of sessions."""

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import WebSocketTestSession

from dashboards.http.access_middleware import COOKIE
from dashboards.http.device_cookie import DEVICE_COOKIE
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from dashboards.strings import waiting
from storage.accounts import api_keys, sessions, users
from storage.domain.clock import utc_now
from storage.domain.settings import RateLimitSettings, Settings
from storage.ledger import audit
from tests.dashboards.site import ORIGIN, PASSWORD, Site, make_settings, running
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site

NEW = "a better password"
AT_ONCE_S = 20.0
"""A bound for busy machines; on a quiet one it is a matter of milliseconds."""


def code_of_closing(page: WebSocketTestSession) -> int:
    while (message := page.receive())["type"] != "websocket.close":
        pass
    return int(message["code"])


def test_the_first_start_makes_an_administrator_who_must_change_the_password(tmp_path: Path) -> None:
    with running(make_settings(tmp_path)) as site:
        answer = site.log_in("admin", "first password")
        assert answer.json() == {"ok": True, "next": "/", "user": "admin", "must_change_password": True}


def test_the_first_start_prints_a_password_that_it_made_up_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(tmp_path, admin_password=None)
    with running(settings) as site:
        said = capsys.readouterr().out
        password = next(line.strip() for line in said.splitlines() if line.startswith("      "))
        assert site.log_in("admin", password).status_code == 200
    with running(settings):
        assert capsys.readouterr().out == ""


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    cookie = site.log_in("ada").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie


def test_over_https_the_cookie_stays_on_https(site: Site) -> None:
    form = {"name": "ada", "password": PASSWORD}
    answer = site.client.post(
        "https://testserver/auth/session", data=form, headers={"Origin": "https://testserver"}, follow_redirects=False
    )
    assert "secure" in answer.headers["set-cookie"].lower()
    assert "strict-transport-security" in answer.headers


def test_a_plain_form_is_led_back_to_where_it_came_from(site: Site) -> None:
    for asked, led in {"/job?id=7": "/job?id=7", "https://evil.example/": "/", "//evil.example": "/"}.items():
        form = {"name": "ada", "password": PASSWORD, "next": asked}
        answer = site.client.post("/auth/session", data=form, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, led)


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(site: Site) -> None:
    wrong, unknown = site.log_in("ada", "wrong"), site.log_in("nobody", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert "set-cookie" not in wrong.headers


@pytest.mark.own_site
def test_guessing_is_stopped(site: Site) -> None:
    for _ in range(5):
        site.log_in("ada", "wrong")
    answer = site.log_in("ada")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (1, "1 second"),
        (120, "120 seconds"),
        (121, "3 minutes"),
        (300, "5 minutes"),
        (7200, "120 minutes"),
        (7201, "3 hours"),
    ],
)
def test_a_time_to_wait_is_rounded_up(seconds: int, told: str) -> None:
    assert waiting(seconds) == told


def test_a_plain_form_is_told_on_a_page_how_long_to_wait(settings: Settings) -> None:
    settings.__dict__["rates"] = RateLimitSettings(rate_limit_auth="6 per day", _env_file=None)
    form, browser = {"name": "ada", "password": "wrong"}, {"Accept": "text/html,*/*;q=0.8"}
    with running(settings) as site:
        asked = [
            site.client.post("/auth/session", data=form, headers=browser, follow_redirects=False) for _ in range(7)
        ]
        script = site.client.post("/auth/session", data=form, headers={"Accept": "*/*"})
    assert [answer.status_code for answer in asked] == [303] * 5 + [429] * 2
    for answer, reason in ((asked[5], "too many failed attempts"), (asked[6], "Too many requests")):
        assert answer.headers["content-type"].startswith("text/html")
        assert reason in answer.text
        assert f"Wait {waiting(int(answer.headers['retry-after']))}, then try again" in answer.text
    assert (script.status_code, script.json()["error"]["code"]) == (429, "rate_limit_exceeded")


@pytest.mark.own_site
def test_a_browser_that_is_known_is_let_in_while_strangers_guess(site: Site) -> None:
    cookie = site.log_in("ada").headers.get_list("set-cookie")[1].lower()
    assert cookie.startswith(f"{DEVICE_COOKIE}=")
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/auth"))
    device = site.client.cookies[DEVICE_COOKIE]
    site.client.cookies.clear()
    for _ in range(5):
        site.log_in("ada", "wrong")
    refused = site.log_in("ada")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_tries")
    site.client.cookies.set(DEVICE_COOKIE, device, domain="testserver.local", path="/auth")
    assert site.log_in("ada").status_code == 200
    assert site.client.cookies[DEVICE_COOKIE] == device


def test_the_limit_of_an_address_does_not_lock_out_a_known_browser(settings: Settings) -> None:
    settings.__dict__["rates"] = RateLimitSettings(rate_limit_auth="2 per hour", _env_file=None)
    with running(settings) as site:
        site.log_in("ada")
        device = site.client.cookies[DEVICE_COOKIE]
        site.client.cookies.clear()
        assert [site.log_in("bob", "wrong").status_code for _ in range(3)] == [401, 401, 429]
        site.client.cookies.set(DEVICE_COOKIE, device, domain="testserver.local", path="/auth")
        assert [site.log_in("ada", given).status_code for given in (PASSWORD, "wrong", "wrong", PASSWORD)] == [
            200,
            401,
            401,
            429,
        ]


def test_logging_out_ends_the_session_on_the_server(site: Site) -> None:
    site.sign_in()
    token = site.client.cookies[COOKIE]
    assert site.client.post("/auth/logout", headers=ORIGIN).status_code == 200
    assert COOKIE not in site.client.cookies
    site.client.cookies.set(COOKIE, token, domain="testserver.local")
    assert site.client.get("/recordings/x").status_code == 401


def test_logging_in_again_ends_the_session_before(site: Site) -> None:
    site.sign_in()
    before = site.client.cookies[COOKIE]
    site.log_in("bob")
    site.client.cookies.clear()
    site.client.cookies.set(COOKIE, before, domain="testserver.local")
    assert site.client.get("/recordings/x").status_code == 401


@pytest.mark.parametrize("path", ["/_stcore/stream", "/events"])
def test_logging_out_closes_open_pages_at_once(site: Site, path: str) -> None:
    site.sign_in()
    with site.client.websocket_connect(path, headers=ORIGIN) as page:
        began = time.monotonic()
        site.client.post("/auth/logout", headers=ORIGIN)
        assert code_of_closing(page) == 4401
        assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.own_site
@pytest.mark.parametrize("how", ["revoked", "disabled", "expired"])
def test_a_session_that_ends_in_the_ledger_closes_its_pages(site: Site, how: str) -> None:
    session_id = site.sign_in()
    with site.client.websocket_connect("/events", headers=ORIGIN) as page:
        began = time.monotonic()
        match how:
            case "revoked":
                context.ledger().run(sessions.end, session_id, actor="system:test")
            case "disabled":
                context.ledger().run(users.set_disabled, site.user().id, disabled=True, actor="system:test")
            case "expired":
                with context.ledger().write() as con:
                    con.execute("UPDATE sessions SET expires_at = now() - INTERVAL 1 SECOND")
            case _:
                raise AssertionError(how)
        assert code_of_closing(page) == 4401
        assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.own_site
@pytest.mark.parametrize("how", ["revoked", "disabled"])
def test_a_key_that_ends_closes_what_it_has_open(site: Site, how: str) -> None:
    user = site.user()
    with site.client.websocket_connect("/events", headers=site.key_of(user)) as socket:
        began = time.monotonic()
        if how == "disabled":
            context.ledger().run(users.set_disabled, user.id, disabled=True, actor="system:test")
        else:
            with context.ledger().read() as con:
                (key,) = api_keys.list_of(con, user.id)
            context.ledger().run(api_keys.revoke, key.id, actor="system:test")
        assert code_of_closing(socket) == 4401
        assert time.monotonic() - began < AT_ONCE_S


@pytest.mark.own_site
def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(site: Site) -> None:
    other = site.sign_in()
    site.sign_in()
    form = {"current": PASSWORD, "new": NEW}
    assert site.client.post("/auth/password", json=form, headers=ORIGIN).status_code == 200
    assert site.client.get("/recordings/x").status_code == 404
    with context.ledger().read() as con:
        assert other not in [session.id for session in sessions.list_of(con, site.user().id)]
    assert site.log_in("ada", NEW).status_code == 200
    assert site.log_in("ada", PASSWORD).status_code == 401


@pytest.mark.own_site
@pytest.mark.parametrize(("ends", "status"), [(True, 401), (False, 200)])
def test_a_new_password_ends_the_keys_if_their_owner_wants(site: Site, ends: bool, status: int) -> None:
    site.sign_in()
    ada, bob = (site.key_of(site.user(name)) for name in ("ada", "bob"))
    form = {"current": PASSWORD, "new": NEW, "end_keys": ends}
    assert site.client.post("/auth/password", json=form, headers=ORIGIN).status_code == 200
    site.client.cookies.clear()
    assert site.client.get("/v1/models", headers=ada).status_code == status
    assert site.client.get("/v1/models", headers=bob).status_code == 200


@pytest.mark.own_site
def test_who_must_change_the_password_may_do_so_and_go_on(site: Site) -> None:
    assert site.log_in("new").json()["must_change_password"] is True
    assert site.client.get("/recordings/x").json()["error"]["code"] == "password_must_change"
    site.client.post("/auth/password", data={"current": PASSWORD, "new": NEW}, headers=ORIGIN)
    assert site.client.get("/recordings/x").status_code == 404


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [("wrong", NEW, "current"), (PASSWORD, "short", "password"), (PASSWORD, PASSWORD, "new")],
)
def test_a_password_that_will_not_do_is_refused_in_plain_words(site: Site, current: str, new: str, field: str) -> None:
    site.sign_in()
    answer = site.client.post("/auth/password", json={"current": current, "new": new}, headers=ORIGIN)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field


def test_a_form_that_is_no_form_is_refused(site: Site) -> None:
    assert site.client.post("/auth/session", json=["name"], headers=ORIGIN).status_code == 400
    assert (
        site.client.post("/auth/session", json={"name": "ada"}, headers=ORIGIN).json()["error"]["param"] == "password"
    )
    for body in (b"x" * 20_000, iter([b"x" * 9_000] * 9)):
        assert site.client.post("/auth/session", content=body, headers=ORIGIN).status_code == 413
    assert site.client.post("/auth/session", content=b"\xff", headers=ORIGIN).status_code == 400


@pytest.mark.own_site
def test_a_page_in_use_keeps_its_session_from_falling_idle(site: Site) -> None:
    context.current().limits = Limits(touch_every_s=0.0)
    session_id = site.sign_in()
    with site.client.websocket_connect("/events", headers=ORIGIN) as page:
        with context.ledger().write() as con:
            con.execute("UPDATE sessions SET last_seen_at = now() - INTERVAL 1 HOUR")
        page.send_text("somebody is here")
        until_s = time.monotonic() + PATIENCE_S
        while utc_now() - last_seen(site, session_id) > timedelta(minutes=1):
            assert time.monotonic() < until_s
            time.sleep(0.02)


def last_seen(site: Site, session_id: str) -> datetime:
    with context.ledger().read() as con:
        (session,) = sessions.list_of(con, site.user().id)
    assert session.id == session_id
    return session.last_seen_at


def test_logging_in_and_out_is_in_the_audit_log(site: Site) -> None:
    site.log_in("ada")
    site.client.post("/auth/logout", headers=ORIGIN)
    with context.ledger().read() as con:
        actions = [row.action for row in audit.page(con, limit=3)]
    assert actions == ["session.end", "device.remember", "session.start"]


def test_streamlit_learns_who_is_there_from_our_headers_alone(settings: Settings) -> None:
    from streamlit import config

    with running(settings):
        mapping = config.get_option("server.trustedUserHeaders")
    assert mapping == {
        "x-app-user-id": "uid",
        "x-app-session-id": "sid",
        "x-app-address": "address",
        "x-app-request-id": "request",
        "user-agent": "agent",
    }
    assert config.get_option("runner.postScriptGC") is False
    assert config.get_option("server.enableAgentApi") is False
