"""A recording's page in a real browser: playback, editing, saving, conflicts, versions."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Browser, Dialog, Locator, Page, Route, expect

from dashboards.runtime import context
from storage.accounts import users
from storage.domain import names
from storage.domain.records import Finding, Job
from storage.jobs import job_store
from storage.media.browser_playback import Playback
from storage.transcripts import transcript_store
from tasks.exports.writers import export
from tests.browsing import DESK, PHONE, QUESTION_MS, Watch, click_and_confirm, keep_picture, write
from tests.dashboards.heard import LINES, hear
from tests.dashboards.served import Served, sign_in
from tests.kept_contexts import kept_context
from tests.tasks.sounds import RATE_HZ, tone, write_media

pytestmark = [pytest.mark.acceptance, pytest.mark.shared_server]

FINDINGS = (Finding(kind="repetition", start_s=8.2, end_s=11.6, detail=""),)
VTT = "WEBVTT\n\n" + "\n\n".join(
    f"00:00:{4 * place:02}.200 --> 00:00:{4 * place + (1 if place == 2 else 3):02}.600\n{line}"
    for place, line in enumerate(LINES)
)


@dataclass(frozen=True)
class Desk:
    """The page of one recording, open in a browser."""

    page: Page
    served: Served
    job: Job
    watch: Watch

    def line(self, place: int) -> Locator:
        return self.page.locator(".player .line").nth(place)

    def words(self, place: int) -> Locator:
        return self.line(place).locator(".words")

    def tab(self, name: str) -> Locator:
        self.page.locator(f".player [data-tab={name}]").click()
        return self.page.locator(f".player [data-sheet={name}]")

    def save(self) -> None:
        self.page.locator(".player .savebar .save").click()
        expect(self.page.locator(".player .notice.good")).to_contain_text("Saved as version")

    def open_again(self) -> None:
        self.page.reload()
        expect(self.line(0)).to_be_visible()

    def now(self) -> float:
        return float(self.page.locator(".player video").evaluate("video => video.currentTime"))


def put_subtitles(job: Job, version: int) -> None:
    """Put the file there that a worker would make of this version."""
    stored_as = names.version_name(job.id, version)
    context.files().write(names.export_name(job.id, stored_as, "vtt", job.options.cues), VTT.encode())


def make_text(job: Job) -> None:
    """Make the text of the current version, as a worker would that is asked for it."""
    with context.ledger().read() as con:
        transcript, stored_as = transcript_store.get(con, job.id), transcript_store.stored_as(con, job.id)
    assert transcript
    assert stored_as
    name = names.export_name(job.id, stored_as, "txt", job.options.cues)
    context.files().write(name, export(transcript, "txt"))


def recording_of(name: str = "ada") -> Job:
    with context.ledger().read() as con:
        user = users.by_name(con, name)
    assert user
    job = hear(user, findings=FINDINGS, speakers=("Anna", "Anna", "Ben"))
    put_subtitles(job, 1)
    return job


def sit_down(browser: Browser, served: Served, job: Job, *, phone: bool = False, name: str = "ada") -> Desk:
    watch = Watch(served.url)
    opened = kept_context(browser, viewport=PHONE if phone else DESK)
    sign_in(opened, served, name)
    page = watch.over(opened.new_page())
    page.goto(f"{served.url}/job?id={job.id}")
    desk = Desk(page=page, served=served, job=job, watch=watch)
    expect(desk.line(0)).to_be_visible()
    expect(page.locator(".player video")).to_have_js_property("readyState", 4)
    return desk


@pytest.fixture
def desk(chromium: Browser, served: Served) -> Desk:
    return sit_down(chromium, served, recording_of())


def test_an_edit_is_saved_survives_a_reload_and_can_be_taken_back(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("e")
    desk.words(1).click()
    page.keyboard.press("End")
    page.keyboard.type(" Bring tea.")
    expect(page.locator(".player .savebar")).to_contain_text("1 unsaved change")
    page.keyboard.press("Control+s")
    expect(page.locator(".player .notice.good")).to_contain_text("Saved as version 2")
    keep_picture(page, "job-edited")
    desk.open_again()
    expect(desk.words(1)).to_have_text(f"{LINES[1]} Bring tea.")
    told = page.request.get(f"{desk.served.url}/api/v1/jobs/{desk.job.id}/transcript").json()
    assert [word["text"] for word in told["segments"][1]["words"]][-2:] == [" Bring", " tea."]
    make_text(desk.job)
    with page.expect_download() as download:
        page.locator(".downloads a[data-format=txt]").click()
    assert f"{LINES[1]} Bring tea." in download.value.path().read_text(encoding="utf-8")
    versions = desk.tab("versions")
    versions.get_by_role("button", name="Changes").click()
    expect(versions.locator("ins")).to_have_text("Bring tea.")
    click_and_confirm(versions, "Restore")
    expect(page.locator(".player .notice.good")).to_contain_text("Version 1 is current again")
    desk.tab("script")
    expect(desk.words(1)).to_have_text(LINES[1])
    assert desk.watch.troubles == []


def test_a_line_that_is_left_shows_its_text_as_it_is_saved(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("e")
    desk.words(1).click()
    page.keyboard.press("Home")
    page.keyboard.type("So  now ,  ")
    page.keyboard.press("Enter")
    expect(desk.words(2)).to_be_focused()
    assert desk.words(1).text_content() == f"So now , {LINES[1]}"


def test_undo_goes_back_through_typing_splitting_merging_and_naming(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("e")
    desk.words(0).click()
    page.keyboard.press("Home")
    for _ in range(len("Good morning,")):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Enter")
    expect(desk.words(0)).to_have_text("Good morning,")
    expect(desk.words(1)).to_have_text("and welcome to the harbour meeting.")
    page.keyboard.press("Home")
    page.keyboard.press("Backspace")
    expect(desk.words(0)).to_have_text(LINES[0])
    expect(desk.words(1)).to_have_text(LINES[1])
    desk.line(2).locator("button.speaker").click()
    write(page.get_by_label("Speaker's name"), "Nobody")
    page.keyboard.press("Escape")
    expect(desk.line(2).locator(".speaker")).to_have_text("Ben")
    desk.line(2).locator("button.speaker").click()
    write(page.get_by_label("Speaker's name"), "Bea")
    page.get_by_role("button", name="Rename this one").click()
    expect(desk.line(2).locator(".speaker")).to_have_text("Bea")
    desk.line(0).locator("button.speaker").click()
    write(page.get_by_label("Speaker's name"), "Ann")
    page.get_by_role("button", name="Rename all 4").click()
    expect(desk.line(4).locator(".speaker")).to_have_text("Ann")
    for _ in range(4):
        page.keyboard.press("Control+z")
    expect(desk.line(2).locator(".speaker")).to_have_text("Ben")
    expect(desk.line(0).locator(".speaker")).to_have_text("Anna")
    expect(page.locator(".player .savebar")).to_contain_text("All changes are saved")
    page.keyboard.press("Control+y")
    expect(desk.words(1)).to_have_text("and welcome to the harbour meeting.")
    desk.save()
    told = page.request.get(f"{desk.served.url}/api/v1/jobs/{desk.job.id}/transcript").json()["segments"]
    assert [one["text"] for one in told[:2]] == [" Good morning,", " and welcome to the harbour meeting."]
    assert told[0]["words"][0]["start_s"] == 0.2
    assert told[1]["start_s"] >= told[0]["end_s"]


def test_find_and_replace(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("/")
    form = page.locator(".player .seeker")
    write(form.get_by_label("Find"), "the")
    expect(form.locator(".count")).to_have_text("5 found")
    form.get_by_label("Match case").click()
    expect(form.locator(".count")).to_have_text("3 found")
    form.get_by_label("Match case").click()
    write(form.get_by_label("Find"), "ferry (leaves|is)")
    expect(form.locator(".count")).to_have_text("0 found")
    form.get_by_label("Regular expression").click()
    expect(form.locator(".count")).to_have_text("2 found")
    write(form.get_by_label("Find"), "(a+)+b")
    expect(form.locator(".count")).to_have_text("This pattern takes too long")
    write(form.get_by_label("Find"), "ferry (leaves|is)")
    write(form.get_by_label("Replace with"), "boat $1")
    form.get_by_role("button", name="Replace all").click()
    expect(desk.words(1)).to_have_text("The boat leaves at nine, not at ten.")
    expect(desk.words(4)).to_have_text("The boat is small, so come early.")
    page.locator(".player .notice").get_by_role("button", name="Undo").click()
    expect(desk.words(4)).to_have_text(LINES[4])


def test_two_people_who_edit_at_once_lose_nothing(desk: Desk, chromium: Browser) -> None:
    other = sit_down(chromium, desk.served, desk.job, name="root")
    for one, place, text in ((desk, 0, " Mine."), (other, 4, " Theirs.")):
        one.page.keyboard.press("e")
        one.words(place).click()
        one.page.keyboard.press("End")
        one.page.keyboard.type(text)
    other.save()
    expect(desk.page.locator(".player .notice.warn")).to_contain_text("Your changes are kept")
    desk.page.locator(".player .savebar .save").click()
    expect(desk.page.locator(".player .notice.warn")).to_contain_text("without conflicts")
    expect(desk.words(4)).to_have_text(f"{LINES[4]} Theirs.")
    desk.save()
    expect(other.words(0)).to_have_text(f"{LINES[0]} Mine.")
    expect(other.words(4)).to_have_text(f"{LINES[4]} Theirs.")


def test_what_was_not_saved_is_offered_again_after_a_crash(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("e")
    desk.words(2).click()
    page.keyboard.press("End")
    page.keyboard.type(" Not saved.")
    page.wait_for_function("() => Object.keys(localStorage).some((name) => name.startsWith('wt-draft'))")
    page.close(run_before_unload=False)
    fresh = desk.page.context.new_page()
    fresh.goto(f"{desk.served.url}/job?id={desk.job.id}")
    again = Desk(page=fresh, served=desk.served, job=desk.job, watch=desk.watch)
    expect(again.words(2)).to_have_text(LINES[2])
    fresh.get_by_role("button", name="Restore").click()
    expect(again.words(2)).to_have_text(f"{LINES[2]} Not saved.")
    again.save()
    assert fresh.evaluate("() => Object.keys(localStorage).filter((name) => name.startsWith('wt-draft')).length") == 0


def test_what_is_saved_leaves_no_draft_though_the_answer_is_slow(desk: Desk) -> None:
    def late(route: Route) -> None:
        if route.request.method == "GET":
            time.sleep(1.5)  # longer than what is typed waits to be kept
        route.continue_()

    page = desk.page
    page.route("**/transcript", late)
    page.keyboard.press("e")
    desk.words(2).click()
    page.keyboard.type("x")
    desk.save()
    assert page.evaluate("() => Object.keys(localStorage).filter((name) => name.startsWith('wt-draft')).length") == 0


def test_leaving_with_unsaved_changes_is_asked_about(desk: Desk) -> None:
    page = desk.page
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", accept)
    page.keyboard.press("e")
    desk.words(0).click()
    page.keyboard.type("x")
    page.reload()
    assert asked == ["beforeunload"]


def test_the_keyboard_plays_seeks_and_finds_what_is_doubtful(desk: Desk) -> None:
    page = desk.page
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert desk.now() == pytest.approx(8.2, abs=0.05)
    expect(desk.line(2)).to_have_class(re.compile(r"\bon\b"))
    page.keyboard.press("ArrowUp")
    assert desk.now() == pytest.approx(4.2, abs=0.05)
    page.keyboard.press("n")
    first = desk.now()
    assert first > 4.2
    page.keyboard.press("n")
    assert desk.now() > first
    page.keyboard.press("l")
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.locator(".player .shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".player .shortcuts")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Follow", exact=True)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press(" ")
    expect(page.locator(".player video")).to_have_js_property("paused", False)
    page.keyboard.press("k")
    expect(page.locator(".player video")).to_have_js_property("paused", True)


def test_a_transcript_is_corrected_without_a_mouse(desk: Desk) -> None:
    page = desk.page
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("e")
    expect(desk.words(1)).to_be_focused()
    page.keyboard.type("So ")
    page.keyboard.press("Enter")
    expect(desk.words(2)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.type(" Yes.")
    page.keyboard.press("Control+s")
    expect(page.locator(".player .notice.good")).to_contain_text("Saved as version 2")
    assert [desk.words(n).text_content() for n in (1, 2)] == [f"So {LINES[1]}", f"{LINES[2]} Yes."]
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator(".player.editing")).to_have_count(0)


def test_a_popover_that_the_keyboard_opens_has_the_focus(desk: Desk) -> None:
    page = desk.page
    opener = page.get_by_test_id("stPopoverButton").filter(has_text="Rename")
    opener.press("Enter")
    expect(page.get_by_role("dialog", name="Rename")).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_a_link_leads_to_its_moment_and_the_waveform_seeks(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.served.url}/job?id={desk.job.id}&t=12.5")
    expect(desk.line(3)).to_have_class(re.compile(r"\bon\b"))
    assert desk.now() == pytest.approx(12.5, abs=0.1)
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
    assert page.locator(".player .wave canvas").evaluate(f"{drawn}.some((byte) => byte)")
    box = page.locator(".player .wave").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 20)
    assert desk.now() == pytest.approx(10.5, abs=0.8)


def test_what_a_click_plays_is_lit_though_the_file_starts_late(
    chromium: Browser, served: Served, tmp_path: Path
) -> None:
    """Chromium counts from a file's first timestamp, the transcript from 0."""
    late = write_media(tmp_path / "late.webm", [tone(20.0)], codec="libopus", start_s=5.0)
    with context.ledger().read() as con:
        user = users.by_name(con, "ada")
    assert user
    job = hear(user, name="late.webm", media=late.read_bytes(), media_start_s=5.0)
    desk = sit_down(chromium, served, job)
    for _ in range(3):
        desk.page.keyboard.press("ArrowDown")
    expect(desk.line(2)).to_have_class(re.compile(r"\bon\b"))
    assert desk.now() == pytest.approx(5.0 + 8.2, abs=0.05)
    assert desk.page.locator(".player .now").first.inner_text() == "0:08"
    assert desk.page.locator(".player .whole").inner_text() == "0:21"


