"""The app below a path of its host, through proxies that keep the path and through those that remove it."""

import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from dashboards.components.modules import BUILD, loader_of
from dashboards.http.access_middleware import COOKIE
from dashboards.http.device_cookie import DEVICE_COOKIE
from dashboards.loops.mail_sender import address_of_app
from dashboards.pages.registry import PAGES
from dashboards.runtime import context
from storage.domain.errors import BadRequest
from storage.domain.network.host_names import TAKEN, sub_path_of
from storage.domain.settings import OidcSettings, Settings
from storage.jobs import share_links
from tests.dashboards.heard import hear
from tests.dashboards.nginx import configured, documented_server, free_port, needs_nginx
from tests.dashboards.provider import CLIENT, provider
from tests.dashboards.site import ORIGIN, PASSWORD, Site, make_settings, running
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site

BELOW = "/transcriber"
PAGE = {"Accept": "text/html"}
OURS = re.compile(r'(?:href|src)="(/[^"]*)"')


@pytest.fixture
def below(settings: Settings) -> Iterator[Site]:
    """The app at https://host/transcriber, here without TLS."""
    with running(at(settings, f"http://testserver{BELOW}/")) as site:
        yield site


def at(settings: Settings, public_url: str) -> Settings:
    folder = settings.storage.data_dir.parent
    settings.__dict__["web"] = make_settings(folder, public_url=public_url).web
    return settings


def share(site: Site, **more: str) -> str:
    """Share a recording; return the link's token."""
    job = hear(site.user())
    days = timedelta(days=1)
    return context.ledger().run(share_links.create, job.id, lasts=days, actor="system:test", **more)[0]


def cookies_of(headers: list[str]) -> dict[str, str]:
    """Return the paths of the cookies that are set."""
    found = [SimpleCookie(header) for header in headers]
    return {name: morsel["path"] for cookie in found for name, morsel in cookie.items()}


@pytest.mark.parametrize("seen", [BELOW, ""], ids=["kept", "removed"])
def test_pages_files_and_apis_are_there_whether_or_not_the_proxy_keeps_the_path(below: Site, seen: str) -> None:
    below.sign_in()
    for path in ("/", "/job?id=x", "/assets/mark.svg", "/api/v1/jobs", "/api/openapi.json", "/_stcore/health"):
        assert below.client.get(seen + path, headers=PAGE).status_code == 200, path
    key = below.key_of(below.user())
    assert below.client.get(f"{seen}/v1/models", headers=key).status_code == 200
    assert below.client.get(f"{seen}/v1/nothing", headers=key).status_code == 404
    assert below.client.get(f"{seen}/metrics").status_code == 403
    with below.client.websocket_connect(f"{seen}/events?batch=1", headers={"Origin": "http://testserver"}):
        pass


@pytest.mark.parametrize("seen", [BELOW, ""], ids=["kept", "removed"])
def test_nobody_gets_in_by_the_other_spelling(below: Site, seen: str) -> None:
    assert below.client.get(f"{seen}/api/v1/jobs").status_code == 401
    assert below.client.get(f"{seen}/internal/v1/jobs/x").status_code == 401
    assert below.client.get(f"{BELOW}{BELOW}/api/v1/jobs").status_code == 401


def test_the_page_loads_everything_from_below_the_path(below: Site) -> None:
    page = below.client.get("/", headers=PAGE).text
    found = OURS.findall(page)
    assert len(found) == 5
    assert all(path.startswith(f"{BELOW}/") and below.client.get(path).status_code == 200 for path in found)
    manifest = below.client.get(f"{BELOW}/manifest.webmanifest").json()
    places = [manifest["id"], manifest["start_url"], manifest["scope"], manifest["share_target"]["action"]]
    places += [one["src"] for one in manifest["icons"]] + [one["url"] for one in manifest["shortcuts"]]
    assert all(place.startswith(f"{BELOW}/") for place in places)
    assert OURS.findall(below.client.get("/offline").text) == [f"{BELOW}/assets/mark.svg"]
    assert f'new URL("./assets/components/{BUILD}/", manifest' in loader_of("player")


@pytest.mark.parametrize("seen", [BELOW, ""], ids=["kept", "removed"])
def test_cookies_and_redirects_stay_below_the_path(below: Site, seen: str) -> None:
    form = {"name": "ada", "password": PASSWORD}
    answer = below.client.post(f"{seen}/auth/session", data=form, headers=ORIGIN)
    assert answer.json()["next"] == f"{BELOW}/"
    assert cookies_of(answer.headers.get_list("set-cookie")) == {COOKIE: BELOW, DEVICE_COOKIE: f"{BELOW}/auth"}
    plain = {"Origin": "http://testserver"}
    sent: dict[str, Any] = {"headers": plain, "follow_redirects": False}
    for wanted, led in (("", "/"), ("/elsewhere", "/"), (f"{BELOW}/job?id=x", "/job?id=x"), ("//evil.example", "/")):
        to = below.client.post(
            f"{seen}/auth/session", data=form | {"next": wanted}, headers=plain, follow_redirects=False
        )
        assert (to.status_code, to.headers["location"]) == (303, BELOW + led)
    out = below.client.post(f"{BELOW}/auth/logout", **sent)
    assert out.headers["location"] == f"{BELOW}/"
    assert cookies_of(out.headers.get_list("set-cookie")) == {COOKIE: BELOW}
    assert COOKIE not in below.client.cookies
    for asked, led in ((f"{BELOW}?a=1", "/?a=1"), (f"{seen}/job/", "/job")):  # the second one is Streamlit's
        to = below.client.get(asked, headers=PAGE, follow_redirects=False)
        assert to.status_code in {301, 307}
        assert to.headers["location"] == BELOW + led


