"""Listening while correcting, in a real browser: keys in a line, and lines that stay."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboards.runtime import context
from storage.accounts import users
from tests.browsing import DESK, PHONE, keep_picture
from tests.dashboards.heard import LINES, hear
from tests.dashboards.served import Served, sign_in
from tests.kept_contexts import kept_context

pytestmark = [pytest.mark.acceptance, pytest.mark.shared_server]

MANY = [LINES[place % len(LINES)] for place in range(400)]


@pytest.fixture
def page(chromium: Browser, served: Served) -> Page:
    """The page of a recording of 400 lines by two speakers."""
    with context.ledger().read() as con:
        user = users.by_name(con, "ada")
    assert user
    job = hear(user, lines=MANY, speakers=("Anna", "Anna", "Ben"))
    seen = kept_context(chromium, viewport=DESK)
    sign_in(seen, served)
    opened = seen.new_page()
    opened.goto(f"{served.url}/job?id={job.id}")
    expect(line(opened, 0)).to_be_visible()
    expect(opened.locator(".player video")).to_have_js_property("readyState", 4)
    return opened


def line(page: Page, place: int) -> Locator:
    return page.locator(".player .line").nth(place)


def words(page: Page, place: int) -> Locator:
    return line(page, place).locator(".words")


def now(page: Page) -> float:
    return float(page.locator(".player video").evaluate("video => video.currentTime"))


def top_of(place: Locator) -> float:
    box = place.bounding_box()
    assert box
    return box["y"]


def test_a_device_without_sound_output_is_not_the_recordings_fault(page: Page) -> None:
    """Firefox tells of it in an error that looks like one of the format; Chromium plays on in silence."""
    page.locator(".player video").evaluate(
        """video => {
            const message = "NS_ERROR_DOM_MEDIA_MEDIASINK_ERR (0x806e000b): OnMediaSinkAudioError";
            Object.defineProperty(video, "error", { value: { code: 3, message } });
            video.dispatchEvent(new Event("error"));
        }"""
    )
    expect(page.locator(".player .trouble")).to_have_text(re.compile("^This device has no sound output"))


def test_the_keyboard_listens_while_a_line_is_typed_in(page: Page) -> None:
    video = page.locator(".player video")
    page.keyboard.press("e")
    words(page, 2).click()
    page.keyboard.press("End")
    page.keyboard.type(" First.")
    page.keyboard.press("Alt+l")
    page.keyboard.press("Alt+l")
    assert now(page) == pytest.approx(6, abs=0.1)
    page.keyboard.press("Alt+j")
    assert now(page) == pytest.approx(3, abs=0.1)
    page.keyboard.press("Alt+,")
    expect(video).to_have_js_property("playbackRate", 0.75)
    page.keyboard.press("Alt+k")
    expect(video).to_have_js_property("paused", False)
    page.keyboard.press("Alt+k")
    expect(video).to_have_js_property("paused", True)
    expect(words(page, 2)).to_have_text(f"{LINES[2]} First.")
    page.keyboard.press("Alt+1")
    expect(line(page, 2).locator(".speaker")).to_have_text("Anna")
    page.keyboard.type(" Second.")
    expect(words(page, 2)).to_have_text(f"{LINES[2]} First. Second.")
    page.keyboard.press("Enter")
    page.keyboard.type("Third. ")
    expect(words(page, 3)).to_have_text(f"Third. {LINES[3]}")
    page.keyboard.press("Shift+Enter")
    expect(words(page, 3)).to_have_text("Third.")
    expect(words(page, 4)).to_have_text(LINES[3])


def test_the_keys_for_listening_can_be_changed(page: Page) -> None:
    page.keyboard.press("?")
    dialog = page.locator(".player .shortcuts")
    dialog.get_by_role("button", name="Play or pause").press("Enter")
    page.keyboard.press("k")
    expect(dialog.locator(".problem")).to_contain_text("needed for typing")
    page.keyboard.press("F8")
    expect(dialog.get_by_role("button", name="Play or pause: F8")).to_be_focused()
    keep_picture(page, "job-keys")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    expect(line(page, 0)).to_be_visible()
    page.keyboard.press("e")
    words(page, 0).click()
    page.keyboard.press("F8")
    expect(page.locator(".player video")).to_have_js_property("paused", False)
    page.keyboard.press("F8")
    expect(words(page, 0)).to_have_text(LINES[0])


def test_the_player_stays_in_view_and_a_line_that_is_typed_in_where_it_is(page: Page) -> None:
    assert top_of(line(page, 0)) < 300
    page.keyboard.press("e")
    words(page, 6).click()
    page.wait_for_timeout(4100)  # for so long nothing follows after a click anyway
    before = top_of(words(page, 6))
    page.locator(".player video").evaluate("video => { video.currentTime = 1200; }")
    expect(line(page, 299)).to_have_class(re.compile(r"\bon\b"))
    page.keyboard.type("x")
    assert top_of(words(page, 6)) == pytest.approx(before, abs=2)
    follow = page.get_by_role("button", name="Back to the playback position")
    follow.click()
    expect(line(page, 299)).to_be_in_viewport()
    assert 0 <= top_of(page.locator(".player .deck")) < 100
    page.keyboard.press("Escape")
    page.set_viewport_size(PHONE)
    main = page.locator(".stMain")
    main.evaluate("main => main.scrollTo(0, 3000)")
    expect(line(page, 299)).not_to_be_in_viewport()
    assert 0 <= top_of(page.locator(".player .deck")) < 100
    main.evaluate("main => main.scrollTo(0, 0)")
    expect(line(page, 0)).to_be_in_viewport()
    assert top_of(line(page, 0)) < 300


def test_of_many_lines_only_those_near_the_view_are_made_ready_for_typing(page: Page) -> None:
    page.keyboard.press("e")
    opened = page.locator(".player .line .words[contenteditable]")
    expect(opened.first).to_be_visible()
    assert opened.count() < 240
    page.keyboard.press("Escape")  # out of the line, in which it would be typed
    page.keyboard.press("/")
    page.keyboard.type("ferry")
    expect(page.locator(".player .seeker .count")).to_have_text("160 found")
    page.keyboard.press("Tab")
    page.locator(".player .seeker .with").click()
    page.keyboard.type("boat")
    page.get_by_role("button", name="Replace all").click()
    expect(page.locator(".player .savebar")).to_contain_text("160 unsaved changes")
    expect(words(page, 399)).to_have_text(LINES[4].replace("ferry", "boat"))
    expect(page.locator(".player .line")).to_have_count(400)
    assert page.locator(".player .chunk").count() == 10
    page.keyboard.press("Escape")
    page.keyboard.press("Control+s")
    expect(page.locator(".player .notice.good")).to_contain_text("Saved as version 2")
    words(page, 399).scroll_into_view_if_needed()
    words(page, 399).click()
    page.keyboard.press("End")
    page.keyboard.type(" Here.")
    expect(page.locator(".player .savebar")).to_contain_text("1 unsaved change")
