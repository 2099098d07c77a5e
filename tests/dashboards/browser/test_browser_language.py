"""The language of pages in a real browser: what it asks for, and what the reader chooses."""

import pytest
from playwright.sync_api import Browser, expect

from tests import browsing
from tests.browsing import Watch
from tests.dashboards.served import Served
from tests.dashboards.site import PASSWORD

pytestmark = pytest.mark.acceptance


def test_pages_speak_what_the_browser_asks_for_until_the_reader_chooses(served: Served, chromium: Browser) -> None:
    browser = chromium.new_context(locale="de-DE")
    watch = Watch(served.url)
    page = watch.over(browser.new_page())
    page.goto(served.url)
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    browsing.write(page.get_by_label("Name"), "ada")
    browsing.write(page.locator("input[name=password]"), "not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Name und Passwort passen nicht zusammen.")).to_be_visible()
    browsing.write(page.locator("input[name=password]"), PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Aufnahmen", level=1)).to_be_visible()
    browsing.keep_picture(page, "german-list")

    page.goto(f"{served.url}/settings")
    page.get_by_role("combobox", name="Sprache").focus()
    page.keyboard.type("Españ")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Speichern", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ajustes")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    page.goto(f"{served.url}/upload")
    expect(page.get_by_text("Suelte aquí grabaciones o carpetas")).to_be_visible()
    assert [one for one in watch.troubles if "/auth/session" not in one] == []
    browser.close()