@pytest.mark.parametrize("playback", [Playback.COPY, Playback.EITHER])
def test_a_recording_that_the_browser_cannot_play_is_heard(
    chromium: Browser, served: Served, tmp_path: Path, playback: Playback
) -> None:
    """Chromium plays no AC-3; the copy begins at 0, wherever the source does."""
    with context.ledger().read() as con:
        user = users.by_name(con, "ada")
    assert user
    source = write_media(
        tmp_path / f"{playback}.ac3", [tone(20.0, hz=300 if playback is Playback.COPY else 600)], codec="ac3"
    )
    job = hear(user, name=source.name, media=source.read_bytes(), media_start_s=5.0)
    soundfile.write(tmp_path / "copy.flac", tone(20.0), RATE_HZ)
    context.files().write(names.playback_name(job.media_sha256, None, playback), (tmp_path / "copy.flac").read_bytes())
    desk = sit_down(chromium, served, job)
    video = desk.page.locator(".player video")
    expect(video).to_have_js_property("duration", 20)
    expect(video).to_have_attribute("src", re.compile(r"/recordings/[^/]+/playback$"))
    desk.page.keyboard.press("ArrowDown")
    desk.page.keyboard.press("ArrowDown")
    expect(desk.line(1)).to_have_class(re.compile(r"\bon\b"))
    assert desk.now() == pytest.approx(4.2, abs=0.05)
    expect(desk.page.locator(".player .trouble")).to_be_hidden()


