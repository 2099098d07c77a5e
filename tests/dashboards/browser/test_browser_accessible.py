"""Every page, light and dark, desktop and phone: axe-core findings, overflow, layout shift, screenshots."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.runtime import context
from storage.accounts import users
from storage.domain import names
from storage.domain.records import ExportFormat, Job, JobState
from storage.remote.worker_registry import ModelState
from tasks.exports.writers import export
from tests.browsing import DESK, PHONE, Watch, log_in
from tests.conftest import SAMPLE
from tests.dashboards.desk import Desk
from tests.dashboards.page_checks import AXE, LOOKS, SIZES, WATCH_SHIFT, Theme, Troubles, look_at, visit
from tests.dashboards.served import Served, greeting_of, played_workers, serving, sign_in
from tests.dashboards.site import PASSWORD, make_settings, seed
from tests.factories import heartbeat

pytestmark = pytest.mark.acceptance


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


def walk(page: Page, served: Served, more: str, themes: Sequence[Theme], *paths: str) -> Troubles:
    """Look at every page of the sidebar and at `paths` in each theme; return what is wrong with them."""
    troubles: Troubles = {theme: [] for theme in themes}
    links = page.locator("[data-testid=stSidebarNavLink]").evaluate_all("links => links.map((link) => link.href)")
    for link in [*links, *(served.url + path for path in paths)]:
        beat()
        name = link.removeprefix(served.url).strip("/").split("?")[0] or "recordings"
        visit(page, link, f"{name}-{more}", troubles)
    return troubles


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
