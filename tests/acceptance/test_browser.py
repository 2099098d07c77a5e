"""A real browser through the whole workflow: login, upload, progress, transcript, download, logout."""

import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import soundfile
import srt
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from flows.platform import deploy
from tests import browsing
from tests.acceptance.conftest import Stack
from tests.browsing import DESK, PHONE, Watch, write
from tests.conftest import SAMPLE, TINY_MODEL
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.acceptance
NAME, PASSWORD = "Robin", "a new password"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing.browser() as started:
        yield started


@pytest.fixture(scope="module")
def first_password(stack: Stack) -> str:
    made = stack.transcriber("admin", "create-user", NAME, "--role", "admin")
    found = re.search(r"password (\S+)", made)
    assert found, made
    return found[1]


def log_in(page: Page, password: str) -> None:
    browsing.log_in(page, NAME, password)


@pytest.fixture(scope="module")
def desktop(stack: Stack, chromium: Browser, first_password: str) -> Iterator[tuple[BrowserContext, Watch]]:
    """A browser that is signed in, having changed the first password on the way."""
    context = chromium.new_context(viewport=DESK, timezone_id="Europe/Copenhagen")
    watch = Watch(stack.url)
    page = watch.over(context.new_page())
    page.goto(f"{stack.url}/upload")
    log_in(page, first_password)
    expect(page.get_by_role("heading", name="Choose your password")).to_be_visible()
    write(page.get_by_label("Current password"), first_password)
    write(page.get_by_label("New password", exact=True), PASSWORD)
    write(page.get_by_label("Repeat new password"), PASSWORD)
    page.get_by_role("button", name="Save and continue").click()
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
    expect(tab.locator(".facts dd", has_text=TINY_MODEL.name)).to_be_visible()


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


FITS = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const main = document.querySelector(".stMain");
    return app?.dataset.testScriptState === "notRunning" && main.scrollWidth === main.clientWidth;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_all_of_it(stack: Stack, chromium: Browser, desktop: object, heard: str, theme: str) -> None:
    context = chromium.new_context(
        viewport=PHONE, is_mobile=True, has_touch=True, color_scheme="dark" if theme == "dark" else "light"
    )
    page = Watch(stack.url).over(context.new_page())
    page.goto(heard)
    log_in(page, PASSWORD)
    expect(page.locator(".player .line").first).to_be_visible()
    for path in ("", "upload", "settings", "people", "machines", "audit"):
        page.goto(f"{stack.url}/{path}")
        expect(page.locator(".stMain h1").first).to_be_visible()
        try:  # names of icons are wider than icons, until their font is there
            page.wait_for_function(FITS)
        except PlaywrightTimeout as error:
            wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
            raise AssertionError(f"/{path} is {wide} px too wide") from error
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
    expect(row.locator(".facts")).to_contain_text("the server is unavailable")
    expect(row.locator(".pill")).to_have_text(re.compile("Waiting|Reading|Transcribing|Finishing|Ready"))
    digest = hashlib.sha256((tmp_path / "long.wav").read_bytes()).hexdigest()
    assert list((stack.data_dir / "store" / "media").rglob(digest))
    context.close()


def flow_runs(stack: Stack) -> int:
    with deploy.prefect_http(f"{stack.prefect}/api", auth=stack.prefect_auth) as prefect:
        return int(prefect.post("/flow_runs/count", json={}).json())


def test_a_page_of_another_origin_can_do_nothing_with_prefect(stack: Stack, chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<title>another site</title>")
    with deploy.prefect_http(f"{stack.prefect}/api", auth=stack.prefect_auth) as prefect:
        deployment = prefect.get("/deployments/name/ingest-batch/ingest-batch").raise_for_status().json()["id"]
    before = flow_runs(stack)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site, chromium.new_page() as page:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{site.server_port}/")
        told = page.evaluate(
            """async ([api, deployment]) => {
                const asked = async (path, options) => {
                    try {
                        const answer = await fetch(api + path, { method: "POST", ...options });
                        return `${answer.type} ${answer.status}`;
                    } catch (error) {
                        return error.name;
                    }
                };
                const json = { headers: { "Content-Type": "application/json" } };
                const parameters = JSON.stringify({ parameters: { source: "/", owner: "admin" } });
                const start = `/deployments/${deployment}/create_flow_run`;
                const blind = new Blob([parameters]);
                return [
                    await asked("/artifacts/filter", { body: "{}", ...json }),
                    await asked("/artifacts/filter", { body: "{}" }),
                    await asked(start, { body: parameters, ...json }),
                    await asked(start, { body: blind, mode: "no-cors" }),
                    await new Promise((done) => {
                        const socket = new WebSocket(api.replace("http", "ws") + "/events/out", "prefect");
                        socket.onopen = () => done("open");
                        socket.onerror = () => done("closed");
                    }),
                ];
            }""",
            [f"{stack.prefect}/api", deployment],
        )
        site.shutdown()

    assert told == ["TypeError", "TypeError", "TypeError", "opaque 0", "closed"]
    assert flow_runs(stack) == before


def test_an_administrator_opens_prefect_with_one_click(stack: Stack, tab: Page) -> None:
    tab.goto(f"{stack.url}/queues")
    link = tab.get_by_role("link", name="Open Prefect")
    expect(link).to_be_visible()
    link.focus()
    with tab.expect_popup() as opened:
        tab.keyboard.press("Enter")
    prefect = opened.value
    expect(prefect).to_have_url(re.compile(f"{re.escape(stack.prefect)}/.*dashboard"))
    for pool in ("cpu", "gpu"):  # which only somebody with the secret reads
        expect(prefect.get_by_text(pool, exact=True).first).to_be_visible()
    browsing.keep_picture(prefect, "prefect")
    prefect.close()


def test_nobody_else_gets_the_way_to_prefect(stack: Stack, chromium: Browser) -> None:
    with chromium.new_page() as page:
        answer = page.request.get(f"{stack.url}/prefect", max_redirects=0)
    assert answer.status == 401
    assert "location" not in answer.headers


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runuser"), reason="only root becomes another user")
@pytest.mark.parametrize("path", ["artifacts", "flow_runs", "deployments"])
def test_another_user_of_the_machine_reads_nothing_from_prefect(stack: Stack, path: str) -> None:
    port = stack.env["PREFECT_SERVER_API_PORT"]
    asked = (
        f"POST /api/{path}/filter HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nConnection: close\\r\\n"
        "Content-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n{}"
    )
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{asked}' >&3; head -n 1 <&3"
    command = ["runuser", "-u", "nobody", "--", "bash", "-c", script]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=PATIENCE_S, check=True)

    assert done.stdout.startswith("HTTP/1.1 401")
