"""What a browser loads for the first page, how far pages shift, and how fast many files go up.

    python -m benchmarks browser [--baseline 01b573e] [--files 500] [--rounds 1] [--no-shift] [--largest 12]

Serves the web process of each checkout, with one completed recording, to Chromium. Loaded is what comes over the
network from the log-in page to the first page drawn after it, with an empty cache; it needs no quiet machine, and
`--files 0` leaves out what does. Without https, browsers of other machines accept gzip alone. Shift is the page's
cumulative layout shift (wanted: under 0.1) without input, from its address until two seconds after its heading stands.
Files are tones of a second in one folder, dropped at once; meanwhile a key is pressed ten times a second, and "a key"
is the time from the key to the next frame. The checkouts take the rounds in turn, each with a folder of its own; the
table has the medians.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
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
OF_FILES = ("files a minute", "a key meanwhile, ms: median", "a key meanwhile, ms: 95%")
SENT = ".queue li .pill:not([hidden])"


@dataclass
class FirstPage:
    """What the first page loads, in kB, and the addresses of the sidebar's pages."""

    by_kind: dict[str, float]
    by_file: dict[str, float]
    links: list[str]


def loaded(chromium: Browser, url: str, *, codings: str = "") -> FirstPage:
    """Return what the first page loads with an empty cache, where given by a browser of these codings alone."""
    in_browser = chromium.new_context(viewport=DESK)
    page = in_browser.new_page()
    devtools = in_browser.new_cdp_session(page)
    kinds: dict[str, tuple[str, str]] = {}
    by_kind, by_file = Counter[str](), Counter[str]()

    def note(answer: dict[str, Any]) -> None:
        kinds[answer["requestId"]] = answer["type"], answer["response"]["url"].removeprefix(url).partition("?")[0]

    def add(done: dict[str, Any]) -> None:
        kind, file = kinds.get(done["requestId"], ("Other", "/"))
        by_kind[kind] += int(done["encodedDataLength"])
        by_file[file] += int(done["encodedDataLength"])

    devtools.on("Network.responseReceived", note)
    devtools.on("Network.loadingFinished", add)
    devtools.send("Network.enable")
    if codings:
        devtools.send("Network.setExtraHTTPHeaders", {"headers": {"Accept-Encoding": codings}})
    signed_in(page, url)
    page.wait_for_timeout(2000)
    links = page.locator("[data-testid=stSidebarNavLink]").evaluate_all("links => links.map((link) => link.href)")
    in_browser.close()
    in_kb = [{name: count / 1000 for name, count in counts.items()} for counts in (by_kind, by_file)]
    return FirstPage(in_kb[0], in_kb[1], links)


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


@dataclass
class Measured:
    """The figures of each checkout; of the first one, the layout shift of each page and the largest files."""

    figures: dict[str, dict[str, float]]
    shift: dict[str, float]
    by_file: dict[str, float]


def measured(sides: dict[str, Path], room: Path, folders: list[Path], *, shift: bool) -> Measured:
    """Return what is measured of each checkout."""
    with ExitStack() as stack:
        served = {
            name: stack.enter_context(serving(checkout, room / f"data-{name}", 40)) for name, checkout in sides.items()
        }
        chromium = stack.enter_context(browser())  # ends first: its open pages would keep the servers
        first_pages = {name: loaded(chromium, url) for name, (url, _) in served.items()}
        figures = {name: _first_page(page) for name, page in first_pages.items()}
        for name, (url, _) in served.items():
            by_kind = loaded(chromium, url, codings="gzip, deflate").by_kind
            figures[name]["first page, no https: JavaScript, kB"] = by_kind["Script"]
        url, job_id = next(iter(served.values()))
        first = next(iter(first_pages.values()))
        shifted = shifts(chromium, url, [*first.links, f"{url}/job?id={job_id}"]) if shift else {}
        sent: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
        for folder in folders:
            for name, (url, _) in served.items():
                sent[name].append(many_files(chromium, url, folder))
    for name, rounds in sent.items():
        if rounds:
            figures[name] |= dict(zip(OF_FILES, map(statistics.median, zip(*rounds, strict=True)), strict=True))
    return Measured(figures, shifted, first.by_file)


def _first_page(page: FirstPage) -> dict[str, float]:
    return {
        "first page: JavaScript, kB": page.by_kind["Script"],
        "first page: fonts, kB": page.by_kind.get("Font", 0.0),
        "first page: all, kB": sum(page.by_kind.values()),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--files", type=int, default=500, help="0: no upload")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-shift", action="store_true", help="leave out the layout shift of every page")
    parser.add_argument("--largest", type=int, default=0, help="so many files of the first page, by what was sent")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-browser-") as place:
        room = Path(place)
        folders = [
            tones(room / f"folder {number}", asked.files, first_hz=200 + number * asked.files)
            for number in range(asked.rounds if asked.files else 0)
        ]
        sides = {"now": REPO}
        if asked.baseline:
            sides[asked.baseline] = checked_out(asked.baseline, room)
        found = measured(sides, room, folders, shift=not asked.no_shift)
    print(f"## In a browser: the first page, and {asked.files} files from one folder\n")
    print(f"| | {' | '.join(found.figures)} |{' now / then |' if asked.baseline else ''}")
    print(f"|---|{'---|' * (len(found.figures) + bool(asked.baseline))}")
    for name, value in found.figures["now"].items():
        values = [side[name] for side in found.figures.values()]
        ratio = f" {value / values[-1]:.2f} |" if asked.baseline and values[-1] else ""
        print(f"| {name} | {' | '.join(f'{each:,.0f}' for each in values)} |{ratio}")
    if asked.largest:
        print("\n| of the first page | kB |\n|---|---|")
        for file, kilobytes in Counter(found.by_file).most_common(asked.largest):
            print(f"| `{file}` | {kilobytes:,.1f} |")
    if found.shift:
        print(f"\nLayout shift, the worse of desktop and phone (wanted: under 0.1): {_told(found.shift)}.")
    print(f"\nLoad average {os.getloadavg()[0]:.1f} at the end. `python -m benchmarks browser`.")


def _told(shift: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(shift.items(), key=lambda pair: -pair[1]))


if __name__ == "__main__":
    main()
