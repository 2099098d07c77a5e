"""Uploads in a real browser: folders, duplicates, microphone, shared files, server crash."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Page, Route, expect

from dashboards.runtime import context
from storage.domain import names
from storage.domain.records import Job
from storage.domain.settings import Settings, StorageSettings
from storage.files.file_store import Files
from storage.jobs import job_store
from tests.browsing import DESK, PHONE, Watch, drop, keep_picture, log_in, write
from tests.dashboards.served import played_workers, serving, sign_in
from tests.dashboards.site import PASSWORD
from tests.dashboards.uploads.test_uploads_survive import Web, web  # noqa: F401 - a fixture
from tests.kept_contexts import kept_context, put_back
from tests.processes import end
from tests.storage.files.test_s3_bucket import KEYS, free_port, rclone, wait_for

pytestmark = pytest.mark.acceptance

SENT = re.compile("Waiting|Reading|Transcribing|Finishing|Ready")


@contextmanager
def upload_page(settings: Settings, chromium: Browser) -> Iterator[tuple[Page, Watch]]:
    """The upload page of somebody who is logged in, with workers that finish every job."""
    with serving(settings) as served, played_workers(served):
        watch = Watch(served.url)
        in_browser = kept_context(chromium, viewport=DESK, permissions=["microphone"])
        sign_in(in_browser, served)
        page = watch.over(in_browser.new_page())
        page.goto(f"{served.url}/upload")
        expect(page.locator(".drop .lead")).not_to_be_empty()
        yield page, watch
        put_back(in_browser)


def all_jobs() -> list[Job]:
    with context.ledger().read() as con:
        return job_store.page(con)


@pytest.fixture
def talk(tmp_path: Path, tone: Callable[..., bytes]) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(tone(2))
    return path


def drag_in(page: Page, paths: list[Path]) -> None:
    """Drag files or folders of this machine onto the drop zone, as the browser's own drag does."""
    box = page.locator(".drop").bounding_box()
    assert box
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"type": kind, "x": box["x"] + 30, "y": box["y"] + 30, "data": data}
        devtools.send("Input.dispatchDragEvent", where)


def test_a_dropped_folder_is_walked_to_its_ends(settings: Settings, chromium: Browser, tmp_path: Path) -> None:
    """Two files of one name, size and date in two folders are two recordings.

    Each is sent in one request; the answer to the first is lost, and it is sent again.
    """
    folder = tmp_path / "interviews"
    for place, hz in (("a", 300), ("b/deep/er", 500)):
        (folder / place).mkdir(parents=True)
        samples = 0.3 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)
        soundfile.write(folder / place / "track 1.wav", samples.astype(np.float32), 16_000, subtype="PCM_16")
    (folder / "notes.txt").write_text("not a recording")
    sent: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        sent.append(route.request.method)
        if len(sent) > 1:
            route.continue_()
            return
        assert route.fetch().headers["x-job-id"]
        route.abort()

    with upload_page(settings, chromium) as (page, watch):
        page.route(re.compile("/uploads(/[0-9a-f]+)?$"), lose_the_first_answer)
        drag_in(page, [folder])
        expect(page.locator(".queue li .pill", has_text="Ready")).to_have_count(2)
        assert sent == ["POST"] * 3
        expect(page.locator(".note")).to_contain_text("1 file in the folder is neither audio nor video")
        assert len(jobs := all_jobs()) == len({job.media_sha256 for job in jobs}) == 2
        assert watch.troubles == []


