"""The list of recordings and search, in a real browser against the web process."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.runtime import context, notify
from storage.accounts import users
from storage.domain.records import Job, JobState, Segment, User
from storage.domain.settings import Settings
from storage.jobs import job_rows, job_store, progress
from tests.browsing import DESK, PHONE, Watch, keep_picture, write
from tests.dashboards.served import Served, serving, sign_in
from tests.factories import WORKER, job_in
from tests.kept_contexts import kept_context, put_back

pytestmark = pytest.mark.acceptance

SAID = (
    ("Anna", "Good morning, let us begin with the budget for next year."),
    ("Bob", "The budget is larger than the one before, and the invoices are all in."),
    ("Anna", "Then the next steps are the contract and the summer party."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A page somebody is logged in on, and who that is."""

    page: Page
    user: User
    served: Served
    watch: Watch

    def rows(self) -> list[str]:
        return self.page.locator(".jobs li .name b").all_text_contents()


def made(user: User, state: JobState, **given: Any) -> Job:
    return job_in(context.ledger(), context.files(), user, state, **given)


def ready(user: User, name: str) -> Job:
    """Make a recording that is ready, with a conversation in it and a text file on storage."""
    said = tuple(
        Segment(start_s=60.0 * place, end_s=60.0 * place + 9, text=f" {text}", speaker=speaker)
        for place, (speaker, text) in enumerate(SAID)
    )
    exports = {fmt: f"{name} as {fmt}".encode() for fmt in ("srt", "vtt", "txt", "json", "tsv")}
    job = made(user, JobState.COMPLETED, name=name, segments=said, exports=exports)
    notify.announce(job)
    return job


