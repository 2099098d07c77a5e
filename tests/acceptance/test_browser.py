"""A real browser through the whole way: log in, drop a recording, watch, read along, download, leave."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import srt
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import browsing
from tests.acceptance.conftest import Stack
from tests.browsing import DESK, PHONE, SLOW_MS, Watch

pytestmark = pytest.mark.acceptance
SAMPLE = Path(__file__).parents[2] / "demo" / "sample.flac"
NAME, PASSWORD = "Robin", "a password of one's own"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing.browser() as started:
        yield started


@pytest.fixture(scope="module")
def first_password(stack: Stack) -> str:
    command = [sys.executable, "-m", "flows.cli", "admin", "create-user", NAME, "--role", "admin"]
    made = subprocess.run(command, env=stack.env, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"password (\S+)", made.stdout)
    assert found, made.stdout
    return found[1]


def log_in(page: Page, password: str) -> None:
    browsing.log_in(page, NAME, password)


@pytest.fixture(scope="module")
def desktop(stack: Stack, chromium: Browser, first_password: str) -> Iterator[tuple[BrowserContext, Watch]]:
    """A browser that is signed in, having changed the first password on the way."""
    context = chromium.new_context(viewport=DESK, timezone_id="Europe/Copenhagen")
    context.set_default_timeout(SLOW_MS)
    watch = Watch(stack.url)
    page = watch.over(context.new_page())
    page.goto(f"{stack.url}/upload")
    log_in(page, first_password)
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    page.get_by_label("Current password").fill(first_password)
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Save and go on").click()
    expect(page.get_by_role("heading", name="Upload")).to_be_visible()
    page.close()
    yield context, watch
    context.close()


@pytest.fixture(scope="module")
def tab(desktop: tuple[BrowserContext, Watch]) -> Iterator[Page]:
    context, watch = desktop
    page = watch.over(context.new_page())
    yield page
    page.close()


@pytest.fixture(scope="module")
def heard(stack: Stack, tab: Page) -> str:
    """Drop the sample on the upload page and wait for its transcript; return the address of its page."""
    tab.goto(f"{stack.url}/upload")
    expect(tab.locator(".drop .lead")).to_have_text("Drop recordings or folders here")
    browsing.drop(tab, [SAMPLE])
    row = tab.locator(".queue li", has_text=SAMPLE.name)
    expect(row.locator(".pill")).to_have_text("Ready")
    row.get_by_role("button", name="Open").click()
    expect(tab.locator(".player .line").first).to_be_visible()
    return tab.url


def seconds(page: Page) -> float:
    return float(page.locator(".player video").evaluate("video => video.currentTime"))


def test_the_list_follows_a_recording_to_its_end_without_a_reload(stack: Stack, tab: Page, heard: str) -> None:
    tab.goto(stack.url)
    tab.evaluate("window.notReloaded = true")
    expect(tab.locator(".jobs li").first).to_have_attribute("data-state", "completed")
    before = tab.locator(".jobs li").count()
    answer = tab.request.post(
        f"{stack.url}/api/v1/jobs",
        multipart={"file": {"name": "again.flac", "mimeType": "audio/flac", "buffer": SAMPLE.read_bytes()}},
        headers={"Origin": stack.url},
    )
    assert answer.ok, answer.text()
    row = tab.locator(".jobs li", has_text="again.flac").first
    expect(row).to_have_attribute("data-state", re.compile("."))
    expect(row).to_have_attribute("data-state", "completed")
    expect(tab.locator(".jobs li")).to_have_count(before + 1)
    assert tab.evaluate("window.notReloaded")


def test_the_transcript_seeks_on_click_and_follows_playback(tab: Page, heard: str) -> None:
    tab.goto(heard)
    line = tab.locator(".player .line").nth(2)
    expect(line).to_be_visible()
    expect(tab.locator(".player video")).to_have_js_property("readyState", 4)
    line.locator(".time").click()
    expect(line).to_have_class(re.compile(r"\bon\b"))
    expect(line.locator(".said")).to_be_visible()
    after_click = seconds(tab)
    assert after_click > 3
    tab.keyboard.press("k")
    paused = seconds(tab)
    tab.keyboard.press("j")
    assert seconds(tab) == pytest.approx(max(0.0, paused - 10), abs=0.5)
    tab.keyboard.press("ArrowRight")
    assert seconds(tab) == pytest.approx(max(0.0, paused - 10) + 5, abs=0.5)


def test_a_link_leads_to_its_moment(tab: Page, heard: str) -> None:
    tab.goto(f"{heard}&t=8.5")
    expect(tab.locator(".player .line.on")).to_be_visible()
    assert seconds(tab) == pytest.approx(8.5, abs=0.1)


def test_the_page_says_who_listened(tab: Page, heard: str) -> None:
    tab.goto(heard)
    expect(tab.get_by_text("Heard by the demo model")).to_be_visible()


def test_a_downloaded_srt_is_what_was_said(tab: Page, heard: str, tmp_path: Path) -> None:
    tab.goto(heard)
    with tab.expect_download() as download:
        tab.locator(".downloads a[data-format=srt]").click()
    assert download.value.suggested_filename == "sample.srt"
    download.value.save_as(tmp_path / "sample.srt")
    cues = list(srt.parse((tmp_path / "sample.srt").read_text(encoding="utf-8")))
    assert len(cues) >= 3
    assert "meeting" in " ".join(cue.content for cue in cues)
    assert all(cue.start < cue.end for cue in cues)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_all_of_it(stack: Stack, chromium: Browser, desktop: object, heard: str, theme: str) -> None:
    context = chromium.new_context(
        viewport=PHONE, is_mobile=True, has_touch=True, color_scheme="dark" if theme == "dark" else "light"
    )
    context.set_default_timeout(SLOW_MS)
    page = Watch(stack.url).over(context.new_page())
    page.goto(heard)
    log_in(page, PASSWORD)
    expect(page.locator(".player .line").first).to_be_visible()
    for path in ("", "upload", "settings", "people", "machines", "audit"):
        page.goto(f"{stack.url}/{path}")
        expect(page.locator(".stMain h1").first).to_be_visible()
        wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
        assert wide == 0, f"/{path} is {wide} px too wide"
    context.close()


def test_logging_out_in_one_tab_closes_the_other(
    stack: Stack, desktop: tuple[BrowserContext, Watch], tab: Page, heard: str
) -> None:
    context, watch = desktop
    tab.goto(heard)
    other = Watch(stack.url).over(context.new_page())
    other.goto(stack.url)
    expect(other.locator(".jobs li").first).to_be_visible()
    expect(tab.locator(".player .line").first).to_be_visible()
    assert watch.troubles == []
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("heading", name="Log in")).to_be_visible()
    expect(tab.get_by_role("heading", name="Log in")).to_be_visible()
    log_in(tab, PASSWORD)
    expect(tab.locator(".player .line").first).to_be_visible()


def test_an_upload_outlives_the_server(stack: Stack, chromium: Browser, desktop: object, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.001, 48_000 * 60 * 8).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", np.column_stack([noise, noise]), 48_000, subtype="PCM_16")
    context = chromium.new_context(viewport=DESK)
    page = context.new_page()
    page.goto(f"{stack.url}/upload")
    log_in(page, PASSWORD)
    expect(page.locator(".drop .lead")).not_to_be_empty()
    pipe = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 16 << 20}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", pipe)
    page.locator(".pick-files").set_input_files(tmp_path / "long.wav")
    row = page.locator(".queue li", has_text="long.wav")
    expect(row.locator(".facts")).to_contain_text("left")
    for process in stack.processes_like("flows.cli", "web"):
        process.kill()
    expect(row.locator(".facts")).to_contain_text("the server is away")
    expect(row.locator(".pill")).to_have_text(re.compile("Waiting|Reading|Transcribing|Finishing|Ready"))
    digest = hashlib.sha256((tmp_path / "long.wav").read_bytes()).hexdigest()
    assert list((stack.data_dir / "store" / "media").rglob(digest))
    context.close()
