"""Share links: what they show, what they do not, and when they end."""

import json
import logging
import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from dashboards.runtime import context
from dashboards.runtime.share_visits import SAME_VISIT_S, ShareVisits
from dashboards.services import make_exports, sharing
from storage.accounts import users
from storage.domain.errors import ExportPending, NotAllowed
from storage.domain.records import CueLimits, Job, JobState, Options, Role
from storage.domain.settings import Settings
from storage.jobs import job_store, share_links
from storage.ledger import audit
from storage.maintenance import account_deletion
from tests.browsing import PHONE, Watch, keep_picture
from tests.dashboards.desk import Desk, button, labels, words
from tests.dashboards.heard import LINES, hear
from tests.dashboards.served import serving
from tests.dashboards.site import Site

pytestmark = pytest.mark.shared_site

WEEK = timedelta(days=7)


@pytest.fixture
def job(site: Site) -> Job:
    return hear(site.user("ada"))


def share(job: Job, **more: Any) -> tuple[str, str]:
    """Create a link; return its path and its id."""
    values: dict[str, Any] = {"lasts": WEEK, "actor": f"user:{job.owner_id}"} | more
    token, made = context.ledger().run(share_links.create, job.id, **values)
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
    context.ledger().run(share_links.revoke, job.id, ident, actor="user:ada")
    page = site.client.get(path)
    assert page.status_code == 410
    assert "is no longer valid" in page.text
    for part in ("transcript", "recording", "peaks", "files/srt"):
        assert site.client.get(f"{path}/{part}").status_code == 410
    path, _ = share(job)
    context.ledger().run(job_store.delete, job.id, actor="user:ada")
    assert site.client.get(path).status_code == 410


def test_a_link_shows_what_its_page_shows_and_no_more(site: Site) -> None:
    job = hear(site.user("ada"), options=Options(prompt="Confidential prompt", hotwords="Codename"))
    path, _ = share(job)
    told = site.client.get(f"{path}/transcript").json()
    assert told.keys() == {"version", "segments"}
    assert told["segments"][0].keys() == {"start_s", "end_s", "text", "speaker", "language", "words"}
    assert {key for word in told["segments"][0]["words"] for key in word} <= {"start_s", "end_s", "text"}
    page = site.client.get(path).text
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert (data["findings"], data["limits"]) == ([], asdict(CueLimits()))
    everything = page + json.dumps(told)
    for secret in ("Confidential", "Codename", job.media_sha256, job.id, "fingerprint", "beam"):
        assert secret not in everything, secret


@pytest.mark.own_site  # ada is erased, in a while
def test_a_link_ends_with_the_account(site: Site) -> None:
    ada, other = site.user("ada"), site.user("bob")
    job, ledger = hear(ada), context.ledger()
    by_ada, by_other = share(job)[0], share(job, actor=other.actor)[0]
    ledger.run(users.set_disabled, other.id, disabled=True, actor="user:x")
    assert [site.client.get(path).status_code for path in (by_ada, by_other)] == [200, 410]
    ledger.run(users.set_disabled, other.id, disabled=False, actor="user:x")
    ledger.run(users.set_disabled, ada.id, disabled=True, actor="user:x")
    assert [site.client.get(path).status_code for path in (by_ada, by_other)] == [410, 410]
    assert site.client.get(f"{by_ada}/transcript").status_code == 410
    ledger.run(users.set_disabled, ada.id, disabled=False, actor="user:x")
    ledger.run(account_deletion.leave, ada.id, actor=ada.actor)
    assert [site.client.get(path).status_code for path in (by_ada, by_other)] == [410, 410]


@pytest.mark.own_site
def test_openings_and_downloads_are_in_the_audit_log(site: Site, job: Job) -> None:
    path, ident = share(job)
    links = re.findall(r'href="([^"]+/files/(?:srt|vtt)[^"]*)"', site.client.get(path).text)
    for part in ("transcript", "recording", "peaks", "files/vtt"):
        site.client.get(f"{path}/{part}")
    for link in (*links, *links):
        assert site.client.get(link).status_code == 200
    other, other_ident = share(job)
    for part in ("transcript", "files/srt", "files/srt"):  # without the page
        site.client.get(f"{other}/{part}")
    with context.ledger().read() as con:
        rows = audit.page(con, action="share.open")
    assert [(row.actor, row.subject, row.detail["part"]) for row in reversed(rows)] == [
        (f"share:{ident}", job.id, "page"),
        (f"share:{ident}", job.id, "file srt"),
        (f"share:{ident}", job.id, "file vtt"),
        (f"share:{other_ident}", job.id, "transcript"),
        (f"share:{other_ident}", job.id, "file srt"),
    ]
    assert rows[0].detail["client"] == "testclient"


