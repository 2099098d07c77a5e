"""Reading along in a real browser: growing text, stable position, and completion."""

from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.runtime import context
from storage.accounts import users
from tests.browsing import DESK, PHONE, Watch, keep_picture
from tests.dashboards.heard import LINES, Growing
from tests.dashboards.served import Served, sign_in
from tests.kept_contexts import kept_context

pytestmark = [pytest.mark.acceptance, pytest.mark.shared_server]

MANY = [f"{line[:-1]}, for the time number {n}." for n in range(12) for line in LINES]


def growing() -> Growing:
    with context.ledger().read() as con:
        user = users.by_name(con, "ada")
    assert user
    return Growing(user, lines=MANY)


def sit_down(
    browser: Browser, served: Served, job_id: str, *, phone: bool = False, dark: bool = False
) -> tuple[Page, Watch]:
    watch = Watch(served.url)
    seen = kept_context(browser, viewport=PHONE if phone else DESK, color_scheme="dark" if dark else "light")
    sign_in(seen, served)
    page = watch.over(seen.new_page())
    page.goto(f"{served.url}/job?id={job_id}")
    expect(page.locator(".player video")).to_have_js_property("readyState", 4)
    return page, watch


def test_the_text_grows_and_the_same_page_becomes_final(chromium: Browser, served: Served) -> None:
    made = growing()
    page, watch = sit_down(chromium, served, made.job.id)
    lines, along = page.locator(".player .line"), page.locator(".player .partial")
    expect(page.locator(".player .text .state")).to_have_text(
        "The text appears here as soon as the first part is transcribed."
    )
    expect(along).to_be_hidden()

    made.say(20)
    expect(lines).to_have_count(20)
    expect(lines.nth(0).locator(".words")).to_have_text(MANY[0])
    expect(along).to_contain_text("Not final")
    expect(along).to_contain_text("33% transcribed, up to 1:19")
    expect(page.locator(".player .tools .edit")).to_have_count(0)
    keep_picture(page, "along-desk")

    lines.nth(5).locator(".time").click()
    expect(page.locator(".player video")).to_have_js_property("paused", False)
    made.say(20)
    expect(lines).to_have_count(40)
    expect(page.locator(".player video")).to_have_js_property("paused", False)

    page.keyboard.press("k")
    made.complete()
    expect(along).to_be_hidden()
    expect(lines).to_have_count(len(MANY))
    expect(page.locator(".player .tools .edit")).to_be_visible()
    expect(page.locator(".player [role=tab]")).to_have_count(6)
    assert float(page.locator(".player video").evaluate("video => video.currentTime")) > 19, "the player began anew"
    page.keyboard.press("e")
    expect(page.locator(".player.editing")).to_be_visible()
    assert not watch.troubles


def test_who_reads_further_up_keeps_the_place_and_the_selection(chromium: Browser, served: Served) -> None:
    made = growing()
    made.say(30)
    page, watch = sit_down(chromium, served, made.job.id)
    lines, main = page.locator(".player .line"), page.locator(".stMain")
    expect(lines).to_have_count(30)
    main.evaluate("main => main.scrollTo({ top: 400, behavior: 'instant' })")
    lines.nth(12).locator(".words").select_text()
    chosen = "() => getSelection().toString()"
    before = (main.evaluate("main => main.scrollTop"), page.evaluate(chosen))
    made.say(10)
    expect(lines).to_have_count(40)
    assert (main.evaluate("main => main.scrollTop"), page.evaluate(chosen)) == before
    assert before[0] > 0
    assert not watch.troubles


def test_what_an_attempt_has_said_stays_until_the_next_one_says_it(chromium: Browser, served: Served) -> None:
    made = growing()
    made.say(20)
    page, watch = sit_down(chromium, served, made.job.id)
    lines, along = page.locator(".player .line"), page.locator(".player .partial .far")
    expect(lines).to_have_count(20)
    made.again()
    made.say(5)
    expect(along).to_contain_text("up to 0:19")
    expect(lines).to_have_count(20)
    expect(lines.nth(19).locator(".words")).to_have_text(MANY[19])
    made.say(20)
    expect(lines).to_have_count(25)
    assert not watch.troubles


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_read_on_a_phone_with_the_keyboard_too(dark: bool, chromium: Browser, served: Served) -> None:
    made = growing()
    made.say(20)
    page, watch = sit_down(chromium, served, made.job.id, phone=True, dark=dark)
    expect(page.locator(".player .line")).to_have_count(20)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".player .line.on")).to_have_count(1)
    page.locator(".player .partial").scroll_into_view_if_needed()
    keep_picture(page, f"along-phone-{'dark' if dark else 'light'}")
    assert not watch.troubles


def test_a_line_in_another_language_says_which(chromium: Browser, served: Served) -> None:
    made = growing()
    made.segments = [replace(each, language="de" if n == 3 else "en") for n, each in enumerate(made.segments)]
    made.complete()
    page, watch = sit_down(chromium, served, made.job.id)
    lines = page.locator(".player .line")
    expect(lines).to_have_count(len(MANY))
    expect(lines.nth(3).locator(".language")).to_have_text("German")
    expect(lines.nth(3).locator(".words")).to_have_attribute("lang", "de")
    expect(page.locator(".player .language")).to_have_count(1)
    keep_picture(page, "language-desk")
    assert not watch.troubles


PLACES = """line => {
  const [body, words] = [line.querySelector(".body"), line.querySelector(".words")];
  const box = (node, from, to) => {
    const range = document.createRange();
    range.setStart(node, from);
    range.setEnd(node, to);
    return range.getBoundingClientRect();
  };
  const letters = words.querySelector("span") ? null : words.firstChild;
  const speaker = box(line.querySelector(".speaker bdi").firstChild, 0, 1);
  return {
    end: body.getBoundingClientRect().right, start: body.getBoundingClientRect().left, speaker: speaker.left,
    first: box(letters, 0, 1).left, last: box(letters, letters.length - 1, letters.length).left,
    time: line.querySelector(".time").getBoundingClientRect().right,
  };
}"""


@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_arabic_runs_from_the_right_whoever_speaks(phone: bool, chromium: Browser, served: Served) -> None:
    made = growing()
    said = {2: "نعم، هذا هو الاجتماع الأول.", 3: "It begins at nine."}
    made.segments = [
        replace(each, text=said[n], words=(), speaker="Anna") if n in said else each
        for n, each in enumerate(made.segments)
    ]
    made.complete()
    page, watch = sit_down(chromium, served, made.job.id, phone=phone)
    lines = page.locator(".player .line")
    expect(lines).to_have_count(len(MANY))
    arabic = lines.nth(2).evaluate(PLACES)
    assert arabic["last"] < arabic["first"] < arabic["end"] < arabic["first"] + 40
    assert arabic["speaker"] > (arabic["start"] + arabic["end"]) / 2
    assert arabic["time"] <= arabic["start"]
    keep_picture(page, f"arabic-{'phone' if phone else 'desk'}")

    page.keyboard.press("e")
    expect(page.locator(".player.editing")).to_be_visible()
    lines.nth(3).locator(".words").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("أهلا.")
    typed = lines.nth(3).locator(".words").evaluate("words => getComputedStyle(words).direction")
    assert typed == "rtl"
    assert not watch.troubles
