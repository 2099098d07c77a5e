"""Every page, light and dark, on a desk and on a phone: what axe-core finds, what overflows, and how it looks.

axe-core 4.14.1 (MPL-2.0) lies in tests/vendor and is used by tests alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards import context
from storage import names, users
from storage.clock import utc_now
from storage.heartbeats import ModelState, WorkerBeat
from storage.records import ExportFormat, Job, JobState
from tasks.export import export
from tests.browsing import DESK, PHONE, Watch, keep_picture, log_in
from tests.dashboards.desk import Desk
from tests.dashboards.served import Served, played_workers, serving, transcript_of
from tests.dashboards.site import PASSWORD, make_settings, seed

SAMPLE = Path(__file__).parents[2] / "demo" / "sample.flac"
AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
RUN = """async (notOurs) => {
    const found = await axe.run(document, { resultTypes: ["violations"], elementRef: true });
    const ours = (id) => ({ element }) => !(notOurs[id] && element.closest(notOurs[id]));
    return found.violations.flatMap(({ id, impact, nodes }) => nodes.filter(ours(id)).map(({ target, html, any }) => (
        { impact, said: `${id}: ${target.flat().join(" ")} ${html.slice(0, 160)} ${any[0]?.message ?? ""}` })));
}"""
GRAVE = {"serious", "critical"}
SIZES = {"desk": DESK, "phone": PHONE}
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
            pass
    transcript = transcript_of(done)
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
        beat = WorkerBeat(
            name=f"{pool}-alder",
            pool=pool,
            host="alder",
            pid=4711,
            device="cpu",
            slots=4,
            busy=1,
            default_model=model if models else None,
            models=models,
            versions={"faster-whisper": "1.2.1"},
            sent_at=utc_now(),
        )
        context.workers().beat(beat)


def drawn(page: Page) -> None:
    """Wait until Streamlit has drawn the page and its components have filled themselves."""
    expect(page.locator(".stMain h1").first).to_be_visible()
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    page.wait_for_timeout(700)


def grave(page: Page) -> list[str]:
    """Return what axe-core calls serious or critical, but for what is Streamlit's own."""
    return [one["said"] for one in page.evaluate(RUN, NOT_OURS) if one["impact"] in GRAVE]


def walk(page: Page, served: Served, more: str, *paths: str) -> list[str]:
    """Look at every page of the sidebar and at `paths`; return what is wrong with them."""
    troubles: list[str] = []
    links = page.locator("[data-testid=stSidebarNavLink]").evaluate_all("links => links.map((link) => link.href)")
    for link in [*links, *(served.url + path for path in paths)]:
        beat()
        page.goto(link)
        name = link.removeprefix(served.url).strip("/").split("?")[0] or "recordings"
        troubles += look_at(page, f"{name}-{more}")
    return troubles


def look_at(page: Page, name: str) -> list[str]:
    """Keep a picture of the page that is open; return what axe-core finds and what overflows."""
    drawn(page)
    keep_picture(page, name)
    wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    return [f"{name}: {found}" for found in grave(page) + ([f"{wide} px too wide"] if wide > 0 else [])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_can_be_used_by_everybody(
    served: Served, chromium: Browser, job: Job, theme: Literal["light", "dark"], size: str
) -> None:
    in_browser = chromium.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")
    in_browser.add_init_script(path=AXE)
    watch = Watch(served.url)
    page = watch.over(in_browser.new_page())
    page.goto(served.url)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    troubles = look_at(page, f"login-{size}-{theme}")
    log_in(page, "root", PASSWORD)
    expect(page.get_by_role("button", name="Log out")).to_be_attached()
    assert page.locator("[data-testid=stSidebarNavLink]").count() > 12
    troubles += walk(page, served, f"{size}-{theme}", f"/job?id={job.id}")
    in_browser.close()
    troubles += [one for one in watch.troubles if not one.endswith("/peaks")]  # nobody has drawn this one's waveform
    assert not troubles, "\n".join(troubles)


@pytest.mark.parametrize(("name", "size", "theme"), [("ada", "desk", "dark"), ("rex", "phone", "light")])
def test_so_can_the_empty_pages_of_somebody_new(
    served: Served, chromium: Browser, name: str, size: str, theme: Literal["light", "dark"]
) -> None:
    in_browser = chromium.new_context(viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce")
    in_browser.add_init_script(path=AXE)
    watch = Watch(served.url)
    page = watch.over(in_browser.new_page())
    page.goto(served.url)
    log_in(page, name, PASSWORD)
    expect(page.get_by_role("button", name="Log out")).to_be_attached()
    troubles = walk(page, served, f"{name}-{size}-{theme}", "/search?q=nothing", "/job?id=nothing")
    in_browser.close()
    troubles += watch.troubles
    assert not troubles, "\n".join(troubles)
