"""An open page when the server's components are of another build."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.components.modules import BUILD
from storage.domain.settings import Settings
from tests.browsing import Watch
from tests.dashboards.served import Served, serving, sign_in

pytestmark = pytest.mark.acceptance

RUNS_OLD = "transcriberBuild = '0123456789abcdef'"
IS_NEW = f"() => window.transcriberBuild === '{BUILD}'"
BUILDS_ASKED_FOR = """() => [...new Set(performance.getEntriesByType("resource")
    .map((one) => one.name.match(/assets.components.([0-9a-f]+)/)?.[1]).filter(Boolean))]"""


def signed_in(chromium: Browser, served: Served) -> tuple[Page, Watch]:
    watch = Watch(served.url)
    opened = chromium.new_context()
    sign_in(opened, served)
    page = watch.over(opened.new_page())
    page.goto(f"{served.url}/upload")
    expect(page.locator(".drop .lead")).to_be_visible()
    return page, watch


def test_a_page_runs_modules_of_one_build_that_the_browser_keeps(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served:
        page, watch = signed_in(chromium, served)
        assert page.evaluate(BUILDS_ASKED_FOR) == [BUILD]
        page.reload()
        expect(page.locator(".drop .lead")).to_be_visible()
        sent = page.evaluate(
            """() => performance.getEntriesByType("resource")
                .filter((one) => one.name.includes("/assets/components/")).map((one) => one.transferSize)"""
        )
        assert len(sent) > 10
        assert sum(sent) == 0
        assert watch.troubles == []


def test_a_page_of_another_build_is_loaded_anew(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served:
        page, _ = signed_in(chromium, served)
        page.evaluate(RUNS_OLD)
        with page.expect_navigation(url=lambda url: url.endswith("/search")):
            page.get_by_role("link", name="Search").click()  # shown in place; the reload is the navigation
            page.wait_for_function(IS_NEW)
        expect(page.locator("input[type=search]")).to_be_visible()


def test_a_page_where_something_would_be_lost_waits(settings: Settings, chromium: Browser, tmp_path: Path) -> None:
    """An upload that the server does not answer holds the page; once it is taken away, the page is loaded anew."""
    talk = tmp_path / "talk.wav"
    talk.write_bytes(b"RIFF" + bytes(1000))
    with serving(settings) as served:
        page, _ = signed_in(chromium, served)
        page.route("**/uploads", lambda _: None)
        with page.expect_file_chooser() as chosen:
            page.get_by_role("button", name="Choose files").click()
        chosen.value.set_files(talk)
        expect(page.locator(".queue .title")).to_have_text("talk.wav")
        page.evaluate(RUNS_OLD)
        page.get_by_role("link", name="Search").click()
        expect(page.locator("input[type=search]")).to_be_visible()
        expect(page.locator(".dock .sending")).to_be_visible()
        assert page.evaluate("transcriberBuild") != BUILD
        page.get_by_role("link", name="Upload").first.click()
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_function(IS_NEW)
        expect(page.locator(".queue")).to_be_hidden()