def test_subtitles_warn_and_are_corrected_like_text(desk: Desk) -> None:
    page = desk.page
    sheet = desk.tab("cues")
    expect(sheet.locator(".cue")).to_have_count(5)
    expect(sheet.locator(".pill")).to_have_text("2 warnings")
    expect(sheet.locator(".cue").nth(2)).to_contain_text("Too fast to read")
    expect(sheet.locator(".cue").nth(0)).to_contain_text("Line of 49 characters")
    for at_s in (0.2, 8.2):
        sheet.get_by_role("button", name="Next warning").click()
        assert desk.now() == pytest.approx(at_s, abs=0.05)
    write(sheet.locator(".cue .words").nth(2), "Bring the folder.")
    sheet.locator(".cue .words").nth(2).blur()
    expect(sheet.locator(".pill")).to_have_text("1 warning")
    sheet.locator(".cue").nth(3).hover()
    sheet.locator(".cue").nth(3).get_by_label("Start +0.1 seconds").click()
    desk.save()
    told = page.request.get(f"{desk.served.url}/api/v1/jobs/{desk.job.id}/transcript").json()
    assert told["segments"][2]["text"] == " Bring the folder."
    (pinned,) = told["pinned_cues"]
    assert (pinned["start_s"], pinned["from_s"]) == (pytest.approx(12.3), pytest.approx(12.2))


