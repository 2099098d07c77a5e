"""The maintenance banner in a real browser, on a page that has been open all the time."""

import pytest
from playwright.sync_api import Browser, expect

from dashboards.services import platform_control
from tests import browsing
from tests.browsing import Watch
from tests.dashboards.served import Served, sign_in

pytestmark = pytest.mark.acceptance


def test_a_pause_comes_and_goes_on_open_pages(served: Served, chromium: Browser) -> None:
    browser = chromium.new_context()
    watch = Watch(served.url)
    sign_in(browser, served, "root")
    page = watch.over(browser.new_page())
    page.goto(f"{served.url}/queues")
    page.get_by_role("button", name="Pause the platform").first.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Reason, for everybody").focus()
    page.keyboard.type("new disks, until noon")
    page.keyboard.press("Enter")
    banner = page.get_by_text("Paused for maintenance: new disks, until noon")
    expect(banner).to_be_visible(timeout=30_000)
    expect(page.get_by_text("No recording is running")).to_be_visible(timeout=30_000)
    browsing.keep_picture(page, "maintenance")

    page.goto(f"{served.url}/settings")
    expect(banner).to_be_visible(timeout=30_000)
    platform_control.set_by_operator(None, actor="cli:root")
    expect(banner).to_be_hidden(timeout=30_000)
    assert watch.troubles == []
    browser.close()
