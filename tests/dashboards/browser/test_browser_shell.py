"""The app as a phone sees it: installable, offline, shared to; in a real browser on the web process alone."""

import json
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from storage.settings import Settings
from tests import browsing
from tests.browsing import PHONE, Watch, log_in
from tests.dashboards.served import serving
from tests.dashboards.site import PASSWORD


def test_the_browser_finds_nothing_that_keeps_it_from_installing_the_app(settings: Settings, tmp_path: Path) -> None:
    """In a lasting profile, since a private one is a reason of its own."""
    with serving(settings) as served, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=browsing.chromium_path(), args=list(browsing.ARGS), viewport=PHONE
        )
        page = context.new_page()
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        cdp = context.new_cdp_session(page)
        manifest = cdp.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert json.loads(manifest["data"])["display"] == "standalone"
        assert cdp.send("Page.getInstallabilityErrors")["installabilityErrors"] == []
        context.close()


def test_a_page_without_its_server_says_so_and_comes_back(settings: Settings, chromium: Browser) -> None:
    context = chromium.new_context(viewport=PHONE)
    page = context.new_page()
    with serving(settings) as served:
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        context.set_offline(True)
        page.goto(f"{served.url}/upload")
        expect(page.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
        browsing.keep_picture(page, "offline-phone")
        context.set_offline(False)
        page.get_by_role("link", name="Try again").click()
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        kept = page.evaluate(
            """async () => {
                const names = [];
                for (const name of await caches.keys())
                    for (const one of await (await caches.open(name)).keys()) names.push(new URL(one.url).pathname);
                return names.sort();
            }"""
        )
    assert kept == ["/assets/mark.svg", "/offline"]
    context.close()


def test_the_keyboard_can_skip_the_navigation(settings: Settings, chromium: Browser) -> None:
    context = chromium.new_context()
    with serving(settings) as served:
        watch = Watch(served.url)
        page = watch.over(context.new_page())
        page.goto(served.url)
        log_in(page, "ada", PASSWORD)
        expect(page.locator(".stMain h1").first).to_be_visible()
        page.get_by_role("link", name="Skip to main content").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "stMain"
        assert watch.troubles == []
    context.close()
