"""Subtitles over the waveform, and a corrected text, in a real browser: by keys, by mouse, on a phone."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from playwright.sync_api import Browser, Locator, Page, expect

from dashboards.clients.prefect_runs import PrefectRun
from dashboards.runtime import context
from storage.accounts import users
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.records import AlignedText, Job, Transcript, from_json, to_json
from storage.domain.settings import Settings
from storage.remote.service_tokens import worker_token
from storage.remote.web_client import WebClient
from storage.transcripts import transcript_store
from tasks.exports.writers import export
from tests.browsing import DESK, PHONE, Watch, keep_picture, write
from tests.dashboards.heard import hear
from tests.dashboards.served import Served, sign_in
from tests.kept_contexts import kept_context

pytestmark = [pytest.mark.acceptance, pytest.mark.shared_server]
OURS = """async () => (await axe.run(document, { resultTypes: ["violations"], elementRef: true })).violations.flatMap(
    ({ id, nodes }) => nodes.filter(({ element }) => element.closest(".player"))
        .map(({ html, any }) => `${id}: ${html.slice(0, 160)} ${any[0]?.message ?? ""}`))"""
AXE = Path(__file__).parents[2] / "vendor" / "axe-core" / "axe.min.js"


def recording() -> Job:
    with context.ledger().read() as con:
        user = users.by_name(con, "ada")
    assert user
    job = hear(user, speakers=("Anna", "Anna", "Ben"))
    export_current(job)
    return job


def export_current(job: Job) -> str:
    """Make the subtitles of the current version, as a worker does, and return them."""
    with context.ledger().read() as con:
        transcript, stored_as = transcript_store.get(con, job.id), transcript_store.stored_as(con, job.id)
    assert transcript
    assert stored_as
    body = export(transcript, "vtt")
    context.files().write(names.export_name(job.id, stored_as, "vtt", job.options.cues), body)
    return body.decode()


def open_cues(
    browser: Browser, served: Served, job: Job, *, phone: bool = False, dark: bool = False
) -> tuple[Page, Watch]:
    watch = Watch(served.url)
    opened = kept_context(browser, viewport=PHONE if phone else DESK, color_scheme="dark" if dark else "light")
    sign_in(opened, served)
    page = watch.over(opened.new_page())
    page.goto(f"{served.url}/job?id={job.id}")
    expect(page.locator(".player .line").first).to_be_visible()
    expect(page.locator(".player video")).to_have_js_property("readyState", 4)
    page.locator(".player [data-tab=cues]").click()
    expect(page.locator(".player .region").first).to_be_visible()
    return page, watch


@pytest.fixture
def job(served: Served) -> Job:
    assert served.url
    return recording()


@pytest.fixture
def cues(chromium: Browser, served: Served, job: Job) -> Iterator[Page]:
    page, watch = open_cues(chromium, served, job)
    yield page
    assert watch.troubles == []


def stored(page: Page, served: Served, job: Job) -> dict[str, Any]:
    found: dict[str, Any] = page.request.get(f"{served.url}/api/v1/jobs/{job.id}/transcript").json()
    return found


def save(page: Page) -> None:
    page.locator(".player .savebar .save").click()
    expect(page.locator(".player .notice.good")).to_contain_text("Saved as version")


def edge(page: Page, name: str) -> Locator:
    return page.locator(f".player .region.chosen .handle.{name}")


def test_edges_are_moved_by_keys_within_limits_undone_saved_and_exported(cues: Page, served: Served, job: Job) -> None:
    stage, rows = cues.locator(".player .stage"), cues.locator(".player .cue")
    stage.focus()
    stage.press("ArrowDown")
    stage.press("ArrowDown")
    expect(cues.locator(".player .region.chosen .label")).to_contain_text("ferry")
    end = edge(cues, "end")
    end.focus()
    before = float(end.get_attribute("aria-valuenow") or 0)
    end.press("Shift+ArrowLeft")
    end.press("ArrowLeft")
    expect(end).to_have_attribute("aria-valuenow", f"{before - 0.14:.2f}")
    expect(rows.nth(1)).to_contain_text("Set by hand")
    cues.keyboard.press("Control+z")
    expect(end).to_have_attribute("aria-valuenow", f"{before - 0.04:.2f}")
    cues.keyboard.press("Control+y")
    for _ in range(60):
        end.press("ArrowLeft")
    start = float(edge(cues, "start").get_attribute("aria-valuenow") or 0)
    expect(end).to_have_attribute("aria-valuenow", f"{start + 0.2:.2f}")
    expect(rows.nth(1)).to_contain_text("Too short")
    save(cues)
    (pinned,) = stored(cues, served, job)["pinned_cues"]
    assert pinned["end_s"] == pytest.approx(pinned["start_s"] + 0.2)
    seconds, ms = divmod(round(pinned["end_s"] * 1000), 1000)
    assert f"--> 00:00:{seconds:02}.{ms:03}" in export_current(job)


def test_an_edge_is_dragged_and_shows_warnings_meanwhile(cues: Page) -> None:
    rows = cues.locator(".player .cue")
    cues.locator(".player .region .label").nth(1).click()
    box = edge(cues, "end").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    cues.mouse.move(x, y)
    cues.mouse.down()
    cues.mouse.move(x - 60, y, steps=4)
    during = edge(cues, "end").get_attribute("aria-valuenow")
    cues.mouse.move(x - 2000, y, steps=2)
    expect(rows.nth(1)).to_contain_text("Too fast to read")
    cues.mouse.move(x - 60, y)
    cues.mouse.up()
    expect(edge(cues, "end")).to_have_attribute("aria-valuenow", str(during))
    expect(cues.locator(".player .savebar")).to_contain_text("1 unsaved change")


def test_a_cue_is_split_at_the_caret_and_at_the_playhead_and_merged(cues: Page, served: Served, job: Job) -> None:
    rows = cues.locator(".player .cue")
    count = rows.count()
    texts = rows.locator(".words").all_inner_texts()
    body = rows.nth(1).locator(".words")
    body.click()
    body.press("Home")
    for _ in range(len(texts[1].split()[0])):
        body.press("ArrowRight")
    body.press("Shift+Enter")
    expect(rows).to_have_count(count + 1)
    expect(rows.nth(1).locator(".words")).to_have_text(texts[1].split()[0])
    stage = cues.locator(".player .stage")
    stage.focus()
    stage.press("ArrowUp")
    cues.get_by_role("button", name="Merge with next").click()
    expect(rows).to_have_count(count)
    cues.locator(".player video").evaluate("video => { video.currentTime = 5.6; }")
    stage.focus()
    stage.press("s")
    expect(rows).to_have_count(count + 1)
    cues.keyboard.press("Control+z")
    expect(rows).to_have_count(count)
    save(cues)
    assert len(stored(cues, served, job)["pinned_cues"]) == 1


def test_the_waveform_stays_in_view_when_a_cue_far_down_is_chosen(cues: Page) -> None:
    cues.set_viewport_size({"width": 1440, "height": 620})
    cues.locator(".player .region .label").last.click()
    expect(edge(cues, "end")).to_be_visible()
    expect(cues.locator(".player .cue").last).to_be_in_viewport()
    expect(cues.locator(".player .stage")).to_be_in_viewport(ratio=1)


def test_the_waveform_zooms_by_keys_buttons_and_wheel(cues: Page) -> None:
    stage, region = cues.locator(".player .stage"), cues.locator(".player .region").first

    def width() -> float:
        box = region.bounding_box()
        assert box
        return box["width"]

    before = width()
    stage.focus()
    stage.press("+")
    cues.wait_for_timeout(300)
    larger = width()
    assert larger > before * 1.3
    cues.get_by_role("button", name="Zoom out").click()
    cues.wait_for_timeout(300)
    assert width() == pytest.approx(before, abs=2)
    stage.hover()
    cues.keyboard.down("Control")
    cues.mouse.wheel(0, -100)
    cues.keyboard.up("Control")
    cues.wait_for_timeout(300)
    assert width() > before * 1.3


@pytest.mark.parametrize(
    ("phone", "dark"),
    [
        (False, False),
        (True, True),
        pytest.param(False, True, marks=pytest.mark.nightly),
        pytest.param(True, False, marks=pytest.mark.nightly),
    ],
)
def test_cues_and_corrected_text_fit_and_pass_axe(
    chromium: Browser, served: Served, job: Job, *, phone: bool, dark: bool
) -> None:
    page, watch = open_cues(chromium, served, job, phone=phone, dark=dark)
    page.locator(".player .region .label").first.click()
    expect(edge(page, "end")).to_be_visible()
    name = f"{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}"
    keep_picture(page, f"cues-{name}")
    assert page.evaluate("document.documentElement.scrollWidth") <= (PHONE if phone else DESK)["width"]
    page.evaluate(AXE.read_text())
    assert violations(page) == []
    page.locator(".player [data-tab=script]").click()
    page.get_by_role("button", name="Use a corrected text").click()
    expect(page.get_by_role("textbox", name="Corrected text")).to_be_focused()
    keep_picture(page, f"corrected-{name}")
    assert violations(page) == []
    assert watch.troubles == []


def violations(page: Page) -> list[str]:
    """Return what axe-core finds in the player, of any impact."""
    found: list[str] = page.evaluate(OURS)
    return found


def document(*paragraphs: str) -> bytes:
    """Return a Word file, as Word's users have them."""
    made, packed = Document(), io.BytesIO()
    for text in paragraphs:
        made.add_paragraph(text)
    made.save(packed)
    return packed.getvalue()


