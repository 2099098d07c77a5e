"""The app behind a real nginx: below a path, and where no WebSocket gets through."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response, expect

from storage.domain.settings import Settings
from tests.browsing import DESK, Watch, drop, keep_picture, log_in
from tests.dashboards.nginx import documented_server, free_port, needs_nginx, nginx
from tests.dashboards.served import SRT, played_workers, serving, sign_in
from tests.dashboards.site import PASSWORD, make_settings
from tests.tasks.sounds import tone, write_wav

pytestmark = [pytest.mark.acceptance, needs_nginx]

BELOW = "/transcriber"
PLAIN = """
server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass {app}; proxy_set_header Host $http_host; proxy_buffering off; }}
    {more}
}}
"""
PAGES_ONLY = """
    location = /_stcore/stream {{
        proxy_pass {app}; proxy_http_version 1.1; proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
    }}
"""


def test_the_whole_way_below_a_path(settings: Settings, chromium: Browser, tmp_path: Path) -> None:
    """From the log-in to the downloaded file, with nothing asked for beside the path."""
    port = free_port()
    public = f"http://127.0.0.1:{port}{BELOW}"
    settings.__dict__["web"] = make_settings(tmp_path, public_url=public).web
    talk = write_wav(tmp_path / "talk.wav", tone(1.0))
    with (
        serving(settings) as served,
        played_workers(served),
        nginx(tmp_path / "nginx", documented_server(port, served.url, below=f"{BELOW}/"), port),
    ):
        in_browser = chromium.new_context(viewport=DESK)
        watch, answers = Watch(public), list[Response]()
        page = watch.over(in_browser.new_page())
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"{public}/upload")
        log_in(page, "ada", PASSWORD)
        expect(page.locator(".drop .lead")).not_to_be_empty()
        assert {one["name"]: one["path"] for one in in_browser.cookies() if "transcriber" in one["name"]} == {
            "transcriber_session": BELOW,
            "transcriber_device": f"{BELOW}/auth",
        }

        drop(page, [talk])
        row = page.locator(".queue li", has_text="talk.wav")
        expect(row.locator(".pill")).to_have_text("Ready")  # the page has heard of it
        row.get_by_role("button", name="Open").click()
        expect(page.locator(".player .line")).to_contain_text("Grüße an alle.")
        assert urlsplit(page.url).path == f"{BELOW}/job"
        video = page.locator(".player video")
        video.evaluate("video => video.play()")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="SRT").click()
        assert waiting.value.path().read_text() == SRT

        page.get_by_role("link", name="Recordings").first.click()
        expect(page.get_by_role("link", name="talk.wav")).to_have_attribute("href", f"{BELOW}/job?id={_id(answers)}")
        page.reload()
        expect(page.get_by_role("link", name="talk.wav")).to_be_visible()
        scope = page.evaluate("async () => (await navigator.serviceWorker.ready).scope")
        assert scope == f"{public}/"
        beside = in_browser.new_page()
        beside.goto(f"{served.url}/upload")
        beside.wait_for_url(f"{served.url}{BELOW}/upload")
        in_browser.close()
    through = [one.url for one in answers if one.url.startswith(f"http://127.0.0.1:{port}")]
    assert [url for url in through if not url.startswith(f"{public}/")] == []
    assert {one.status for one in answers if "/recordings/" in one.url and "peaks" not in one.url} == {206}
    assert watch.troubles == []


def _id(answers: list[Response]) -> str:
    """Return the id of the recording that was played."""
    return next(urlsplit(one.url).path.split("/")[3] for one in answers if f"{BELOW}/recordings/" in one.url)


def test_a_page_without_its_websocket_says_so_and_what_to_do(
    settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    port, half = free_port(), free_port()
    with serving(settings) as served:
        servers = PLAIN.format(port=port, app=served.url, more="") + PLAIN.format(
            port=half, app=served.url, more=PAGES_ONLY.format(app=served.url)
        )
        with nginx(tmp_path / "nginx", servers, port):
            in_browser = chromium.new_context(viewport=DESK)
            page = in_browser.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            sign_in(in_browser, served)
            drawn = in_browser.new_page()
            drawn.goto(f"http://127.0.0.1:{half}/")
            told = drawn.locator(".session .lost")
            expect(told).to_contain_text("the WebSocket to the server does not get through")
            keep_picture(drawn, "no-events")

            told = page.get_by_role("alert")
            expect(told).to_contain_text("(a WebSocket) does not get through")
            expect(told).to_contain_text("docs/proxy.md")
            keep_picture(page, "no-websocket")
            in_browser.close()