@pytest.mark.parametrize("seen", [BELOW, ""], ids=["kept", "removed"])
def test_uploads_lead_below_the_path(below: Site, seen: str, tone: Callable[..., bytes]) -> None:
    sound = tone(1)
    key = below.key_of(below.user()) | {"Tus-Resumable": "1.0.0"}
    made = below.client.post(f"{seen}/uploads", headers=key | {"Upload-Length": str(len(sound))})
    assert made.status_code == 201
    assert made.headers["location"].startswith(f"{BELOW}/uploads/")
    sent = key | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert below.client.patch(made.headers["location"], content=sound, headers=sent).status_code == 204


def test_a_shared_recording_has_all_its_parts_below_the_path(below: Site) -> None:
    token = share(below)
    page = below.client.get(f"{BELOW}/shared/{token}")
    found = OURS.findall(page.text)
    assert len(found) > 5
    assert [path for path in found if not path.startswith(f"{BELOW}/")] == []
    assert f'"api": "{BELOW}/shared/{token}"' in page.text
    parts = [path for path in found if "/files/" not in path]  # those are made by workers
    assert all(below.client.get(path).status_code == 200 for path in parts)


def test_a_password_for_a_link_is_kept_for_its_path(below: Site) -> None:
    token = share(below, password=PASSWORD)
    where = f"{BELOW}/shared/{token}"
    answer = below.client.post(where, data={"password": PASSWORD}, follow_redirects=False)
    assert answer.headers["location"] == where
    assert cookies_of(answer.headers.get_list("set-cookie")) == {"transcriber_share": where}


def test_documents_problems_and_mails_name_the_public_address(below: Site) -> None:
    below.sign_in()
    assert below.client.get("/api/openapi.json").json()["servers"] == [{"url": f"{BELOW}/api"}]
    problem = below.client.get("/api/v1/jobs/none").json()
    assert problem["type"].startswith(f"{BELOW}/api/docs#")
    assert problem["instance"].startswith(f"{BELOW}/api/v1/jobs/none")
    assert address_of_app() == f"http://testserver{BELOW}"


def test_a_provider_sends_the_browser_back_below_the_path(settings: Settings) -> None:
    with provider() as elsewhere:
        known: dict[str, Any] = {"oidc_issuer": elsewhere.url, "oidc_client_id": CLIENT, "oidc_client_secret": "x"}
        settings.__dict__["oidc"] = OidcSettings(**known, _env_file=None)
        with running(at(settings, f"http://testserver{BELOW}")) as site:
            began = site.client.get("/auth/oidc/start", follow_redirects=False)
    assert (
        f"redirect_uri=http%3A%2F%2Ftestserver{BELOW.replace('/', '%2F')}%2Fauth%2Foidc%2Fcallback"
        in (began.headers["location"])
    )
    assert cookies_of(began.headers.get_list("set-cookie")) == {"transcriber_oidc": f"{BELOW}/auth/oidc"}


def test_without_a_path_nothing_is_below_one(site: Site) -> None:
    assert site.client.get(f"{BELOW}/api/v1/jobs").status_code == 401
    assert cookies_of(site.log_in("ada").headers.get_list("set-cookie")) == {COOKIE: "/", DEVICE_COOKIE: "/auth"}
    assert site.client.get("/api/openapi.json").json()["servers"] == [{"url": "/api"}]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (None, ""),
        ("https://t.example", ""),
        ("https://t.example/", ""),
        ("https://t.example/transcriber/", "/transcriber"),
        ("https://t.example/tools/speech.v2", "/tools/speech.v2"),
    ],
)
def test_the_path_is_the_public_address_own(url: str | None, path: str) -> None:
    assert sub_path_of(url) == path


@pytest.mark.parametrize("path", ["a b", "a%20b", "a//b", "../a", "a?b=1", "a#b", "api", "v1/x", "upload", "ä"])
def test_a_path_that_cannot_be_served_is_refused(path: str) -> None:
    with pytest.raises(BadRequest, match="TRANSCRIBER_PUBLIC_URL"):
        sub_path_of(f"https://t.example/{path}")


def test_no_sub_path_can_look_like_a_path_of_the_app(below: Site) -> None:
    def first_parts(found: list[BaseRoute]) -> set[str]:
        paths = [route.path for route in found if isinstance(route, Mount | Route | WebSocketRoute)]
        return {path.split("/")[1] for path in paths if path not in {"", "/"}}

    pages = {spec.path for spec in PAGES.values() if spec.path}
    app: Any = below.client.app
    assert first_parts(app._starlette_app.routes) | pages <= TAKEN


@needs_nginx
@pytest.mark.parametrize("below", ["/", f"{BELOW}/"])
def test_nginx_takes_the_documented_configuration(tmp_path: Path, below: str) -> None:
    command = configured(tmp_path, documented_server(free_port(), "http://127.0.0.1:8501", below=below))
    told = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert told.returncode == 0, told.stderr