@pytest.fixture(params=["desk"])
def shown(settings: Settings, chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Shown]:
    phone = request.param.startswith("phone")
    dark = request.param.endswith("dark")
    with serving(settings) as served:
        opened = kept_context(
            chromium,
            viewport=PHONE if phone else DESK,
            is_mobile=phone,
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        watch = Watch(served.url)
        sign_in(opened, served)
        page = watch.over(opened.new_page())
        with context.ledger().read() as con:
            user = users.by_name(con, "ada")
        assert user is not None
        yield Shown(page=page, user=user, served=served, watch=watch)
        put_back(opened)
        no_media = "/recordings/"  # what these jobs were made of is not on storage
        assert [trouble for trouble in watch.troubles if no_media not in trouble] == []


def a_dozen(user: User) -> list[Job]:
    """Make recordings in every state."""
    found = [ready(user, f"Weekly meeting {number}.m4a") for number in range(1, 6)]
    found.append(made(user, JobState.FAILED, name="Interview without sound.mov"))
    found.append(made(user, JobState.TRANSCRIBING, name="Lecture 4, a very long name that does not fit.mp3"))
    found.append(made(user, JobState.CANCELLED, name="Dictation.wav"))
    found += [made(user, JobState.QUEUED, name=f"Queue {number}.wav") for number in range(2)]
    return found


def test_several_recordings_get_tags_by_the_keyboard_and_are_found_by_them(shown: Shown) -> None:
    jobs = [made(shown.user, JobState.CANCELLED, name=f"Dictation {number}.wav") for number in range(3)]
    notify.announce(jobs[0])
    page = shown.page
    page.goto(shown.served.url)
    for job in jobs[:2]:
        page.locator(f".jobs li[data-job='{job.id}'] .tick input").press("Space")
    field = page.get_by_label("Tags, with commas between them")
    write(field, "Board, q3")
    field.press("Enter")
    expect(page.locator(".jobs li .tag")).to_have_text(["board", "q3"] * 2)
    page.locator(".narrow summary").press("Enter")
    page.locator(".narrow select[name=tag]").select_option("q3")
    expect(page.locator(".jobs li")).to_have_count(2)
    keep_picture(page, "recordings-tags")
    page.locator(".bulk .all input").press("Space")
    write(field, "q3")
    page.get_by_role("button", name="Remove", exact=True).press("Enter")
    expect(page.locator(".jobs li")).to_have_count(0)
    with context.ledger().read() as con:
        assert [job_store.get(con, job.id).tags for job in jobs] == [("board",), ("board",), ()]


def test_filters_are_in_the_address_and_the_way_back_works(shown: Shown) -> None:
    a_dozen(shown.user)
    page = shown.page
    page.goto(shown.served.url)
    expect(page.locator(".jobs li")).to_have_count(10)
    keep_picture(page, "recordings")
    page.locator(".filters a[data-show=ready]").click()
    expect(page.locator(".jobs li")).to_have_count(5)
    write(page.get_by_label("Find by name"), "meeting 3")
    page.get_by_label("Find by name").press("Enter")
    expect(page.locator(".jobs li")).to_have_count(1)
    page.wait_for_url(re.compile("show=ready"))
    address = page.url
    assert "name=meeting+3" in address or "name=meeting%203" in address
    page.go_back()
    expect(page.locator(".jobs li")).to_have_count(5)
    page.goto(address)
    expect(page.locator(".jobs li .name b")).to_have_text("Weekly meeting 3.m4a")
    page.locator(".narrow summary").click()
    page.locator(".narrow .clear").click()
    expect(page.locator(".jobs li")).to_have_count(5)
    page.locator(".narrow select[name=sort]").select_option("name")
    expect(page.locator(".jobs li .name b").first).to_have_text("Weekly meeting 1.m4a")


def test_a_row_follows_its_job(shown: Shown) -> None:
    job = made(shown.user, JobState.TRANSCRIBING, name="live.wav")
    notify.announce(job)
    page = shown.page
    page.goto(shown.served.url)
    row = page.locator(f".jobs li[data-job='{job.id}']")
    expect(row.locator(".pill")).to_have_text("Transcribing 25%")
    with (
        context.ledger().write() as con,
        job_rows.changing(con, job_store.get(con, job.id), actor=WORKER) as change,
    ):
        progress.advanced(change, index=0, done_s=30.0)
    with context.ledger().read() as con:
        notify.announce(job_store.get(con, job.id))
    expect(row.locator(".pill")).to_have_text("Transcribing 75%")
    with (
        context.ledger().write() as con,
        job_rows.changing(con, job_store.get(con, job.id), actor=WORKER) as change,
    ):
        progress.failed(change, error="no sound", code="no_audio_track")
    with context.ledger().read() as con:
        notify.announce(job_store.get(con, job.id))
    expect(row).to_have_attribute("data-state", "failed")
    expect(page.locator(".filters a[data-show=failed] .number")).to_have_text("1")


def test_several_are_cancelled_retried_deleted_and_brought_back(shown: Shown) -> None:
    a_dozen(shown.user)
    page = shown.page
    page.goto(shown.served.url)
    for name in ("Queue 0.wav", "Queue 1.wav", "Weekly meeting 1.m4a"):
        page.locator(".jobs li", has_text=name).locator(".tick input").check()
    expect(page.locator(".bulk b")).to_have_text("3 selected")
    keep_picture(page, "recordings-selected")
    page.locator(".bulk [data-act=cancel]").click()
    expect(page.locator(".bulk .question")).to_contain_text("Cancel 2 recordings?")
    page.locator(".bulk [data-act=cancel-sure]").click()
    expect(page.locator(".jobs li[data-state=cancelled]")).to_have_count(3)
    expect(page.get_by_text("2 recordings were cancelled.")).to_be_visible()
    page.locator(".jobs li", has_text="Queue 0.wav").locator(".tick input").check()
    page.locator(".bulk [data-act=retry]").click()
    expect(page.locator(".jobs li", has_text="Queue 0.wav")).to_have_attribute("data-state", "queued")
    page.locator(".jobs li", has_text="Weekly meeting 2.m4a").locator(".tick input").check()
    page.locator(".bulk [data-act=delete]").click()
    page.locator(".bulk [data-act=delete-sure]").click()
    expect(page.locator(".jobs li", has_text="Weekly meeting 2.m4a")).to_have_count(0)
    page.locator(".filters a[data-show=deleted]").click()
    expect(page.locator(".jobs li")).to_have_count(1)
    page.locator(".jobs li .tick input").check()
    keep_picture(page, "recordings-deleted")
    page.locator(".bulk [data-act=restore]").click()
    expect(page.locator(".jobs li")).to_have_count(0)
    page.locator(".filters a[data-show=all]").click()
    expect(page.locator(".jobs li", has_text="Weekly meeting 2.m4a")).to_have_count(1)


def test_several_are_downloaded_as_one_zip(shown: Shown, tmp_path: Path) -> None:
    ready(shown.user, "one.wav")
    ready(shown.user, "one.wav")
    page = shown.page
    page.goto(shown.served.url)
    expect(page.locator(".jobs li")).to_have_count(2)
    for tick in page.locator(".jobs li .tick input").all():
        tick.check()
    with page.expect_download() as download:
        page.locator(".bulk [data-act=download]").click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as packed:
        assert sorted(packed.namelist())[:2] == ["one (2).json", "one (2).srt"]
        assert len(packed.namelist()) == 10
        assert packed.read("one.txt") == b"one.wav as txt"


@pytest.mark.parametrize(
    "shown",
    ["desk", "phone-dark", *(pytest.param(how, marks=pytest.mark.nightly) for how in ("desk-dark", "phone"))],
    indirect=True,
)
def test_a_search_leads_to_the_moment(shown: Shown, request: pytest.FixtureRequest) -> None:
    how = request.node.callspec.params["shown"]
    a_dozen(shown.user)
    page = shown.page
    page.goto(f"{shown.served.url}/search")
    expect(page.get_by_role("heading", name="Search syntax")).to_be_visible()
    keep_picture(page, f"search-empty-{how}")
    context.current().search.sync(context.ledger())
    page.get_by_role("heading", name="Search", exact=True).click()
    page.keyboard.press("/")
    page.keyboard.type('"next steps" OR invo*')
    page.keyboard.press("Enter")
    expect(page.locator(".results > li")).to_have_count(5)
    expect(page.locator(".results mark").first).to_have_text("invoices")
    expect(page.get_by_label("Search in all transcripts")).to_have_value('"next steps" OR invo*')
    assert "q=" in page.url
    keep_picture(page, f"search-{how}")
    wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert wide == 0
    page.locator(".results .moments a", has_text="next steps").first.click()
    page.wait_for_url(re.compile(r"/job\?id=[^&]+&t=120"))
    page.go_back()
    expect(page.locator(".results > li")).to_have_count(5)
    page.goto(shown.served.url)
    expect(page.locator(".jobs li")).to_have_count(10)
    keep_picture(page, f"recordings-{how}")
    wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
    assert wide == 0
    page.locator(".jobs li .tick input").first.check()
    page.locator(".narrow summary").click()
    keep_picture(page, f"recordings-filter-{how}")


def test_hostile_queries_leave_the_page_whole(shown: Shown) -> None:
    ready(shown.user, "<img src=x onerror=alert(1)>.wav")
    context.current().search.sync(context.ledger())
    page = shown.page
    for query in ('"', "((((", '<b onclick="x">', "a" * 500, "-", "OR OR", "speaker:"):
        page.goto(f"{shown.served.url}/search")
        write(page.get_by_label("Search in all transcripts"), query)
        page.get_by_label("Search in all transcripts").press("Enter")
        expect(page.locator(".search .count")).to_be_visible()
    page.goto(f"{shown.served.url}/search?q=budget")
    expect(page.locator(".results .name")).to_have_text("<img src=x onerror=alert(1)>.wav")