class PlayedRuns:
    """Prefect with a worker that leaves all times as they were."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def align(self, job: Job, parameters: dict[str, Any], *, key: str) -> PrefectRun:
        assert job
        self.asked.append(parameters)
        return self._run(key)

    async def by_id(self, ids: Sequence[str]) -> dict[str, PrefectRun]:
        return {ident: self._run(ident) for ident in ids}

    def _run(self, ident: str) -> PrefectRun:
        return PrefectRun(id=ident, state="running", message="", since=utc_now(), job_id=None, attempt=None)

    def finish(self, served: Served, settings: Settings) -> None:
        asked, files = self.asked[-1], context.files()
        before = from_json(Transcript, files.read(asked["stored_as"]))
        segments = tuple(replace(one, speaker="Carla") for one in before.segments)
        files.create(asked["result"], to_json(AlignedText(segments=segments, findings=(), share=1, words=9, timed=0)))
        self.report(served, settings, {"state": "done"})

    def report(self, served: Served, settings: Settings, told: dict[str, Any]) -> None:
        with WebClient(served.url, worker_token(settings)) as client:
            client.call("POST", f"/internal/v1/alignments/{self.asked[-1]['alignment_id']}", {"worker": "gpu-1"} | told)


def choose(page: Page, name: str, body: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files({"name": name, "mimeType": "", "buffer": body})


def test_a_corrected_text_is_pasted_followed_and_shown(chromium: Browser, served: Served, job: Job) -> None:
    page, watch = open_cues(chromium, served, job)
    runs = PlayedRuns()
    while context.current().runs is None:
        page.wait_for_timeout(20)
    context.current().runs = runs  # type: ignore[assignment]
    page.locator(".player [data-tab=script]").click()
    page.get_by_role("button", name="Use a corrected text").click()
    write(page.get_by_role("textbox", name="Corrected text"), "Carla: something else")
    page.get_by_role("button", name="Add times").click()
    expect(page.locator(".correcting .progress")).to_have_text("Waiting for a worker…")
    runs.report(served, served.settings, {"state": "refused", "detail": "only 0% of the text's words are said"})
    expect(page.locator(".correcting .progress")).to_contain_text("was not changed: only 0%")
    field = page.get_by_role("textbox", name="Corrected text")
    choose(page, "torn.docx", document("Carla: Grüße")[:-40])
    expect(page.locator(".correcting .progress")).to_contain_text("No text could be read from torn.docx")
    choose(page, "empty.txt", b"\xef\xbb\xbf\r\n")
    expect(page.locator(".correcting .progress")).to_have_text("There is no text in empty.txt.")
    choose(page, "right.docx", document("Carla: Grüße", "an alle"))
    expect(field).to_have_value("Carla: Grüße\nan alle")
    choose(page, "right.txt", "Carla: Grüße".encode())
    expect(field).to_have_value("Carla: Grüße")
    page.get_by_role("button", name="Add times").click()
    expect(page.locator(".correcting .progress")).to_have_text("Waiting for a worker…")
    assert len(runs.asked) == 2
    runs.report(served, served.settings, {"state": "running", "progress": 0.5})
    expect(page.locator(".correcting .progress")).to_contain_text("50%")
    runs.finish(served, served.settings)
    expect(page.locator(".player .notice.good")).to_contain_text("Saved as version 2")
    expect(page.locator(".player .line .speaker").first).to_have_text("Carla")
    assert watch.troubles == []