def test_notes_are_written_about_a_moment_and_lead_back_to_it(desk: Desk) -> None:
    sheet = desk.tab("notes")
    desk.page.locator(".player video").evaluate("video => { video.currentTime = 9; }")
    write(sheet.get_by_label("Write a note"), "Which folder?")
    expect(sheet.locator(".noting")).to_contain_text("0:09")
    sheet.get_by_role("button", name="Add note").click()
    expect(sheet.locator(".row")).to_contain_text("Which folder?")
    desk.page.locator(".player video").evaluate("video => { video.currentTime = 0; }")
    sheet.get_by_role("button", name="Play from 0:09").click()
    assert desk.now() == pytest.approx(9, abs=0.1)
    click_and_confirm(sheet, "Delete")
    expect(sheet.locator(".row")).to_have_count(0)


def test_a_reader_is_offered_no_change(chromium: Browser, served: Served) -> None:
    desk = sit_down(chromium, served, recording_of("rex"), name="rex")
    expect(desk.page.locator(".player .tools .edit")).to_have_count(0)
    desk.page.keyboard.press("e")
    assert desk.words(0).get_attribute("contenteditable") is None
    assert desk.tab("versions").get_by_role("button", name="Restore").count() == 0
    expect(desk.tab("notes").locator("textarea")).to_have_count(0)


