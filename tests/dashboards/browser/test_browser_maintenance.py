"""The maintenance banner in a real browser, on a page that has been open all the time."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dashboards.runtime import context
from dashboards.services import platform_control
from storage.accounts import users
from tests import browsing
from tests.browsing import Watch
from tests.dashboards.heard import hear
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
    expect(banner).to_be_visible()
    expect(page.get_by_text("No recording is running")).to_be_visible()
    browsing.keep_picture(page, "maintenance")

    page.goto(f"{served.url}/settings")
    expect(banner).to_be_visible()
    platform_control.set_by_operator(None, actor="cli:root")
    expect(banner).to_be_hidden()
    assert watch.troubles == []
    browser.close()


def test_an_open_page_of_a_recording_says_that_storage_is_away_each_time(served: Served, chromium: Browser) -> None:
    """The banner hears the same news, and asks for a run of the page in the same moment."""
    with context.ledger().read() as con:
        ada = users.by_name(con, "ada")
    assert ada
    job = hear(ada)
    browser = chromium.new_context()
    sign_in(browser, served, "ada")
    page = browser.new_page()
    page.goto(f"{served.url}/job?id={job.id}")
    expect(page.locator(".player .line").first).to_be_visible()
    notice = page.get_by_text("Storage cannot be reached")
    store = Path(served.settings.storage.root_url)
    away = store.with_name("away")
    for _ in range(2):
        store.rename(away)
        expect(notice).to_have_count(1)
        away.rename(store)
        expect(notice).to_have_count(0)
    browser.close()
