"""What a browser loads for the first page, how far pages shift, and how fast many files go up.

    python -m benchmarks browser [--baseline 01b573e] [--files 500] [--rounds 1] [--no-shift]

Serves the web process of each checkout, with one completed recording, to Chromium. Loaded is what comes over the
network from the log-in page to the first page drawn after it, with an empty cache. Shift is the page's cumulative
layout shift (wanted: under 0.1) without input, from its address until two seconds after its heading stands. Files are
tones of a second in one folder, dropped at once; meanwhile a key is pressed ten times a second, and "a key" is the time
from the key to the next frame. The checkouts take the rounds in turn, each with a folder of its own; the table has the
medians.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from playwright.sync_api import Browser, Page

from benchmarks.bench_editing import PATIENCE_MS, REPO, serving, signed_in
from benchmarks.bench_speech import BASELINE, checked_out
from tests.browsing import DESK, PHONE, browser

WATCH_SHIFT = """() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const each of list.getEntries()) if (!each.hadRecentInput) window.shift += each.value;
    }).observe({ type: "layout-shift", buffered: true });
}"""
WATCH_KEYS = """() => {
    window.keys = [];
    addEventListener("keydown", () => {
        const began = performance.now();
        requestAnimationFrame(() => setTimeout(() => window.keys.push(performance.now() - began)));
    }, true);
}"""
SENT = ".queue li .pill:not([hidden])"


def loaded(chromium: Browser, url: str) -> tuple[dict[str, float], list[str]]:
    """Return the kB of each kind that the first page loads, and the addresses of the sidebar's pages."""
    in_browser = chromium.new_context(viewport=DESK)
    page = in_browser.new_page()
    devtools = in_browser.new_cdp_session(page)
    kinds: dict[str, str] = {}
    bytes_of: Counter[str] = Counter()

    def note(answer: dict[str, Any]) -> None:
        kinds[answer["requestId"]] = answer["type"]

    def add(done: dict[str, Any]) -> None:
        bytes_of[kinds.get(done["requestId"], "Other")] += int(done["encodedDataLength"])

    devtools.on("Network.responseReceived", note)
    devtools.on("Network.loadingFinished", add)
    devtools.send("Network.enable")
    signed_in(page, url)
    page.wait_for_timeout(2000)
    links = page.locator("[data-testid=stSidebarNavLink]").evaluate_all("links => links.map((link) => link.href)")
    in_browser.close()
    return {kind: count / 1000 for kind, count in bytes_of.items()}, links


def shifts(chromium: Browser, url: str, links: list[str]) -> dict[str, float]:
    """Return the layout shift of each page, the worse of a desktop's and a phone's."""
    worst: dict[str, float] = {}
    for viewport in (DESK, PHONE):
        page = signed_in(chromium.new_context(viewport=viewport).new_page(), url)
        page.add_init_script(f"({WATCH_SHIFT})()")
        for link in links:
            page.goto(link)
            page.locator(".stMain h1").first.wait_for()
            page.wait_for_timeout(2000)
            name = link.removeprefix(url).partition("?")[0] or "/"
            worst[name] = max(worst.get(name, 0.0), float(page.evaluate("() => window.shift")))
        page.context.close()
    return worst


def tones(folder: Path, count: int, *, first_hz: int) -> Path:
    """Write so many different recordings of a second into one folder."""
    folder.mkdir()
    for number in range(count):
        samples = 0.3 * np.sin(2 * np.pi * (first_hz + number) * np.arange(16_000) / 16_000)
        soundfile.write(folder / f"tone {number:04}.flac", samples, 16_000)
    return folder


def many_files(chromium: Browser, url: str, folder: Path) -> tuple[float, float, float]:
    """Return files a minute, and the milliseconds of a key: the median, and of 95 of 100."""
    page = signed_in(chromium.new_context(viewport=DESK).new_page(), url)
    page.goto(f"{url}/upload")
    page.locator(".drop .lead").wait_for()
    page.evaluate(WATCH_KEYS)
    count, began = sum(1 for _ in folder.iterdir()), time.monotonic()
    _drag_in(page, folder)
    while (sent := page.locator(SENT).count()) < count:
        if time.monotonic() - began > PATIENCE_MS / 1000:
            print(f"<!-- {sent} of {count} files after {PATIENCE_MS / 60_000:.0f} minutes -->")
            break
        page.keyboard.press("Shift")
        page.wait_for_timeout(100)
    files_a_minute = 60 * sent / (time.monotonic() - began)
    keys = sorted(page.evaluate("() => window.keys"))
    return files_a_minute, statistics.median(keys), keys[int(0.95 * len(keys))]


def _drag_in(page: Page, folder: Path) -> None:
    box = page.locator(".drop").bounding_box()
    assert box
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"type": kind, "x": box["x"] + 30, "y": box["y"] + 30, "data": data}
        devtools.send("Input.dispatchDragEvent", where)


def measured(
    sides: dict[str, Path], room: Path, folders: list[Path], *, shift: bool
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Return what is measured of each checkout, and the layout shift of each page of the first."""
    with ExitStack() as stack:
        served = {
            name: stack.enter_context(serving(checkout, room / f"data-{name}", 40)) for name, checkout in sides.items()
        }
        chromium = stack.enter_context(browser())  # ends first: its open pages would keep the servers
        first_pages = {name: loaded(chromium, url) for name, (url, _) in served.items()}
        url, job_id = next(iter(served.values()))
        pages = [*next(iter(first_pages.values()))[1], f"{url}/job?id={job_id}"]
        shifted = shifts(chromium, url, pages) if shift else {}
        sent: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
        for folder in folders:
            for name, (url, _) in served.items():
                sent[name].append(many_files(chromium, url, folder))
    found = {}
    for name, (kilobytes, _) in first_pages.items():
        files_a_minute, key_ms, slow_key_ms = (statistics.median(each) for each in zip(*sent[name], strict=True))
        found[name] = {
            "first page: JavaScript, kB": kilobytes["Script"],
            "first page: fonts, kB": kilobytes.get("Font", 0.0),
            "first page: all, kB": sum(kilobytes.values()),
            "files a minute": files_a_minute,
            "a key meanwhile, ms: median": key_ms,
            "a key meanwhile, ms: 95%": slow_key_ms,
        }
    return found, shifted


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-shift", action="store_true", help="leave out the layout shift of every page")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-browser-") as place:
        room = Path(place)
        folders = [
            tones(room / f"folder {number}", asked.files, first_hz=200 + number * asked.files)
            for number in range(asked.rounds)
        ]
        sides = {"now": REPO}
        if asked.baseline:
            sides[asked.baseline] = checked_out(asked.baseline, room)
        found, shift = measured(sides, room, folders, shift=not asked.no_shift)
    now = found["now"]
    print(f"## In a browser: the first page, and {asked.files} files from one folder\n")
    print(f"| | {' | '.join(found)} |{' now / then |' if asked.baseline else ''}")
    print(f"|---|{'---|' * (len(found) + bool(asked.baseline))}")
    for name, value in now.items():
        values = [side[name] for side in found.values()]
        ratio = f" {value / values[-1]:.2f} |" if asked.baseline and values[-1] else ""
        print(f"| {name} | {' | '.join(f'{each:,.0f}' for each in values)} |{ratio}")
    if shift:
        print(f"\nLayout shift, the worse of desktop and phone (wanted: under 0.1): {_told(shift)}.")
    print(f"\nLoad average {os.getloadavg()[0]:.1f} at the end. `python -m benchmarks browser`.")


def _told(shift: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(shift.items(), key=lambda pair: -pair[1]))


if __name__ == "__main__":
    main()
