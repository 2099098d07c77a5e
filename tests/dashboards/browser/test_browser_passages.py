"""Comments, highlights, copies with time and summaries on a recording's page, by the keyboard."""

import json
import re
import time

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboards.runtime import context
from storage.accounts import users
from storage.domain.records import Job
from storage.domain.settings import SummarySettings
from storage.jobs import collaborators, renaming
from tests.browsing import DESK, PHONE, Watch, keep_picture
from tests.dashboards.heard import LINES, hear
from tests.dashboards.page_checks import violations
from tests.dashboards.receiver import receiving
from tests.dashboards.served import Served, sign_in
from tests.kept_contexts import kept_context
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.acceptance, pytest.mark.shared_server]

SELECT = """([first, from, last, to]) => {
    const find = (root) => root.querySelector(".player") ?? [...root.querySelectorAll("*")].map(
        (one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
    const lines = find(document).querySelectorAll(".line .words");
    const at = (words, offset) => {
        const walk = document.createTreeWalker(words, NodeFilter.SHOW_TEXT);
        for (let node = walk.nextNode(); node; node = walk.nextNode()) {
            if (offset <= node.data.length) return [node, offset];
            offset -= node.data.length;
        }
    };
    getSelection().setBaseAndExtent(...at(lines[first], from), ...at(lines[last], to));
}"""


def open_job(chromium: Browser, served: Served, job: Job, name: str, *, phone: bool = False) -> tuple[Page, Watch]:
    watch = Watch(served.url)
    inside = kept_context(
        chromium, viewport=PHONE if phone else DESK, permissions=["clipboard-read", "clipboard-write"]
    )
    sign_in(inside, served, name)
    page = watch.over(inside.new_page())
    page.goto(f"{served.url}/job?id={job.id}")
    expect(line(page, 0)).to_be_visible()
    return page, watch


def line(page: Page, place: int) -> Locator:
    return page.locator(".player .line").nth(place)


def select(page: Page, first: int, start: int, last: int, end: int) -> None:
    """Select characters of lines, as a hand with a mouse would, which no test can do to the letter."""
    page.evaluate(SELECT, [first, start, last, end])
    expect(page.locator(".player .passagebar")).to_be_visible()


def test_selecting_words_with_the_mouse_plays_nothing(chromium: Browser, served: Served, job: Job) -> None:
    page, watch = open_job(chromium, served, job, "ada")
    box = line(page, 1).locator(".words").bounding_box()
    assert box
    page.mouse.move(box["x"] + 4, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 12, steps=4)
    page.mouse.up()
    expect(page.locator(".player .passagebar")).to_be_visible()
    expect(page.locator(".player video")).to_have_js_property("paused", True)
    expect(page.locator(".player video")).to_have_js_property("currentTime", 0)
    line(page, 1).locator(".words").click()
    expect(page.locator(".player video")).to_have_js_property("paused", False)
    assert watch.troubles == []


