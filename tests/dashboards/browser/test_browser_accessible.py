"""Every page, light and dark, desktop and phone: axe-core findings, overflow, layout shift, screenshots.

axe-core 4.14.1 (MPL-2.0) is in tests/vendor and used only by tests.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.runtime import context
from storage.accounts import users
from storage.domain import names
from storage.domain.records import ExportFormat, Job, JobState
from storage.remote.worker_registry import ModelState
from tasks.exports.writers import export
from tests.browsing import DESK, PHONE, Watch, keep_picture, log_in
from tests.conftest import SAMPLE
from tests.dashboards.desk import Desk
from tests.dashboards.served import Served, greeting_of, played_workers, serving, sign_in
from tests.dashboards.site import PASSWORD, make_settings, seed
from tests.factories import heartbeat

pytestmark = pytest.mark.acceptance

AXE = Path(__file__).parents[2] / "vendor" / "axe-core" / "axe.min.js"
RUN = """async ([notOurs, rules]) => {
    const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
    const found = await axe.run(document, { resultTypes: ["violations"], elementRef: true, ...only });
    const ours = (id) => ({ element }) => !(notOurs[id] && element.closest(notOurs[id]));
    return found.violations.flatMap(({ id, impact, nodes }) => nodes.filter(ours(id)).map(({ target, html, any }) => (
        { impact, said: `${id}: ${target.flat().join(" ")} ${html.slice(0, 160)} ${any[0]?.message ?? ""}` })));
}"""
OF_COLORS = ("color-contrast", "link-in-text-block")
"""The rules that a theme can break; all others find in the second theme what they found in the first."""
WATCH_SHIFT = """
window.shift = 0;
new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.shift += each.value;
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1
SIZES = {"desk": DESK, "phone": PHONE}
Theme = Literal["light", "dark"]
Troubles = dict[Theme, list[str]]
GROUND: dict[Theme, str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 21, 20)"}
"""The colour that each theme draws pages on."""
NOT_OURS = {
    "list": "[data-testid=stSidebarNavItems]",
    "listitem": "[data-testid=stSidebarNavItems]",
    "svg-img-alt": "[data-testid=stVegaLiteChart]",
}
"""What is Streamlit's own and cannot be mended from here, by axe's rule."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app with recordings in every kind of state and a worker of each pool."""
    settings = make_settings(tmp_path_factory.mktemp("looked-at"))
    settings.storage.data_dir.mkdir()
    seed(settings.storage.ledger_path)
    with serving(settings) as started:
        yield started


@pytest.fixture(scope="module")
def job(served: Served) -> Job:
    """A finished recording of the administrator's, among others that wait, run, failed or were cancelled."""
    desk = Desk(holder=context.current())
    with desk.ledger.read() as con:
        root = users.by_name(con, "root")
    assert root is not None
    first = desk.job(root, name="Board meeting, November.wav")
    with played_workers(served):
        while not (done := desk.look(first)).state.finished:
            time.sleep(0.02)
    transcript = greeting_of(done)
    stored_as = names.transcript_name(done.id)
    as_json = names.export_name(done.id, stored_as, ExportFormat.JSON, done.options.cues)
    context.files().write(as_json, export(transcript, ExportFormat.JSON))
    context.files().write(names.media_name(done.media_sha256), SAMPLE.read_bytes())
    for state in (JobState.FAILED, JobState.TRANSCRIBING, JobState.CANCELLED, JobState.QUEUED):
        desk.job(root, state, name=f"A recording that is {state}.m4a")
    beat()
    return done


def beat() -> None:
    """Let a worker of each pool say that it is there."""
    model = ModelState(name="small", fingerprint="f" * 64, state="ready")
    for pool, models in (("cpu", ()), ("gpu", (model,))):
        beat = heartbeat(
            pool,
            name=f"{pool}-alder",
            host="alder",
            pid=4711,
            slots=4,
            busy=1,
            default_model=model if models else None,
            models=models,
            versions={"faster-whisper": "1.2.1"},
        )
        context.workers().beat(beat)


