"""Downloads in a real browser: exports on request, caption settings, error messages."""

import time
from pathlib import Path

import pytest
import srt
from playwright.sync_api import Browser, Page, expect

from dashboards.runtime import context
from storage.accounts import users
from storage.domain.records import Job
from storage.domain.settings import Settings
from tests import browsing
from tests.browsing import Watch, write
from tests.dashboards.heard import LINES, hear
from tests.dashboards.served import serving, sign_in
from tests.dashboards.services.test_make_exports import PlayedRuns
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.acceptance


def heard() -> Job:
    with context.ledger().read() as con:
        ada = users.by_name(con, "ada")
    assert ada
    return hear(ada)


def play() -> PlayedRuns:
    until_s = time.monotonic() + PATIENCE_S
    while context.current().runs is None:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    context.current().runs = played = PlayedRuns()  # type: ignore[assignment]
    return played


def saved(page: Page, fmt: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.locator(f".downloads a[data-format={fmt}]").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_files_are_saved_as_the_caption_settings_say(
    settings: Settings, chromium: Browser, tmp_path: Path, width: int
) -> None:
    tab = chromium.new_context(viewport={"width": width, "height": 900})
    with serving(settings) as served:
        job, played = heard(), play()
        watch = Watch(served.url)
        sign_in(tab, served)
        page = watch.over(tab.new_page())
        page.goto(f"{served.url}/job?id={job.id}")
        expect(page.locator(".downloads a[data-format=docx]")).to_be_visible()
        assert saved(page, "docx", tmp_path).name == "harbour.docx"
        page.locator(".downloads summary").click()
        write(page.get_by_label("Characters per line"), "16")
        write(page.get_by_label("Lines", exact=True), "1")
        browsing.keep_picture(page, f"downloads-{width}")
        found = list(srt.parse(saved(page, "srt", tmp_path).read_text()))
        assert " ".join(cue.content for cue in found) == " ".join(LINES)
        assert all(len(cue.content) <= 16 for cue in found)
        page.get_by_label("Highlight each word").check()
        assert "<u>Good</u>" in saved(page, "srt", tmp_path).read_text()
        made = sorted(key.rpartition(".")[2] for key in played.keys)
        assert made == ["docx", "srt", "srt"]
        assert watch.troubles == []
    tab.close()


def test_a_setting_out_of_range_and_a_file_that_cannot_be_made_are_told(settings: Settings, chromium: Browser) -> None:
    tab = chromium.new_context()
    with serving(settings) as served:
        job, played = heard(), play()
        sign_in(tab, served)
        page = tab.new_page()
        page.goto(f"{served.url}/job?id={job.id}")
        page.locator(".downloads summary").click()
        write(page.get_by_label("Characters per line"), "3")
        page.locator(".downloads a[data-format=srt]").click()
        assert page.get_by_label("Characters per line").evaluate("input => !input.validity.valid")
        page.get_by_role("button", name="Reset to defaults").click()
        expect(page.get_by_label("Characters per line")).to_have_value("42")
        played.ends_as = "failed"
        page.locator(".downloads a[data-format=zip]").click()
        expect(page.locator(".downloads .news")).to_contain_text("could not be made")
    tab.close()