def painted(page: Page) -> list[str]:
    """Return which colours of highlights are on the page, once there are any."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := page.evaluate("[...CSS.highlights.keys()].filter((name) => name.startsWith('wt-mark'))"):
            return list(found)
        time.sleep(0.1)
    return []


def copied(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


@pytest.fixture
def job(served: Served) -> Job:
    with context.ledger().read() as con:
        ada = users.by_name(con, "ada")
    assert ada
    made = hear(ada, speakers=("Anna", "Anna", "Ben"))
    context.ledger().run(collaborators.put, made.id, "bob", may_edit=False, actor="system:test")
    return made


def reply(page: Page, words: str) -> None:
    """Reply to the one comment, in the sheet."""
    page.locator(".player [data-tab=comments]").click()
    page.locator(".player [data-sheet=comments]").get_by_role("button", name="Reply").press("Enter")
    page.keyboard.type(words)
    page.keyboard.press("Control+Enter")


def test_a_passage_is_discussed_by_two_people_who_have_the_page_open(
    chromium: Browser, served: Served, job: Job
) -> None:
    page, watch = open_job(chromium, served, job, "bob")
    owner, owners = open_job(chromium, served, job, "ada")
    select(page, 1, 4, 1, 16)
    keep_picture(page, "passage-selected")
    assert violations(page) == []
    page.keyboard.press("c")
    page.keyboard.type("Is it nine? j and k are typed")
    keep_picture(page, "passage-commenting")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".player dialog.commenting")).to_be_hidden()
    marker = line(owner, 1).locator(".marker")
    expect(marker).to_have_attribute("aria-label", re.compile("1 comment at 0:04"))
    marker.focus()
    owner.keyboard.press("Enter")
    dialog = owner.locator(".player dialog.commenting")
    expect(dialog.locator("blockquote")).to_have_text("ferry leaves")
    expect(dialog).to_contain_text("Is it nine? j and k are typed")
    assert violations(owner) == []
    dialog.get_by_role("button", name="Reply").press("Enter")
    owner.keyboard.type("At ten.")
    owner.keyboard.press("Control+Enter")
    expect(line(page, 1).locator(".marker")).to_contain_text("2")
    expect(dialog).to_contain_text("At ten.")
    keep_picture(owner, "passage-thread")
    owner.keyboard.press("Escape")
    owner.keyboard.press("e")
    line(owner, 1).locator(".words").click()
    owner.keyboard.press("Home")
    owner.keyboard.type("Well, ")
    owner.keyboard.press("Control+s")
    expect(owner.locator(".player .notice.good")).to_contain_text("Saved as version 2")
    expect(line(page, 1).locator(".words")).to_contain_text("Well, The ferry")
    expect(line(page, 1).locator(".marker")).to_be_visible()
    page.locator(".player [data-tab=comments]").click()
    sheet = page.locator(".player [data-sheet=comments]")
    expect(sheet.locator("blockquote")).to_have_text("ferry leaves")
    sheet.get_by_role("button", name="Resolve").focus()
    reply(owner, "Or later.")
    expect(sheet).to_contain_text("Or later.")
    expect(sheet.get_by_role("button", name="Resolve")).to_be_focused()  # the list was drawn anew
    page.keyboard.press("Enter")
    expect(sheet.get_by_text("Resolved (1)")).to_be_visible()
    keep_picture(page, "passage-sheet")
    assert violations(page) == []
    expect(line(owner, 1).locator(".marker")).to_have_count(0)
    assert (watch.troubles, owners.troubles) == ([], [])


def test_an_owner_elsewhere_is_told_of_a_comment(chromium: Browser, served: Served, job: Job) -> None:
    long = "An interview about the harbour with a very long name, which goes on for quite a while (final, corrected)"
    context.ledger().run(renaming.rename, job.id, name=long, actor="system:test")
    page, _ = open_job(chromium, served, job, "bob")
    elsewhere = kept_context(chromium, viewport=DESK)
    sign_in(elsewhere, served, "ada")
    owner = elsewhere.new_page()
    owner.goto(served.url)
    expect(owner.get_by_role("button", name="Log out")).to_be_attached()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    page.keyboard.type("Look here")
    page.keyboard.press("Control+Enter")
    notice = owner.locator(".session .notice.commented")
    expect(notice).to_contain_text("bob commented on An interview about the harbour with a v…: Look here")
    keep_picture(owner, "passage-notice")
    owner.set_viewport_size(PHONE)
    box = notice.bounding_box()
    assert box
    assert box["height"] < 100  # of 844: the page stays in view
    owner.set_viewport_size(DESK)
    notice.get_by_role("button", name="Open").click()
    expect(line(owner, 0).locator(".marker")).to_be_visible()
    owner.reload()
    expect(line(owner, 0).locator(".marker")).to_be_visible()


def test_words_are_highlighted_listed_exported_and_copied_with_their_time(
    chromium: Browser, served: Served, job: Job
) -> None:
    page, watch = open_job(chromium, served, job, "ada", phone=True)
    select(page, 1, 4, 2, 5)
    page.keyboard.press("t")
    expect(page.locator(".player .notice.good")).to_contain_text("Copied")
    assert copied(page) == "[00:00:04] Anna: ferry leaves at nine, not at ten.\n[00:00:08] Ben: Bring"
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".player .notice.good")).to_contain_text("Copied")
    assert re.search(r"t=4\.", copied(page))
    page.get_by_role("button", name="Highlight in Green").click()
    expect(page.locator(".player .passagebar")).to_be_hidden()
    assert painted(page) == ["wt-mark-green"]
    keep_picture(page, "passage-highlighted")
    page.keyboard.press("h")
    page.locator(".player [data-tab=comments]").click()
    sheet = page.locator(".player [data-sheet=comments]")
    expect(sheet.locator("mark")).to_have_count(2)
    sheet.get_by_label("Colour").nth(1).press("p")  # the list may just have been drawn anew
    expect(sheet.locator("mark.pink")).to_have_count(1)
    with page.expect_download() as download:
        sheet.get_by_role("link", name="Plain text").click()
    told = download.value.path().read_text(encoding="utf-8").splitlines()
    assert "[00:00:04] (pink) ferry leaves at nine, not at ten. Bring" in told
    keep_picture(page, "passage-highlights")
    assert page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth") <= 0
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.wait_for_timeout(500)
        keep_picture(page, f"passage-highlights-{theme}")
        assert violations(page) == []
    sheet.get_by_role("button", name="Delete").nth(1).press("Enter")
    sheet.get_by_role("button", name="Click again to confirm").press("Enter")
    expect(sheet.locator("mark")).to_have_count(1)
    assert watch.troubles == []


def test_a_summary_is_made_after_the_page_has_said_what_is_sent_where(
    chromium: Browser, served: Served, job: Job
) -> None:
    chapters = [{"line": 1, "title": "Welcome"}, {"line": 3, "title": "<b>Keys</b>"}]
    said = json.dumps({"summary": "About the ferry.\n\nAnd keys.", "chapters": chapters})
    with receiving() as server:
        server.usual = (200, {}, json.dumps({"choices": [{"message": {"content": said}}]}).encode())
        url = f"{server.url}/v1"
        told = {"summary_url": url, "summary_model": "tiny", "summary_allowed": "127.0.0.1"}
        served.settings.__dict__["summary"] = SummarySettings(**told, _env_file=None)  # type: ignore[arg-type]
        page, watch = open_job(chromium, served, job, "ada")
        page.locator(".player [data-tab=summary]").click()
        sheet = page.locator(".player [data-sheet=summary]")
        expect(sheet).to_contain_text(f"To: {url}/chat/completions")
        expect(sheet).to_contain_text("Not sent: the recording, its name")
        keep_picture(page, "summary-offer")
        assert server.got == []
        server.answers.append((429, {}, b""))
        sheet.get_by_role("button", name="Send and summarize").press("Enter")
        expect(sheet.get_by_role("alert")).to_have_text(
            "127.0.0.1 made no summary: it has too many requests at the moment; try again later."
        )
        sheet.get_by_role("button", name="Send and summarize").press("Enter")
        expect(sheet.get_by_text("About the ferry.")).to_be_visible()
        expect(sheet.get_by_text("<b>Keys</b>")).to_be_visible()
        assert len(server.got) == 2
        keep_picture(page, "summary-made")
        assert violations(page) == []
        sheet.get_by_role("button", name="Play from 0:08").press("Enter")
        expect(line(page, 2)).to_have_class(re.compile(r"\bon\b"))
        expect(line(page, 2).locator(".words")).to_have_text(LINES[2])
        with context.ledger().read() as con:
            assert con.execute("SELECT count(*) FROM summaries").fetchall() == [(1,)]
        assert watch.troubles == []