def test_the_keyboard_reaches_the_downloads_below_a_transcript_on_a_phone(chromium: Browser, served: Served) -> None:
    desk = sit_down(chromium, served, recording_of(), phone=True)
    page = desk.page
    downloads = page.get_by_role("heading", name="Download", exact=True)
    expect(downloads).not_to_be_in_viewport()
    link = page.get_by_role("link", name="Downloads and sharing")
    page.get_by_role("link", name="Skip to main content").focus()
    for _ in range(20):
        if link.evaluate("link => link === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(downloads).to_be_in_viewport()
    expect(downloads).to_be_focused()
    expect(desk.line(0)).to_be_visible()  # the page was not loaded again
    page.set_viewport_size(DESK)
    expect(link).to_be_hidden()
    assert desk.watch.troubles == []


def test_everything_fits_on_a_phone(chromium: Browser, served: Served) -> None:
    desk = sit_down(chromium, served, recording_of(), phone=True)
    first = desk.line(0).bounding_box()
    assert first
    assert first["y"] < 300
    for sheet in ("script", "cues", "review", "notes", "versions"):
        desk.tab(sheet)
        wide = desk.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], sheet
        keep_picture(desk.page, f"job-phone-{sheet}")
    assert desk.watch.troubles == []


def test_a_recording_that_could_not_be_loaded_is_loaded_once_storage_is_back(desk: Desk) -> None:
    page, media = desk.page, re.compile(r"/recordings/[^/?]+(?:/playback)?$")
    page.route(media, lambda route: route.fulfill(status=503))
    page.goto(desk.page.url)
    trouble = page.locator(".player .trouble")
    expect(trouble).to_contain_text("tried again every few seconds")
    page.unroute(media)
    expect(trouble).to_be_hidden()
    expect(page.locator(".player video")).to_have_js_property("readyState", 4)


def test_a_tag_is_typed_and_saved_with_the_mouse(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("button", name="Tags").click()
    panel = page.get_by_test_id("stPopoverBody")
    panel.get_by_role("combobox").press_sequentially("harbour")
    page.keyboard.press("Enter")
    keep_picture(page, "recording-tags")
    panel.get_by_role("button", name="Save", exact=True).click(timeout=QUESTION_MS)
    expect(page.locator(".stMarkdownBadge", has_text="harbour")).to_be_visible()
    with context.ledger().read() as con:
        assert job_store.get(con, desk.job.id).tags == ("harbour",)