@pytest.mark.own_site
def test_what_sends_no_file_is_no_download(site: Site, job: Job) -> None:
    path, _ = share(job)
    site.client.get(path)
    assert site.client.head(f"{path}/files/srt?download=1").status_code == 200
    assert site.client.get(f"{path}/files/srt?download=1&language=de").status_code == 404
    assert site.client.get(f"{path}/files/nothing?download=1").status_code == 404
    assert parts_opened() == ["page"]
    assert site.client.get(f"{path}/files/srt?download=1").status_code == 200
    assert parts_opened() == ["file srt", "page"]


@pytest.mark.own_site
def test_a_download_is_recorded_once_there_is_a_file(site: Site, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = share(job)

    async def not_yet(*_: object) -> str:
        raise ExportPending("srt", "many others are being made")

    with monkeypatch.context() as patch:
        patch.setattr(make_exports, "made", not_yet)
        assert site.client.get(f"{path}/files/srt?download=1").status_code == 503
    assert parts_opened() == ["file"]
    answer = site.client.get(f"{path}/files/srt?download=1")
    assert (answer.status_code, parts_opened()) == (200, ["file srt", "file"])
    other, _ = share(job)
    known = {"If-None-Match": answer.headers["ETag"]}
    assert site.client.get(f"{other}/files/srt?download=1", headers=known).status_code == 304
    assert site.client.get(f"{other}/files/srt?download=1").status_code == 200
    assert parts_opened()[:2] == ["file srt", "file"]


def parts_opened() -> list[str]:
    with context.ledger().read() as con:
        return [row.detail["part"] for row in audit.page(con, action="share.open")]


def test_a_visit_is_recorded_anew_after_a_while() -> None:
    now = [0.0]
    visits = ShareVisits(clock=lambda: now[0])
    assert [visits.is_new("a", "x"), visits.is_new("a", "x"), visits.is_new("a", "y")] == [True, False, True]
    now[0] = SAME_VISIT_S + 1
    assert visits.is_new("a", "x")


def test_a_file_that_is_downloaded_again_and_again_is_recorded_now_and_then() -> None:
    now = [0.0]
    visits = ShareVisits(clock=lambda: now[0])
    found = []
    for now[0] in range(0, 5 * int(SAME_VISIT_S), int(0.9 * SAME_VISIT_S)):
        found.append((visits.is_new("a", "x"), visits.is_new("a", "x", "file srt")))
    assert found == [(True, True), (False, False), (False, True), (False, False), (False, True), (False, False)]


def test_an_administrator_sees_and_ends_everybodys_links(desk: Desk) -> None:
    ada, root = desk.user(), desk.user("root", Role.ADMIN)
    job = desk.job(ada, JobState.COMPLETED)
    _, made = context.ledger().run(share_links.create, job.id, lasts=WEEK, actor=ada.actor)
    at = desk.page("people", root, part="Share links")
    assert job.name in [each.value for each in at.text]
    at.button(key=f"revoke-link-{made.id}").click()
    at.run()
    assert "There are no share links." in [each.value for each in at.info]
    with context.ledger().read() as con:
        assert share_links.list_of(con, job.id)[0].revoked_at is not None
        assert audit.page(con, action="share.revoke")[0].actor == root.actor


def test_nobody_else_sees_or_ends_everybodys_links(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED)
    _, made = context.ledger().run(share_links.create, job.id, lasts=WEEK, actor="user:x")
    with pytest.raises(NotAllowed):
        sharing.everybodys(ada, before=None, limit=10)
    with pytest.raises(NotAllowed):
        sharing.end(ada, job.id, made.id)


@pytest.mark.own_site
def test_openings_are_counted_once_a_page(site: Site, job: Job) -> None:
    path, _ = share(job)
    for _ in range(2):
        site.client.get(path)
    site.client.head(path)
    site.client.get(f"{path}/transcript")
    with context.ledger().read() as con:
        assert [one.opened for one in share_links.list_of(con, job.id)] == [2]


@pytest.mark.own_site
def test_a_password_comes_first(site: Site, job: Job) -> None:
    path, _ = share(job, password="open sesame")
    asked = site.client.get(path)
    assert "is protected by a password" in asked.text
    assert "harbour" not in asked.text
    assert site.client.get(f"{path}/transcript").status_code == 401
    assert site.client.post(path, data={"password": "wrong one"}).status_code == 403
    opened = site.client.post(path, data={"password": "open sesame"})
    assert (opened.status_code, "harbour.flac" in opened.text) == (200, True)
    assert site.client.get(f"{path}/transcript").status_code == 200
    other, _ = share(job, password="open sesame")
    assert "is protected by a password" in site.client.get(other).text


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
    button(at, "Create link").click()
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
    assert "Create link" not in labels(desk.page("job", reader, id=desk.job(reader, JobState.COMPLETED).id))


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
        context.ledger().run(share_links.revoke, job.id, ident, actor="user:ada")
        page.reload()
        expect(page.get_by_role("heading", name="This link is no longer valid")).to_be_visible()
        page.context.close()
