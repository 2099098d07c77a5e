"""The installable app in a real browser: installation, offline page, share target."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from storage.domain.settings import Settings
from tests import browsing
from tests.browsing import PHONE, Watch
from tests.dashboards.served import serving, sign_in
from tests.kept_contexts import kept_context, put_back

pytestmark = pytest.mark.acceptance


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
        sign_in(context, served)
        page = watch.over(context.new_page())
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log out")).to_be_attached()
        page.get_by_role("link", name="Skip to main content").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "stMain"
        assert watch.troubles == []
    context.close()


def test_unknown_addresses_and_a_lost_connection_are_told_in_our_own_words(
    settings: Settings, chromium: Browser
) -> None:
    context = chromium.new_context()
    page = context.new_page()
    with serving(settings) as served:
        sign_in(page.context, served)
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log out")).to_be_attached()
        for path in ("nosuch", "people"):  # nobody has the one, administrators alone the other
            page.goto(f"{served.url}/{path}")
            expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
            assert page.locator("[data-testid=stDialog]").count() == 0
        page.get_by_role("link", name="Go to your recordings").click()
        expect(page.get_by_role("heading", name="Recordings")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="This page reconnects by itself")).to_be_visible()
    context.close()


def test_what_goes_wrong_in_a_page_is_noted(chromium: Browser) -> None:
    """By `Watch`, without which the other tests would see no refused request and no other host."""
    context, ours = chromium.new_context(), "http://127.0.0.1:9"
    watch = Watch(ours)
    page = watch.over(context.new_page())
    page.route("**/gone", lambda route: route.fulfill(status=404))
    for url in ("https://elsewhere.example/fonts", f"{ours}/gone"):
        page.evaluate("url => fetch(url).catch(() => null)", url)
    page.evaluate("setTimeout(() => { throw new Error('broken') }, 0)")
    page.wait_for_function("() => true")
    context.close()
    assert watch.troubles == ["another host: https://elsewhere.example/fonts", f"404 {ours}/gone", "error: broken"]


HAS_STORED = """async () => [localStorage.length, document.cookie, (await indexedDB.databases()).length]"""


def test_a_context_that_is_used_again_knows_nothing_of_the_test_before(chromium: Browser) -> None:
    context, site = kept_context(chromium), "http://127.0.0.1:9/"
    for _ in range(2):
        page = context.new_page()
        page.route("**", lambda route: route.fulfill(content_type="text/html", body="a site"))
        page.goto(site)
        assert page.evaluate(HAS_STORED) == [0, "", 0]
        page.evaluate(
            """async () => {
                localStorage.told = document.cookie = "told=1";
                await new Promise((done) => { indexedDB.open("told").onsuccess = done; });
            }"""
        )
        assert page.evaluate(HAS_STORED) == [1, "told=1", 1]
        put_back(context)
        assert page.is_closed()
        assert kept_context(chromium) == context
