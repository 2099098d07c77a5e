"""A link that shows one recording to whoever has it: what it opens, what it does not, and when it ends."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from dashboards import context
from storage import jobs, shares, users
from storage.records import Job, JobState, Role
from storage.settings import Settings
from tests.browsing import PHONE, Watch, keep_picture
from tests.dashboards.desk import Desk, button, labels, words
from tests.dashboards.heard import LINES, hear
from tests.dashboards.served import serving
from tests.dashboards.site import Site

WEEK = timedelta(days=7)


@pytest.fixture
def job(site: Site) -> Job:
    return hear(site.user("ada"))


def share(job: Job, **more: Any) -> tuple[str, str]:
    """Make a link; return its path and its id."""
    values: dict[str, Any] = {"lasts": WEEK, "actor": "user:ada"} | more
    token, made = context.ledger().run(shares.create, job.id, **values)
    return f"/shared/{token}", made.id


def test_a_link_shows_the_recording_to_somebody_without_an_account(site: Site, job: Job) -> None:
    path, _ = share(job)
    page = site.client.get(path)
    assert page.status_code == 200
    assert "harbour.flac" in page.text
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "set-cookie" not in page.headers
    told = site.client.get(f"{path}/transcript").json()
    assert [one["text"].strip() for one in told["segments"]] == list(LINES)
    sound = site.client.get(f"{path}/recording", headers={"Range": "bytes=0-3"})
    assert (sound.status_code, sound.content) == (206, b"fLaC")
    assert len(site.client.get(f"{path}/peaks").content) > 100
    assert site.client.get(f"{path}/files/srt").status_code == 200


def test_a_link_opens_nothing_else(site: Site, job: Job) -> None:
    path, _ = share(job)
    other = hear(site.user("ada"), name="other.flac")
    for elsewhere in (
        f"{path}/versions",
        f"{path}/notes",
        f"{path}/files/json",
        f"{path}/files/zip",
        f"{path}/files/vtt?max_line_width=20",
        f"{path}/../{other.id}",
    ):
        assert site.client.get(elsewhere).status_code == 404, elsewhere
    for closed in (f"/recordings/{job.id}", f"/api/v1/jobs/{job.id}/transcript", f"/downloads/{job.id}/srt"):
        assert site.client.get(closed).status_code == 401
    assert site.client.put(f"{path}/transcript", json={}).status_code in {401, 405}
    assert site.client.get("/shared/not-a-token").status_code == 404
    assert site.client.get("/shared/not-a-token/recording").status_code == 404


def test_a_link_that_is_over_says_so(site: Site, job: Job) -> None:
    path, ident = share(job)
    context.ledger().run(shares.revoke, job.id, ident, actor="user:ada")
    page = site.client.get(path)
    assert page.status_code == 410
    assert "does not work any more" in page.text
    for part in ("transcript", "recording", "peaks", "files/srt"):
        assert site.client.get(f"{path}/{part}").status_code == 410
    path, _ = share(job)
    context.ledger().run(jobs.delete, job.id, actor="user:ada")
    assert site.client.get(path).status_code == 410


def test_openings_are_counted_once_a_page(site: Site, job: Job) -> None:
    path, _ = share(job)
    for _ in range(2):
        site.client.get(path)
    site.client.head(path)
    site.client.get(f"{path}/transcript")
    with context.ledger().read() as con:
        assert [one.opened for one in shares.list_of(con, job.id)] == [2]


def test_a_password_comes_first(site: Site, job: Job) -> None:
    path, _ = share(job, password="open sesame")
    asked = site.client.get(path)
    assert "has a password" in asked.text
    assert "harbour" not in asked.text
    assert site.client.get(f"{path}/transcript").status_code == 401
    assert site.client.post(path, data={"password": "wrong one"}).status_code == 403
    opened = site.client.post(path, data={"password": "open sesame"})
    assert (opened.status_code, "harbour.flac" in opened.text) == (200, True)
    assert site.client.get(f"{path}/transcript").status_code == 200
    other, _ = share(job, password="open sesame")
    assert "has a password" in site.client.get(other).text


def test_the_log_does_not_hold_the_token(site: Site, job: Job, caplog: pytest.LogCaptureFixture) -> None:
    path, _ = share(job)
    with caplog.at_level(logging.INFO, "dashboards.access"):
        site.client.get(f"{path}/transcript")
    assert "/shared/…/transcript" in caplog.text
    assert path not in caplog.text


def test_a_name_that_looks_like_markup_is_only_a_name(site: Site) -> None:
    job = hear(site.user("ada"), name='</script><img src=x onerror="alert(1)">.flac')
    path, _ = share(job)
    text = site.client.get(path).text
    assert "<img src=x" not in text
    assert "</script><img" not in text


def test_the_owner_makes_lists_and_revokes_links(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED)
    at = desk.page("job", ada, id=job.id)
    button(at, "Make the link").click()
    at.run()
    assert "Copy it now" in words(at)
    assert "/shared/" in at.code[0].value
    assert "not opened yet" in words(at)
    button(at, "Revoke").click()
    at.run()
    assert "Revoke" not in labels(at)
    assert "1 earlier link has" in words(at)
    assert not at.code


def test_a_reader_shares_nothing(desk: Desk) -> None:
    reader = desk.user(role=Role.READER)
    assert "Make the link" not in labels(desk.page("job", reader, id=desk.job(reader, JobState.COMPLETED).id))


def test_a_stranger_reads_along_on_a_phone(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served:
        with context.ledger().read() as con:
            ada = users.by_name(con, "ada")
        assert ada
        job = hear(ada, speakers=("Anna", "Ben"))
        path, ident = share(job)
        watch = Watch(served.url)
        page = watch.over(chromium.new_context(viewport=PHONE).new_page())
        page.goto(f"{served.url}{path}?t=8.3")
        expect(page.locator(".player .line")).to_have_count(5)
        expect(page.locator(".player .line.on .words")).to_have_text(LINES[2])
        expect(page.locator(".player .tools .edit")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        keep_picture(page, "shared-phone")
        with page.expect_download() as download:
            page.get_by_role("link", name="SRT").click()
        assert download.value.suggested_filename == "harbour.srt"
        assert page.context.cookies() == []
        assert watch.troubles == []
        context.ledger().run(shares.revoke, job.id, ident, actor="user:ada")
        page.reload()
        expect(page.get_by_role("heading", name="This link does not work any more")).to_be_visible()
        page.context.close()
