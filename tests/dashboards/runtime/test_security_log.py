"""What the audit log records besides changes, and that it says from where."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboards.runtime import context, security_log
from dashboards.strings import PAGE
from storage.accounts import api_keys
from storage.domain import names
from storage.domain.audit_actions import AuditAction
from storage.domain.records import AuditRow, Job, JobState, Role
from storage.ledger import audit
from storage.media.browser_playback import Playback
from tests.dashboards.desk import SCRIPT, Desk, button
from tests.dashboards.site import Site
from tests.factories import job_in
from tests.waiting import PATIENCE_S


def rows(site: Site, *actions: AuditAction) -> list[AuditRow]:
    """Return what is recorded of these actions, oldest first, with what waits to be written."""
    assert site.client.portal
    site.client.portal.call(lambda: security_log.write_waiting(everything=True))
    with context.ledger().read() as con:
        return audit.page(con, actions=list(actions))[::-1]


def finished(site: Site) -> Job:
    """Make a transcript of Ada's, whose recording is on storage."""
    job = job_in(
        context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED, exports={"srt": b"1", "txt": b"Hi"}
    )
    context.files().write(names.media_name(job.media_sha256), bytes(100))
    return job


def test_failed_log_ins_and_lock_outs_are_recorded_without_the_password(site: Site) -> None:
    site.client.headers["User-Agent"] = "Browser/1\t" + "x" * 1000
    for _ in range(8):
        site.log_in("ada\x00", "wrong secret")
    found = rows(site, AuditAction.LOGIN_FAILED, AuditAction.LOGIN_LOCKED)
    assert [(row.action, row.detail.get("times")) for row in found] == [
        ("login.fail", None),
        ("login.lock", None),
        ("login.fail", 4),
        ("login.lock", 2),
    ]
    assert {(row.actor, row.subject, row.address) for row in found} == {("nobody", "ada", "testclient")}
    assert all(row.request_id and row.agent and len(row.agent) == 200 for row in found)
    assert "wrong secret" not in str(found)


def test_a_wrong_key_is_a_failed_log_in(site: Site) -> None:
    secret = {"Authorization": "Bearer wt_no-such-secret"}
    assert site.client.get("/api/v1/jobs", headers=secret).status_code == 401
    (row,) = rows(site, AuditAction.LOGIN_FAILED)
    assert (row.actor, row.detail) == ("nobody", {"by": "key"})
    assert "no-such-secret" not in str(row)


def test_refusals_of_known_callers_are_recorded_and_a_loop_is_counted(site: Site) -> None:
    job = finished(site)
    key = site.key_of(site.user("bob"))
    for _ in range(30):
        assert site.client.get(f"/api/v1/jobs/{job.id}", headers=key).status_code == 404
    assert site.client.get("/metrics", headers=key).status_code == 403
    assert site.client.get("/api/v1/jobs/nothing", headers=key).status_code == 404  # nobody's: not a refusal
    first, repeats = rows(site, AuditAction.REFUSED)
    assert (first.actor, first.subject) == (site.user("bob").actor, f"/api/v1/jobs/{job.id}")
    assert (repeats.subject, repeats.detail["times"], repeats.detail["code"]) == ("/metrics", 30, "not_allowed")
    with context.ledger().read() as con:
        (used,) = api_keys.list_of(con, site.user("bob").id)
    assert first.key_id == used.id


def test_a_key_that_somebody_else_may_have_is_recorded(site: Site) -> None:
    """It is used outside its networks, or for what it may not do."""
    elsewhere, reader = (
        site.key_of(site.user("ada"), networks="10.0.0.0/8"),
        site.key_of(site.user("bob"), scopes=("read",)),
    )
    for _ in range(3):
        assert site.client.get("/api/v1/jobs", headers=elsewhere).status_code == 403
    assert site.client.delete("/api/v1/jobs/x", headers=reader).status_code == 403
    found = [row for row in rows(site, AuditAction.REFUSED) if "times" not in row.detail]
    assert [(row.actor, row.subject, row.detail["code"]) for row in found] == [
        (site.user("ada").actor, "/api/v1/jobs", "address_not_allowed"),
        (site.user("bob").actor, "/api/v1/jobs/x", "scope_missing"),
    ]
    assert all(row.key_id and row.address == "testclient" for row in found)


def test_a_refusal_is_recorded_without_the_secret_in_its_path(site: Site) -> None:
    site.sign_in()
    for path in ("/shared/secret-of-a-link", "/asr-secret-of-a-program/asr"):
        assert site.client.delete(path).status_code == 403
    found = rows(site, AuditAction.REFUSED)
    assert [row.subject for row in found] == ["/shared/…", "/asr-…/asr"]


