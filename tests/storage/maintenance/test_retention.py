"""Retention: the nearest rule decides, parts go apart, equal bytes stay while a job needs them, holds stop all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, JobHeld, NotFound
from storage.domain.records import Job, User
from storage.files.file_store import Files
from storage.jobs import intake, job_store, legal_holds
from storage.jobs.annotations import tagging
from storage.jobs.kept_parts import KeptPart
from storage.jobs.legal_holds import HoldKind
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance import account_deletion, retention
from storage.maintenance.retention import EVERYBODY, Rule, RuleKind, nearest

SOON, LATER = timedelta(days=11), timedelta(days=40)


@pytest.fixture
def done(ledger: Ledger, files: Files, make_job: Any, run_of: Any) -> Callable[..., Job]:
    """Return `done(content)`, which makes a finished job with its files."""

    def make(content: str = "sound", **more: Any) -> Job:
        job: Job = make_job(content=content, **more)
        files.write(names.media_name(job.media_sha256), b"bytes")
        files.write(f"{names.plans_folder(job.media_sha256)}a.json", b"{}")
        run_of(job).whole_way()
        files.write(f"{names.exports_folder(job.id)}a.srt", b"1")
        with ledger.read() as con:
            return job_store.get(con, job.id)

    return make


@pytest.fixture
def put(ledger: Ledger) -> Callable[..., None]:
    def rule(part: KeptPart, days: float | None, kind: RuleKind = RuleKind.EVERYBODY, subject: str = EVERYBODY) -> None:
        ledger.run(retention.put, Rule(kind=kind, subject=subject, part=part, days=days), actor="cli:root")

    return rule


def parts(ledger: Ledger, after: timedelta) -> list[tuple[str, str]]:
    with ledger.read() as con:
        return [(one.job_id, one.part.value) for one in retention.due(con, now=utc_now() + after)]


def test_without_a_rule_everything_is_kept(ledger: Ledger, done: Callable[..., Job]) -> None:
    done()
    assert parts(ledger, timedelta(days=9999)) == []


def test_parts_go_apart_and_the_text_stays(
    ledger: Ledger, files: Files, done: Callable[..., Job], put: Callable[..., None]
) -> None:
    job = done()
    put(KeptPart.SOURCE, 10)
    put(KeptPart.EXPORTS, 30)
    put(KeptPart.SPANS, 30)
    assert parts(ledger, timedelta(days=9)) == []
    assert parts(ledger, SOON) == [(job.id, "source")]
    assert files.exists(names.media_name(job.media_sha256)), "a dry run deletes nothing"
    now = utc_now() + SOON
    assert retention.apply(ledger, files, now=now) == 1
    assert retention.apply(ledger, files, now=now) == 0, "what is dropped is not due again"
    assert not files.exists(names.media_name(job.media_sha256))
    assert list(files.list("plans"))
    assert retention.apply(ledger, files, now=utc_now() + LATER) == 2
    assert list(files.list("plans")) == list(files.list(f"exports/{job.id}")) == []
    assert files.exists(names.transcript_name(job.id))
    with ledger.read() as con:
        assert job_store.get(con, job.id) == job
        assert [row.detail["part"] for row in audit.page(con, action="job.drop")] == ["exports", "spans", "source"]


def test_equal_bytes_stay_until_no_job_keeps_them(
    ledger: Ledger, files: Files, done: Callable[..., Job], put: Callable[..., None]
) -> None:
    first, second = done("same"), done("same")
    put(KeptPart.SOURCE, 10)
    put(KeptPart.SOURCE, 30, RuleKind.JOB, second.id)
    assert retention.apply(ledger, files, now=utc_now() + SOON) == 1
    assert files.exists(names.media_name(first.media_sha256))
    assert retention.apply(ledger, files, now=utc_now() + LATER) == 1
    assert not files.exists(names.media_name(first.media_sha256))


def test_a_whole_recording_is_deleted_as_its_owner_would(
    ledger: Ledger, files: Files, done: Callable[..., Job], put: Callable[..., None]
) -> None:
    job = done()
    put(KeptPart.RECORDING, 10)
    put(KeptPart.SOURCE, 5)
    assert parts(ledger, SOON) == [(job.id, "recording")]
    retention.apply(ledger, files, now=utc_now() + SOON)
    with ledger.read() as con:
        assert job_store.get(con, job.id).deleted_at is not None
        assert audit.page(con, subject=job.id)[0].actor == "system:retention"
    assert files.exists(names.media_name(job.media_sha256)), "it can be restored"


def test_the_nearest_rule_decides_and_of_tags_the_longest() -> None:
    def rule(kind: RuleKind, subject: str, days: float | None) -> Rule:
        return Rule(kind=kind, subject=subject, part=KeptPart.SOURCE, days=days)

    everybody, person = rule(RuleKind.EVERYBODY, EVERYBODY, 1), rule(RuleKind.PERSON, "ann", 2)
    short, forever, job = rule(RuleKind.TAG, "a", 3), rule(RuleKind.TAG, "b", None), rule(RuleKind.JOB, "j", 4)
    given = [everybody, person, short, forever, job]
    assert nearest(given, "j", ["a", "b"], "ann") == job
    assert nearest(given, "k", ["a", "b"], "ann") == forever
    assert nearest(given, "k", ["a"], "ann") == short
    assert nearest(given, "k", [], "ann") == person
    assert nearest(given, "k", [], "bob") == everybody
    assert nearest(given[1:], "k", [], "bob") is None


@pytest.mark.parametrize("kind", HoldKind)
def test_what_is_held_is_deleted_by_nobody(  # noqa: PLR0917 - fixtures
    ledger: Ledger, files: Files, ann: User, done: Callable[..., Job], put: Callable[..., None], kind: HoldKind
) -> None:
    job = done()
    ledger.run(tagging.set_tags, job.id, ("case 7",), actor="user:x")
    subject = {HoldKind.JOB: job.id, HoldKind.PERSON: ann.id, HoldKind.TAG: "case 7"}[kind]
    ledger.run(legal_holds.put, kind, subject, reason="court order 12", actor="cli:root")
    put(KeptPart.RECORDING, 0)
    assert parts(ledger, SOON) == []
    for forbidden in (
        lambda: intake.delete(ledger, files, job.id, actor="user:x"),
        lambda: intake.throw_out(ledger, files, job.id, actor="user:x"),
        lambda: intake.drop_part(ledger, files, job.id, KeptPart.SOURCE, actor="user:x"),
    ):
        with pytest.raises(JobHeld, match="court order 12"):
            forbidden()
    ledger.run(account_deletion.leave, ann.id, actor="user:x")
    assert account_deletion.erase(ledger, files, ann.id) == 0
    with ledger.read() as con:
        assert account_deletion.who(con) == [ann.id], "the account waits for the end of the hold"
    ledger.run(legal_holds.release, kind, subject, actor="cli:root")
    assert account_deletion.erase(ledger, files, ann.id) == 1
    with ledger.read() as con:
        assert account_deletion.who(con) == []


def test_one_deleted_before_its_hold_is_not_purged(ledger: Ledger, files: Files, done: Callable[..., Job]) -> None:
    job = done()
    intake.delete(ledger, files, job.id, actor="user:x")
    ledger.run(legal_holds.put, HoldKind.JOB, job.id, reason="case", actor="cli:root")
    assert intake.purge_deleted(ledger, files, before=utc_now() + SOON) == 0
    ledger.run(legal_holds.release, HoldKind.JOB, job.id, actor="cli:root")
    assert intake.purge_deleted(ledger, files, before=utc_now() + SOON) == 1


def test_what_cannot_be_a_rule_or_a_hold_is_refused(ledger: Ledger, put: Callable[..., None]) -> None:
    for days in (-1, float("nan"), float("inf")):
        with pytest.raises(BadRequest):
            put(KeptPart.SOURCE, days)
    with pytest.raises(BadRequest):
        ledger.run(legal_holds.put, HoldKind.TAG, "x", reason=" ", actor="cli:root")
    with pytest.raises(NotFound):
        ledger.run(legal_holds.release, HoldKind.TAG, "x", actor="cli:root")
    rule = Rule(kind=RuleKind.TAG, subject="x", part=KeptPart.SOURCE, days=1)
    with pytest.raises(NotFound):
        ledger.run(retention.remove, rule, actor="cli:root")
    with ledger.read() as con, pytest.raises(NotFound):
        retention.subject_of(con, RuleKind.PERSON, "nobody")


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (RuleKind.EVERYBODY, "ada"),  # it would delete for all what was meant for one
        (RuleKind.PERSON, "*"),
        (RuleKind.TAG, "case 7, case 8"),
        (RuleKind.TAG, "x" * 41),
    ],
)
def test_a_rule_or_hold_that_covers_something_else_is_refused(ledger: Ledger, kind: RuleKind, given: str) -> None:
    with ledger.read() as con, pytest.raises(BadRequest):
        retention.subject_of(con, kind, given)


def test_a_job_that_is_made_again_is_due_again(
    ledger: Ledger, files: Files, done: Callable[..., Job], put: Callable[..., None]
) -> None:
    job = done()
    put(KeptPart.EXPORTS, 0)
    later = utc_now() + timedelta(minutes=1)
    assert retention.apply(ledger, files, now=later) == 1
    with ledger.write() as con:
        con.execute("UPDATE jobs SET finished_at = finished_at + INTERVAL 1 HOUR WHERE id = $id", {"id": job.id})
    assert parts(ledger, timedelta(hours=2)) == [(job.id, "exports")]
