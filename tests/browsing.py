"""A real Chromium for the tests: start, log in, upload, and take screenshots."""

import base64
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)
from playwright.sync_api import (
    TimeoutError as TooLate,
)

from tests.waiting import looks

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SLOW_MS = 120_000
QUESTION_MS = 8_000
SCREENS = Path(__file__).parents[1] / "artifacts" / "screens"
# Below a page's path Streamlit's own script looks for a server before it looks at the root; 404 is the answer.
PROBES = re.compile(r"/[a-z-]+/_stcore/(health|host-config)$")
NOT_LOADED = "Failed to load resource"
NO_TIME_FOR_FAST_CODE = "--js-flags=--no-opt --no-maglev"
"""Compilers that pay after seconds of one script: a page of a test is gone before, and needs a fifth less without."""
NOBODY_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Every host but this machine is unknown, so that a page that asks another one is heard of."""
ARGS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required", NO_TIME_FOR_FAST_CODE, NOBODY_ELSE)
FAKE_MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def chromium_path() -> str | None:
    """Return this machine's Chromium; None lets Playwright take its own.

    The headless shell draws no window, and takes less than half of the processor time for a page.
    """
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))
    return next(filter(None, found), None)


@contextmanager
def browser(*more_args: str) -> Iterator[Browser]:
    """Start Chromium; what is done to a page or expected of it may take two minutes on a busy machine."""
    expect.set_options(timeout=SLOW_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path(), args=[*ARGS, *more_args])
        started.on("context", lambda opened: opened.set_default_timeout(SLOW_MS))
        try:
            yield started
        finally:
            started.close()


@dataclass(frozen=True)
class Watch:
    """What went on in a browser that nobody should see: errors, and hosts that are not ours.

    The console tells of every answer with an error's status, and of every host that is unknown. To be told of each
    request and answer instead costs a third of a second for each page.
    """

    url: str
    troubles: list[str] = field(default_factory=list)

    def over(self, page: Page) -> Page:
        """Watch the page, and return it."""
        page.on("pageerror", lambda error: self.note(f"error: {error}"))
        page.on("console", lambda said: self.hear(said))
        return page

    def hear(self, said: ConsoleMessage) -> None:
        """Note an error that the console shows."""
        if said.type != "error":
            return
        url = said.location["url"]
        if not said.text.startswith(NOT_LOADED):
            self.note(said.text)
        elif status := re.search(r"status of (\d+)", said.text):
            self.note(f"{status[1]} {url}")
        elif urlsplit(url).netloc not in {urlsplit(self.url).netloc, ""}:
            self.note(f"another host: {url}")

    def note(self, trouble: str) -> None:
        if not PROBES.search(trouble):
            self.troubles.append(trouble)


def write(field: Locator, text: str) -> None:
    """Type over what a field has, key by key, so that every key handler on the way is tried."""
    field.click()
    field.press("Control+a")
    field.press_sequentially(text)


def click_and_confirm(sheet: Locator, name: str) -> None:
    """Click a button, and again when it asks.

    It asks for eight seconds, which a busy machine may need for one click.
    """
    for _ in looks():
        with suppress(TooLate):
            sheet.get_by_role("button", name=name).click(timeout=QUESTION_MS)
            sheet.get_by_role("button", name="Click again to confirm").click(timeout=QUESTION_MS)
            return


def log_in(page: Page, name: str, password: str) -> None:
    """Fill in the log-in form that the page shows, and send it."""
    write(page.get_by_label("Name"), name)
    write(page.locator("input[name=password]"), password)
    page.get_by_role("button", name="Log in").click()


def drop(page: Page, files: Sequence[Path]) -> None:
    """Drop files on the upload page, as a hand would."""
    given = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in files]
    transfer = page.evaluate_handle(
        """(given) => {
            const transfer = new DataTransfer();
            for (const [name, data] of given) {
                const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type: "audio/flac", lastModified: 1 }));
            }
            return transfer;
        }""",
        given,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.locator(".drop").dispatch_event(event, {"dataTransfer": transfer})


def keep_picture(page: Page, name: str) -> None:
    """Keep a screenshot where CI collects them; elsewhere, only where TRANSCRIBER_SCREENS says so."""
    folder = Path(os.environ["TRANSCRIBER_SCREENS"]) if "TRANSCRIBER_SCREENS" in os.environ else SCREENS
    if "CI" in os.environ or "TRANSCRIBER_SCREENS" in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")
