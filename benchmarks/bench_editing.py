"""How long a two-hour transcript's page is blocked by Edit, Find, Replace all and Save.

    python -m benchmarks editing [--lines 1760] [--baseline 01b573e] [--rounds 3]

Serves the web process of each checkout, with one completed recording of that many lines, and works on its page in
Chromium by the keyboard; nothing but the page's own work runs in it (`expect` would read all of it). Blocked is the sum
of the page's long tasks (50 ms and more) from the key to two frames after its effect; the table has the median of the
rounds, which the checkouts take in turn, each in a page that was loaded anew.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.bench_speech import BASELINE, checked_out
from tests.browsing import DESK, browser, log_in

REPO = Path(__file__).parents[1]
PATIENCE_MS = 600_000
NAME, PASSWORD = "ada", "correct horse battery"
LINES = (
    "Good morning, and welcome to the harbour meeting of this year, which is held in the old town hall.",
    "The ferry leaves at nine, not at ten, so bring the blue folder, the keys and the list of the guests.",
    "We will meet again on Thursday, when the harbour master is back and the ferry has been painted.",
)
SERVE = """
import json, pathlib, sys
from tests.dashboards import heard, served, site
folder, lines = pathlib.Path(sys.argv[1]), json.loads(sys.stdin.readline())
settings = site.make_settings(folder)
settings.storage.data_dir.mkdir()
site.seed(settings.storage.ledger_path)
with served.serving(settings) as running:
    with heard.context.ledger().read() as con:
        owner = site.users.by_name(con, "ada")
    job = heard.hear(owner, lines=lines, speakers=("Anna", "Anna", "Ben"))
    print(json.dumps([running.url, job.id]), flush=True)
    sys.stdin.read()
"""
WATCH = """() => {
    window.blocked = [];
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) window.blocked.push([task.startTime, task.duration]);
    }).observe({ type: "longtask" });
}"""
SETTLED = (
    """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200))))"""
)


@contextmanager
def serving(checkout: Path, folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """Serve a recording of `count` lines by a checkout's code; yield address and job."""
    folder.mkdir()
    lines = json.dumps([LINES[place % len(LINES)] for place in range(count)])
    env = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, "-c", SERVE, str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=checkout, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{lines}\n")
        process.stdin.flush()
        try:
            url, job_id = json.loads(next(line for line in process.stdout if line.startswith("[")))
            yield url, job_id
        finally:
            process.stdin.close()
            process.wait(60)


def blocked_ms(page: Page, act: Callable[[], None]) -> float:
    """Do something, and return for how long the page was blocked by it."""
    began = page.evaluate("() => performance.now()")
    act()
    page.evaluate(SETTLED)
    found: list[tuple[float, float]] = page.evaluate("() => window.blocked")
    return sum(duration for start, duration in found if start >= began - 1)


def signed_in(page: Page, url: str) -> Page:
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    page.locator("input[name=password]").wait_for()
    log_in(page, NAME, PASSWORD)
    page.locator(".jobs li a").first.wait_for()
    return page


def open_page(page: Page, url: str, job_id: str) -> None:
    page.goto(f"{url}/job?id={job_id}")
    page.locator(".player .line").first.wait_for()
    page.evaluate(WATCH)
    page.wait_for_timeout(1500)


def worked_on(page: Page, number: int) -> dict[str, float]:
    """Edit, find, replace and save, and return how long each blocked the page."""
    word = "harbour" if number % 2 == 0 else "seaport"

    def edit() -> None:
        page.keyboard.press("e")
        page.locator(".player.editing .line .words[contenteditable]").first.wait_for()

    def look_for() -> None:
        page.keyboard.type(word)
        page.locator(".player .seeker .count", has_text="found").wait_for()

    def replace_all() -> None:
        page.locator(".player .seeker .all").click()
        page.locator(".player .savebar", has_text=re.compile(r"\d changes|\d unsaved")).wait_for()

    def save() -> None:
        page.locator(".player .line .words").first.press("Control+s")
        page.locator(".player .notice.good", has_text="Saved").wait_for()

    found = {"Edit": blocked_ms(page, edit)}
    page.evaluate("() => document.activeElement?.blur()")  # since its key puts the caret into a line
    page.keyboard.press("/")
    found["Find, 7 keys"] = blocked_ms(page, look_for)
    page.locator(".player .seeker .with").click()
    page.keyboard.type("seaport" if number % 2 == 0 else "harbour")
    found["Replace all"] = blocked_ms(page, replace_all)
    page.locator(".player .line .words").first.click()
    found["Save"] = blocked_ms(page, save)
    return found


def measured(sides: dict[str, Path], folder: Path, *, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median of the rounds for each side and action; each round is one of every side."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    with ExitStack() as stack:
        served = {
            name: stack.enter_context(serving(checkout, folder / f"data-{name}", count))
            for name, checkout in sides.items()
        }
        chromium = stack.enter_context(browser())  # ends first: its open pages would keep the servers
        pages = {
            name: (signed_in(chromium.new_context(viewport=DESK).new_page(), url), url, job_id)
            for name, (url, job_id) in served.items()
        }
        for number in range(rounds):
            for name, (page, url, job_id) in pages.items():
                open_page(page, url, job_id)
                found[name].append(worked_on(page, number))
    return {
        name: {act: statistics.median(one[act] for one in all_of) for act in all_of[0]}
        for name, all_of in found.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1760)
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-editing-") as place:
        folder = Path(place)
        sides = {"now": REPO}
        if asked.baseline:
            sides[asked.baseline] = checked_out(asked.baseline, folder)
        found = measured(sides, folder, count=asked.lines, rounds=asked.rounds)
    print(f"## Editing a transcript of {asked.lines:,} lines\n")
    print(f"| milliseconds that the page is blocked | {' | '.join(found)} | wanted |")
    print(f"|---|{'---|' * (len(found) + 1)}")
    for action in found["now"]:
        print(f"| {action} | {' | '.join(f'{side[action]:.0f}' for side in found.values())} | < 300 |")
    print(f"\nLoad average {os.getloadavg()[0]:.1f} at the end. `python -m benchmarks editing`.")


if __name__ == "__main__":
    main()
