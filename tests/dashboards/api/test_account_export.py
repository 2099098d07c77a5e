"""The account export, the audit log export, account deletion, and upload limits."""

import csv
import io
import json
import time
import zipfile
from collections.abc import Callable

import pytest

from dashboards.api.account_export import archive
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from storage.accounts import profiles, users, vocabulary
from storage.domain import names
from storage.domain.records import JobState, Options
from storage.jobs import job_store
from storage.ledger import audit
from storage.maintenance import account_deletion
from tests.dashboards.desk import Desk
from tests.dashboards.site import ORIGIN, PASSWORD, Site
from tests.factories import accept
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


def unpack(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        assert zipped.testzip() is None
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_everything_of_mine_and_nothing_of_others_is_in_the_zip(site: Site) -> None:
    ledger = context.ledger()
    for name in ("ada", "bob"):
        accept(ledger, site.user(name), name=f"{name}.wav", options=Options(model="/srv/models/tiny"))
    ledger.run(vocabulary.set_words, site.user().id, "Nuuk", actor="system:test")
    site.sign_in()
    answer = site.client.get("/account/export")
    assert "attachment" in answer.headers["content-disposition"]
    found = unpack(answer.content)
    account = json.loads(found["account.json"])
    assert (account["account"]["name"], account["vocabulary"]) == ("ada", ["Nuuk"])
    assert [json.loads(line)["name"] for line in found["jobs.jsonl"].splitlines()] == ["ada.wav"]
    assert json.loads(found["jobs.jsonl"])["options"]["model"] == "tiny"
    everything = b"".join(found.values())
    for secret in (b"argon2", b"sha256$", b"bob.wav"):
        assert secret not in everything
    with context.ledger().read() as con:
        assert audit.page(con, limit=1)[0].action == "user.export"


def test_a_transcript_goes_out_as_it_is_stored(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED)
    big = b'{"text": "' + b"x" * 3_000_000 + b'"}'
    desk.holder.files.write(names.transcript_name(job.id), big)
    found = unpack(b"".join(archive(ada.id)))
    assert found[f"transcripts/{job.id}.json"] == big
    desk.holder.files.delete(names.transcript_name(job.id))
    assert f"transcripts/{job.id}.json" not in unpack(b"".join(archive(ada.id)))


def test_the_log_is_for_administrators(site: Site) -> None:
    site.sign_in()
    assert site.client.get("/audit/export").status_code == 403


def test_the_log_comes_as_a_table_and_as_lines(site: Site) -> None:
    context.current().limits = Limits(audit_export_rows=3)
    site.sign_in("root")
    with context.ledger().read() as con:
        known = [row.seq for row in audit.page(con, limit=1000)]
    rows = list(csv.DictReader(io.StringIO(site.client.get("/audit/export?format=csv").text)))
    assert [int(row["seq"]) for row in rows][1:] == known
    lines = site.client.get("/audit/export?format=jsonl&action=user.create").text.splitlines()
    assert {json.loads(line)["action"] for line in lines} == {"user.create"}
    assert len(lines) == 5
    later = site.client.get("/audit/export?format=jsonl&since=2999-01-01T00:00:00Z").text
    assert later == ""
    assert site.client.get("/audit/export?format=xml").status_code == 400
    assert site.client.get("/audit/export?since=yesterday").status_code == 400


def test_a_spreadsheet_takes_nothing_for_a_formula(site: Site) -> None:
    context.ledger().run(audit.record, actor="system:test", action="x", subject="=cmd|'/c calc'!A0")
    site.sign_in("root")
    (row,) = csv.DictReader(io.StringIO(site.client.get("/audit/export?action=x").text))
    assert row["subject"].startswith("'=")


@pytest.mark.own_site
def test_whoever_leaves_is_gone_with_all_uploads(site: Site) -> None:
    ada = site.user()
    site.sign_in()
    made = site.client.post("/uploads", headers=ORIGIN | {"Upload-Length": "10", "Tus-Resumable": "1.0.0"})
    assert made.status_code == 201
    job = accept(context.ledger(), ada)
    context.files().write(names.media_name(job.media_sha256), b"sound")
    context.ledger().run(account_deletion.leave, ada.id, actor=f"user:{ada.id}")
    assert site.client.get("/api/v1/me").status_code == 401
    assert site.log_in("ada", PASSWORD).status_code == 401
    until = time.monotonic() + PATIENCE_S
    while leaving_now():
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not list(context.current().shelf.all())
    assert not context.files().exists(names.media_name(job.media_sha256))
    with context.ledger().read() as con:
        assert users.by_name(con, "ada") is None
        assert audit.page(con, subject=job.id)[0].action == "job.purge"
        assert audit.verify(con) is None


def leaving_now() -> list[str]:
    with context.ledger().read() as con:
        return account_deletion.who(con)


@pytest.mark.own_site
def test_limits_hold_wherever_recordings_come_in(site: Site, tone: Callable[..., bytes]) -> None:
    sound = tone(1.0)
    ada = site.user()
    key = site.key_of(ada)
    context.ledger().run(profiles.set_quota, ada.id, hours=None, size_bytes=len(sound) + 10, actor="system:test")
    assert site.client.post("/api/v1/jobs", files={"file": ("a.wav", sound)}, headers=key).status_code == 201
    refused = site.client.post("/api/v1/jobs", files={"file": ("b.wav", sound)}, headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "space_used_up")
    early = site.client.post("/uploads", headers=key | {"Upload-Length": str(len(sound)), "Tus-Resumable": "1.0.0"})
    assert (early.status_code, early.json()["error"]["code"]) == (413, "space_used_up")
    context.ledger().run(profiles.set_quota, ada.id, hours=0, size_bytes=None, actor="system:test")
    refused = site.client.post("/api/v1/jobs", files={"file": ("b.wav", sound)}, headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "hours_used_up")
    assert "wait for next month" in refused.json()["error"]["message"]


def test_a_reader_changes_nothing_by_any_road(site: Site, tone: Callable[..., bytes]) -> None:
    rex = site.user("rex")
    job = accept(context.ledger(), rex)
    key = site.key_of(rex)
    tries = [
        site.client.post("/uploads", headers=key | {"Upload-Length": "5", "Tus-Resumable": "1.0.0"}),
        site.client.post("/api/v1/jobs", files={"file": ("a.wav", tone())}, headers=key),
        site.client.post("/v1/audio/transcriptions", files={"file": ("a.wav", tone())}, headers=key),
        site.client.post(f"/api/v1/jobs/{job.id}/cancel", headers=key),
        site.client.post(f"/api/v1/jobs/{job.id}/retry", headers=key),
        site.client.delete(f"/api/v1/jobs/{job.id}", headers=key),
    ]
    assert [one.status_code for one in tries] == [403] * len(tries)
    with context.ledger().read() as con:
        after = job_store.get(con, job.id)
    assert (after.state, after.attempt, after.deleted_at) == (JobState.QUEUED, 1, None)