def drawn(page: Page) -> None:
    """Wait until Streamlit has drawn the page and its components have filled themselves."""
    expect(page.locator(".stMain h1").first).to_be_visible()
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    page.wait_for_timeout(700)
    expect(page.locator("[data-stale=true]")).to_have_count(0)  # what is being drawn again is pale


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return what axe-core finds by these rules, or all, of any impact, but for what is Streamlit's own.

    What it finds while a component still fills itself on a busy machine is looked at again.
    """
    found = page.evaluate(RUN, [NOT_OURS, list(rules)])
    for wait_ms in (1_000, 4_000):
        if found:
            page.wait_for_timeout(wait_ms)
            found = page.evaluate(RUN, [NOT_OURS, list(rules)])
    return [f"{one['impact']}: {one['said']}" for one in found]


def walk(page: Page, served: Served, more: str, themes: Sequence[Theme], *paths: str) -> Troubles:
    """Look at every page of the sidebar and at `paths` in each theme; return what is wrong with them."""
    troubles: Troubles = {theme: [] for theme in themes}
    links = page.locator("[data-testid=stSidebarNavLink]").evaluate_all("links => links.map((link) => link.href)")
    for link in [*links, *(served.url + path for path in paths)]:
        beat()
        name = link.removeprefix(served.url).strip("/").split("?")[0] or "recordings"
        visit(page, link, f"{name}-{more}", troubles)
    return troubles


def visit(page: Page, url: str, name: str, troubles: Troubles) -> None:
    """Open a page and look at it; it starts in the first theme, since Streamlit misses a change while it starts."""
    page.emulate_media(color_scheme=next(iter(troubles)), reduced_motion="reduce")
    page.goto(url)
    look_at(page, name, troubles)


def look_at(page: Page, name: str, troubles: Troubles) -> None:
    """Keep a picture of the page that is open in each theme; note what axe-core finds and what overflows."""
    for number, (theme, found) in enumerate(troubles.items()):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(page.locator("[data-testid=stApp]"), f"{name} in {theme}").to_have_css("background-color", GROUND[theme])
        drawn(page)
        shift = page.evaluate("window.shift ?? 0") if number == 0 else 0  # a change of theme is no loading
        keep_picture(page, f"{name}-{theme}")
        wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
        said = violations(page, OF_COLORS if number else ())
        said += [f"shifted by {shift:.2f}"] if shift >= MOST_SHIFT else []
        said += [f"{wide} px too wide"] if wide > 0 else []
        found.extend(f"{name}-{theme}: {one}" for one in said)


LOOKS: list[Any] = [
    ("desk", tuple(GROUND), "light"),
    ("desk", tuple(GROUND), "dark"),
    ("phone", ("light",), "light"),
    pytest.param("phone", ("dark",), "dark", marks=pytest.mark.nightly),
]
"""A size, the themes in which each page that is opened is looked at, and the one that the test is about."""


@pytest.fixture(scope="module")
def seen_by_root(served: Served, chromium: Browser, job: Job) -> Callable[[str, Sequence[Theme]], Troubles]:
    """Return `seen_by_root(size, themes)`: what is wrong with all pages; each page is opened once for all themes."""

    @cache
    def seen(size: str, themes: Sequence[Theme]) -> Troubles:
        in_browser = chromium.new_context(viewport=SIZES[size])
        in_browser.add_init_script(path=AXE)
        in_browser.add_init_script(WATCH_SHIFT)
        watch = Watch(served.url)
        page = watch.over(in_browser.new_page())
        page.goto(served.url)
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        troubles: Troubles = {theme: [] for theme in themes}
        look_at(page, f"login-{size}", troubles)
        log_in(page, "root", PASSWORD)
        expect(page.get_by_role("button", name="Log out")).to_be_attached()
        assert page.locator("[data-testid=stSidebarNavLink]").count() > 12
        inside = walk(page, served, size, themes, f"/job?id={job.id}")
        in_browser.close()
        noted = [one for one in watch.troubles if not one.endswith("/peaks")]  # nobody has drawn this one's waveform
        return {theme: troubles[theme] + inside[theme] + noted for theme in themes}

    return seen


@pytest.mark.parametrize(("size", "themes", "theme"), LOOKS)
def test_every_page_can_be_used_by_everybody(
    seen_by_root: Callable[[str, Sequence[Theme]], Troubles], size: str, themes: Sequence[Theme], theme: Theme
) -> None:
    assert not (troubles := seen_by_root(size, themes)[theme]), "\n".join(troubles)


@pytest.mark.parametrize(
    ("name", "size", "theme"),
    [pytest.param("ada", "desk", "dark", marks=pytest.mark.nightly), ("rex", "phone", "light")],
)
def test_so_can_the_empty_pages_of_somebody_new(
    served: Served, chromium: Browser, name: str, size: str, theme: Theme
) -> None:
    in_browser = chromium.new_context(viewport=SIZES[size])
    in_browser.add_init_script(path=AXE)
    in_browser.add_init_script(WATCH_SHIFT)
    watch = Watch(served.url)
    sign_in(in_browser, served, name)
    page = watch.over(in_browser.new_page())
    page.goto(served.url)
    expect(page.get_by_role("button", name="Log out")).to_be_attached()
    troubles = walk(page, served, f"{name}-{size}", [theme], "/search?q=nothing", "/job?id=nothing")[theme]
    in_browser.close()
    troubles += watch.troubles
    assert not troubles, "\n".join(troubles)


def test_the_long_words_of_german_fit(served: Served, chromium: Browser, job: Job) -> None:
    in_browser = chromium.new_context(viewport=PHONE, locale="de-DE")
    in_browser.add_init_script(path=AXE)
    sign_in(in_browser, served, "root")
    page = in_browser.new_page()
    troubles: Troubles = {"light": []}
    for path in ("recordings", "upload", "settings", "queues", f"job?id={job.id}"):
        visit(page, f"{served.url}/{path.removeprefix('recordings')}", f"{path.split('?')[0]}-german", troubles)
    expect(page.get_by_role("button", name="Bearbeiten")).to_be_visible()
    in_browser.close()
    assert not troubles["light"], "\n".join(troubles["light"])


def test_the_first_password_is_chosen_on_a_page_that_keeps_still(served: Served, chromium: Browser) -> None:
    """It has no sidebar, although there is a session, for which the sidebar's place is kept."""
    in_browser = chromium.new_context(viewport=DESK)
    in_browser.add_init_script(path=AXE)
    in_browser.add_init_script(WATCH_SHIFT)
    sign_in(in_browser, served, "new")
    troubles: Troubles = {"light": []}
    visit(in_browser.new_page(), served.url, "first-password-desk", troubles)
    in_browser.close()
    assert troubles["light"] == []