def test_downloads_and_an_administrators_reading_are_recorded_once(site: Site) -> None:
    job = finished(site)
    root, ada = (site.key_of(site.user(name)) for name in ("root", "ada"))
    paths = (f"/api/v1/jobs/{job.id}/transcript", f"/recordings/{job.id}", f"/downloads/{job.id}/srt")
    for headers in (root, root, ada):
        for path in (*paths, f"/downloads?id={job.id}&format=txt"):
            assert site.client.get(path, headers=headers | {"Range": "bytes=0-9"}).is_success, path
    read = rows(site, AuditAction.OTHERS_READ)
    assert [(row.actor, row.subject, row.detail) for row in read] == [
        (site.user("root").actor, job.id, {"owner": site.user("ada").id})
    ]
    by_owner = [row.action for row in rows(site, *AuditAction) if row.actor == site.user("ada").actor]
    assert {"media.download", "export.download", "archive.download"} <= set(by_owner)
    archived = rows(site, AuditAction.ARCHIVE_SENT)[0]
    assert archived.detail == {"formats": ["txt"], "jobs": [job.id]}


@pytest.mark.parametrize("what", ["", "/playback"])
def test_a_recording_of_which_no_byte_is_sent_is_not_recorded_as_played(site: Site, what: str) -> None:
    job, ada = finished(site), site.key_of(site.user("ada"))
    context.files().write(names.playback_name(job.media_sha256, None, Playback.COPY), b"fLaC")
    path = f"/recordings/{job.id}{what}"
    assert site.client.head(path, headers=ada).status_code == 200
    assert site.client.get(path, headers=ada | {"If-None-Match": "*"}).status_code == 304
    assert rows(site, AuditAction.MEDIA_SENT) == []
    assert site.client.get(path, headers=ada).status_code == 200
    assert len(rows(site, AuditAction.MEDIA_SENT)) == 1


def test_an_administrators_search_in_everybodys_transcripts_is_recorded_once(site: Site) -> None:
    root = site.key_of(site.user("root"))
    for everybody in ("false", "true", "true"):
        answer = site.client.get("/api/v1/search", params={"q": "secret", "everybody": everybody}, headers=root)
        assert answer.status_code == 200
    (row,) = rows(site, AuditAction.OTHERS_SEARCHED)
    assert (row.actor, row.subject) == (site.user("root").actor, "everybody")
    assert "secret" not in str(row)


def test_the_address_of_an_administrators_page_is_a_refusal_for_others(desk: Desk) -> None:
    for path in ("people", "no-such-page"):
        for name, role in (("ada", Role.MEMBER), ("rex", Role.READER), ("root", Role.ADMIN)):
            at = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
            user = desk.user(f"{name} of {path}", role)
            at.user = {"uid": user.id, "sid": desk.session(user)}
            at.context["url"] = f"http://testserver/{path}"
            at._page_hash = calc_hash(path)
            at.run()
            expected = PAGE["people" if (path, role) == ("people", Role.ADMIN) else "nowhere"]
            assert [one.value for one in at.title] == [expected]
    seen = desk.holder.security.take(everything=True)
    assert [(one.action, one.subject, one.detail["code"]) for one in seen] == [
        (AuditAction.REFUSED, "/people", "not_allowed")
    ] * 2
    assert len({one.actor for one in seen}) == 2


def test_pages_record_who_looks_and_from_where(desk: Desk) -> None:
    job = desk.job(desk.user("ada"))
    root, bob = desk.user("root", Role.ADMIN), desk.user("bob")
    for reader in (root, root, bob):
        desk.page("job", reader, id=job.id)
    seen = desk.holder.security.take(everything=True)
    assert [(one.actor, one.action, one.subject) for one in seen] == [
        (root.actor, AuditAction.OTHERS_READ, job.id),
        (bob.actor, AuditAction.REFUSED, job.id),
    ]


def test_what_a_page_changes_has_an_origin(desk: Desk) -> None:
    at = desk.page("machines", desk.user("root", Role.ADMIN))
    at.user = dict(at.user) | {"address": "203.0.113.7", "agent": "Browser/1", "request": "abc"}
    at.text_input[0].input("gpu-box")
    button(at, "Create token").click()
    at.run()
    with desk.ledger.read() as con:
        (row,) = audit.page(con, action="worker_token.create")
    assert (row.address, row.agent, row.request_id, row.key_id) == ("203.0.113.7", "Browser/1", "abc", None)