@pytest.fixture
def bucket_settings(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings whose storage is a bucket that pages may send parts to."""
    (folder := tmp_path / "bucket").mkdir()
    port = free_port()
    url, command = f"http://127.0.0.1:{port}", [*rclone(port, folder), "--allow-origin", "*"]
    service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    storage: dict[str, Any] = {"data_dir": settings.storage.data_dir, "direct_uploads": True}
    storage |= {"storage_url": "s3://store/speech", "storage_endpoint_url": url}
    settings.__dict__["storage"] = StorageSettings(**storage, _env_file=None)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    try:
        wait_for(url, service)
        yield settings
    finally:
        end(service)


TO_BUCKET = re.compile("partNumber=")


def long_talk(folder: Path) -> Path:
    """Return a recording of 68 MiB: five parts."""
    path = folder / "long talk.wav"
    noise = np.random.default_rng(5).integers(-3000, 3000, 34 << 20, dtype=np.int16)
    soundfile.write(path, noise, 96_000, subtype="PCM_16")
    return path


def test_a_big_file_goes_straight_to_the_bucket_and_on_after_a_reload(
    bucket_settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    talk, parts = long_talk(tmp_path), iter(range(1000))

    def lose_the_network(route: Route) -> None:
        if next(parts) < 2:
            route.continue_()
        else:
            route.abort()

    with upload_page(bucket_settings, chromium) as (page, watch):
        page.route(TO_BUCKET, lose_the_network)
        drag_in(page, [talk])
        expect(page.locator(".queue")).to_contain_text("the server is unavailable")
        page.reload()
        expect(page.locator(".drop .lead")).not_to_be_empty()
        expect(page.get_by_text("long talk.wav")).to_be_visible()
        page.unroute(TO_BUCKET, lose_the_network)
        sent: list[str] = []
        page.on("request", lambda asked: sent.append(asked.method) if "partNumber=" in asked.url else None)
        drag_in(page, [talk])
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        assert 0 < sent.count("PUT") < 5  # one or two had arrived before
        assert [job.media_bytes for job in all_jobs()] == [talk.stat().st_size]
        assert [trouble for trouble in watch.troubles if "partNumber=" not in trouble] == []


@pytest.mark.nightly
def test_a_file_takes_the_servers_way_where_the_bucket_cannot_be_reached(
    bucket_settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    talk = long_talk(tmp_path)
    with upload_page(bucket_settings, chromium) as (page, _):
        page.route(TO_BUCKET, lambda route: route.abort())
        drag_in(page, [talk])
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        assert [job.media_bytes for job in all_jobs()] == [talk.stat().st_size]


def test_long_names_make_the_page_no_wider(settings: Settings, chromium: Browser, talk: Path) -> None:
    named = talk.rename(talk.with_name("Interview with the harbour master about the ferry " * 4 + "(final).wav"))
    with upload_page(settings, chromium) as (page, _):
        box = page.locator(".uploader").bounding_box()
        assert box
        drop(page, [named])
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        right = page.locator(".queue li").evaluate("row => row.getBoundingClientRect().right")
        assert right <= box["x"] + box["width"] + 1


def test_what_was_sent_before_is_offered_and_not_sent(settings: Settings, chromium: Browser, talk: Path) -> None:
    with upload_page(settings, chromium) as (page, watch):
        drop(page, [talk])
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        first = page.url
        page.reload()
        expect(page.locator(".drop .lead")).not_to_be_empty()
        posts: list[str] = []
        page.on("request", lambda asked: posts.append(asked.url) if asked.url.endswith("/uploads") else None)
        drop(page, [talk])
        expect(page.locator(".known")).to_contain_text("You transcribed this on")
        keep_picture(page, "upload-known")
        assert len(all_jobs()) == 1
        page.get_by_role("button", name="Transcribe again").click()
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        assert posts == []
        assert [job.media_sha256 for job in all_jobs()] == 2 * [all_jobs()[0].media_sha256]
        page.reload()
        expect(page.locator(".drop .lead")).not_to_be_empty()
        drop(page, [talk])
        page.get_by_role("button", name="Open it").click()
        expect(page.get_by_role("heading", name="talk.wav")).to_be_visible()
        assert page.url != first
        assert watch.troubles == []


def test_the_microphone_is_recorded_paused_and_sent(settings: Settings, chromium: Browser) -> None:
    with upload_page(settings, chromium) as (page, watch):
        page.get_by_role("button", name="Record").click()
        expect(page.locator(".recorder .state")).to_have_text("Recording")
        expect(page.locator(".recorder .clock")).to_have_text("0:02")
        expect(page.locator(".recorder .meter i")).to_have_attribute("style", re.compile(r"--share: 0\.[1-9]"))
        keep_picture(page, "upload-recording")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".recorder .state")).to_have_text("Paused")
        page.get_by_role("button", name="Continue recording").click()
        page.get_by_role("button", name="Stop and upload").click()
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        (job,) = all_jobs()
        assert re.fullmatch(r"Recording \d{4}-\d\d-\d\d \d\d\.\d\d\.webm", job.name)
        assert len(Files.from_settings(settings.storage).read(names.media_name(job.media_sha256))) == job.media_bytes
        page.reload()
        expect(page.locator(".drop .lead")).not_to_be_empty()
        expect(page.locator(".unsent")).to_be_hidden()
        assert watch.troubles == []


def test_a_recording_outlives_the_page_that_made_it(settings: Settings, chromium: Browser) -> None:
    with upload_page(settings, chromium) as (page, _):
        page.get_by_role("button", name="Record").click()
        expect(page.locator(".recorder .clock")).to_have_text("0:03")
        page.on("dialog", lambda dialog: dialog.accept())
        page.reload()
        row = page.locator(".unsent li")
        expect(row).to_contain_text("Recording")
        row.get_by_role("button", name="Upload").click()
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        expect(page.locator(".unsent")).to_be_hidden()
        assert len(all_jobs()) == 1


def test_what_another_app_shares_becomes_a_job_and_its_page(settings: Settings, chromium: Browser, talk: Path) -> None:
    """A form sent to the share target, which is what the phone does; the service worker takes it."""
    with upload_page(settings, chromium) as (page, _):
        page.evaluate("async () => { await navigator.serviceWorker.ready; }")
        page.reload()
        page.evaluate(
            """() => {
                document.body.insertAdjacentHTML("beforeend",
                    `<form id="phone" action="/share" method="post" enctype="multipart/form-data">
                    <input type="file" name="recordings"></form>`);
            }"""
        )
        page.locator("#phone input").set_input_files(talk)
        page.locator("#phone").evaluate("form => form.submit()")
        page.wait_for_url(re.compile("/job"))
        expect(page.get_by_role("heading", name="talk.wav")).to_be_visible()
        assert [job.name for job in all_jobs()] == ["talk.wav"]


@pytest.mark.nightly
def test_an_upload_outlives_a_killed_server(
    web: Web,  # noqa: F811
    chromium: Browser,
    tmp_path: Path,
) -> None:
    """Big enough for parallel parts; killed with all of them in flight, it is complete to the bit in the end."""
    noise = np.random.default_rng(1).integers(-30, 30, (48_000 * 380, 2), dtype=np.int16)
    path = tmp_path / "long.wav"
    soundfile.write(path, noise, 48_000, subtype="PCM_16")
    web.start()
    in_browser = chromium.new_context(viewport=PHONE)
    page = in_browser.new_page()
    page.goto(f"{web.url}/upload")
    log_in(page, "ada", PASSWORD)
    expect(page.locator(".drop .lead")).not_to_be_empty()
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 12 << 20}
    in_browser.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    page.locator(".pick-files").set_input_files(path)
    row = page.locator(".queue li", has_text="long.wav")
    expect(row.locator(".facts")).to_contain_text("left")
    assert len(list(web.settings.storage.uploads_dir.glob("*.part"))) == 4
    web.kill()
    expect(row.locator(".facts")).to_contain_text("the server is unavailable")
    keep_picture(page, "upload-server-away-phone")
    web.start()
    expect(row.locator(".pill")).to_have_text(SENT)
    in_browser.close()
    web.kill()
    (job,) = web.jobs()
    assert Files.from_settings(web.settings.storage).read(names.media_name(job.media_sha256)) == path.read_bytes()


def test_a_file_without_a_header_is_asked_about_and_taken_as_described(
    settings: Settings, chromium: Browser, tmp_path: Path
) -> None:
    call = tmp_path / "call.alaw"
    call.write_bytes(bytes(0x55 ^ (number % 89) for number in range(16_000)))
    with upload_page(settings, chromium) as (page, watch):
        drop(page, [call])
        form = page.locator(".queue form.describe")
        expect(form).to_be_visible()
        expect(form.get_by_label("Format")).to_have_value("alaw")  # its name says so, and is not believed unasked
        form.get_by_label("Format").select_option(label="GSM 06.10")
        expect(form.get_by_label("Sample rate (Hz)")).to_be_disabled()
        form.get_by_label("Format").select_option(label="A-law (G.711)")
        form.scroll_into_view_if_needed()
        keep_picture(page, "upload-headerless")
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        rate = form.get_by_label("Sample rate (Hz)")
        write(rate, "100")
        rate.press("Enter")
        assert all_jobs() == []  # the browser asks for at least 4,000
        write(rate, "16000")
        rate.press("Enter")
        expect(page.locator(".queue .pill")).to_have_text("Ready")
        (job,) = all_jobs()
        assert (job.name, job.duration_s) == ("call.wav", 1.0)
        assert [trouble.split()[0] for trouble in watch.troubles] == ["415"]  # the question
