"""Rebuilding jobs and transcripts from storage into an empty ledger."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.accounts import users
from storage.domain import names
from storage.domain.errors import NotFound, StorageUnreachable, TranscriptMoved
from storage.domain.interruptions import RunMissing
from storage.domain.records import Job, JobState, Options, Role, User, to_json
from storage.files.file_store import Files
from storage.jobs import job_store, manifests, queue_order, save_edit
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance import housekeeping
from storage.maintenance.rebuild import rebuild
from storage.transcripts import transcript_store, versions
from storage.transcripts.edits import Draft


def get(ledger: Ledger, job: Job) -> Job:
    with ledger.read() as con:
        return job_store.get(con, job.id)


def test_a_completed_job_comes_back_with_its_transcript_and_files(
    files: Files, make_job: Any, run_of: Any, transcript_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job(options=Options(language="de"), tags=("board", "q3"), metadata={"case": "7"})).whole_way()
    with lost() as new:
        rebuilt = rebuild(new, files)
        assert (rebuilt.jobs, rebuilt.transcripts, rebuilt.users, rebuilt.skipped) == (1, 1, 1, ())
        back = get(new, job)
        for field in (
            "state",
            "name",
            "options",
            "tags",
            "metadata",
            "done_s",
            "model",
            "given_up",
            "created_at",
            "finished_at",
            "attempt",
        ):
            assert getattr(back, field) == getattr(job, field)
        with new.read() as con:
            assert transcript_store.get(con, job.id) == transcript_of(job)
            assert job_store.exports_of(con, job.id) == {
                "srt": names.export_name(job.id, names.transcript_name(job.id), "srt", job.options.cues)
            }
            assert users.get(con, job.owner_id).name == "Ann"
            assert audit.verify(con) is None


def test_a_job_that_was_under_way_is_queued_again_as_a_new_attempt(
    files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = make_job()
    run_of(job).start()
    run_of(job).plan()
    with lost() as new:
        rebuild(new, files)
        back = get(new, job)
        assert (back.state, back.attempt, back.flow_run_id) == (JobState.QUEUED, 2, None)
        with new.read() as con:
            assert [one.id for one in queue_order.next_queued(con, 5)] == [job.id]


def test_a_transcript_that_the_description_does_not_know_of_yet_counts(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = make_job()
    manifests.keep(ledger, files, job.id)
    old = files.read(names.job_manifest_name(job.id))
    run_of(job).whole_way()
    files.write(names.job_manifest_name(job.id), old)
    with lost() as new:
        rebuild(new, files)
        assert get(new, job).state is JobState.COMPLETED
        with new.read() as con:
            assert job_store.exports_of(con, job.id) == {
                "srt": names.export_name(job.id, names.transcript_name(job.id), "srt", job.options.cues)
            }


def test_failed_and_cancelled_jobs_stay_so(
    ledger: Ledger, files: Files, make_job: Any, lost: Callable[[], Ledger]
) -> None:
    cancelled, failed = make_job(), make_job()
    ledger.run(job_store.cancel, cancelled.id, actor="cli:me")
    for _ in range(job_store.MAX_CRASHES):
        ledger.run(job_store.requeue, failed.id, actor="system:reconciler", reason=RunMissing())
    with lost() as new:
        rebuild(new, files)
        assert get(new, cancelled).state is JobState.CANCELLED
        assert get(new, failed).error == get(new, failed).error
        assert get(new, failed).error_code == "crashed_too_often"


def test_a_completed_job_without_a_transcript_is_queued_again(
    files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    files.delete(names.transcript_name(job.id))
    with lost() as new:
        rebuild(new, files)
        assert get(new, job).state is JobState.QUEUED


def test_purged_jobs_stay_away(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    for name in ledger.run(job_store.purge, job.id, actor="cli:me"):
        files.delete(name)
    with lost() as new:
        assert rebuild(new, files).jobs == 0


def test_a_deleted_job_comes_back_deleted_and_can_be_restored(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    deleted = ledger.run(job_store.delete, job.id, actor="cli:me")
    with lost() as new:
        rebuild(new, files)
        assert get(new, job).deleted_at == deleted.deleted_at
        assert new.run(job_store.restore, job.id, actor="cli:me").state is JobState.COMPLETED


def test_broken_descriptions_are_left_out_and_named(files: Files, make_job: Any, lost: Callable[[], Ledger]) -> None:
    make_job()
    files.write("jobs/broken.json", b"{")
    files.write("jobs/other.json", b"\xff")
    with lost() as new:
        rebuilt = rebuild(new, files)
    assert (rebuilt.jobs, rebuilt.skipped) == (1, ("jobs/broken.json", "jobs/other.json"))


def test_what_an_outage_broke_off_goes_on_when_asked_again(
    files: Files, make_job: Any, lost: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_job(), make_job()
    read = files.read

    def away(name: str) -> bytes:
        if name == names.job_manifest_name(second.id):
            raise StorageUnreachable(name, "gone")
        return read(name)

    with lost() as new:
        with monkeypatch.context() as outage:
            outage.setattr(files, "read", away)
            with pytest.raises(StorageUnreachable):
                rebuild(new, files)
        assert rebuild(new, files).jobs == 1
        with new.read() as con:
            assert {job.id for job in job_store.page(con)} == {first.id, second.id}


def test_a_ledger_that_is_up_to_date_is_left_alone(ledger: Ledger, files: Files, make_job: Any, run_of: Any) -> None:
    done, under_way = run_of(make_job()).whole_way(), make_job()
    manifests.catch_up(ledger, files)
    run_of(under_way).start()
    before = get(ledger, done), get(ledger, under_way)
    rebuilt = rebuild(ledger, files)
    assert (rebuilt.jobs, rebuilt.updated, rebuilt.missing) == (0, 0, 0)
    assert (get(ledger, done), get(ledger, under_way)) == before


@pytest.fixture
def backed_up(ledger: Ledger, files: Files, tmp_path: Path) -> Callable[[], Callable[[], Ledger]]:
    """Return a function that makes a backup, and returns one that restores and opens it."""

    def back_up() -> Callable[[], Ledger]:
        copy = housekeeping.backup(ledger, tmp_path / "copy.duckdb")

        def restore() -> Ledger:
            manifests.catch_up(ledger, files)
            ledger.close()
            housekeeping.restore(copy, ledger.path)
            return Ledger.open(ledger.path)

        return restore

    return back_up


def text(ledger: Ledger, job: Job) -> list[str]:
    with ledger.read() as con:
        return [segment.text for segment in transcript_store.segments(con, job.id)]


def test_a_backup_that_is_older_than_storage_gets_what_it_lacks(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, backed_up: Callable[[], Callable[[], Ledger]]
) -> None:
    edited, waiting, gone = (
        run_of(make_job()).whole_way(),
        make_job(content="b"),
        run_of(make_job(content="c")).whole_way(),
    )
    manifests.catch_up(ledger, files)
    restore = backed_up()
    save_edit.edit(ledger, files, edited.id, Draft(base=1, segments=(1,)), actor="user:ann")
    run_of(waiting).whole_way()
    later = run_of(make_job(content="d")).whole_way()
    for name in ledger.run(job_store.purge, gone.id, actor="cli:me"):
        files.delete(name)
    with restore() as old:
        assert text(old, edited) != text(old, waiting) == []
        rebuilt = rebuild(old, files)
        assert (rebuilt.jobs, rebuilt.updated, rebuilt.missing) == (1, 2, 1)
        assert get(old, waiting).state is get(old, later).state is JobState.COMPLETED
        assert text(old, edited) == [" Ende."]
        with old.read() as con:
            assert [(one.number, one.made_by) for one in versions.list_of(con, edited.id)] == [
                (2, "user:ann"),
                (1, "engine"),
            ]
            assert audit.verify(con) is None
        again = rebuild(old, files)
        assert (again.jobs, again.updated) == (0, 0)


def test_an_edit_after_a_restored_backup_overwrites_no_newer_version(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, backed_up: Callable[[], Callable[[], Ledger]]
) -> None:
    job = run_of(make_job()).whole_way()
    restore = backed_up()
    kept = save_edit.edit(ledger, files, job.id, Draft(base=1, segments=(1,)), actor="user:ann")
    before = files.read(kept.stored_as)
    with restore() as old:
        with pytest.raises(TranscriptMoved, match="version 2"):
            save_edit.edit(old, files, job.id, Draft(base=1, segments=(0,)), actor="user:bob")
        assert files.read(kept.stored_as) == before
        assert text(old, job) == [" Ende."]
        assert save_edit.edit(old, files, job.id, Draft(base=2, segments=()), actor="user:bob").number == 3


def test_a_version_that_no_manifest_knows_is_brought_in(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, transcript_of: Any
) -> None:
    job = run_of(make_job()).whole_way()
    manifests.catch_up(ledger, files)
    newer = dataclasses.replace(transcript_of(job), segments=transcript_of(job).segments[:1], version=2)
    files.write(names.version_name(job.id, 2), to_json(newer))
    assert rebuild(ledger, files).updated == 1
    assert text(ledger, job) == [newer.segments[0].text]


def test_a_job_that_was_deleted_permanently_stays_away_though_its_description_stayed(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any
) -> None:
    job = run_of(make_job()).whole_way()
    manifests.catch_up(ledger, files)
    ledger.run(job_store.purge, job.id, actor="cli:me")
    assert rebuild(ledger, files).jobs == 0
    with pytest.raises(NotFound):
        get(ledger, job)


def test_owners_of_the_same_name_are_taken_to_be_the_same(
    files: Files, make_job: Any, make_user: Callable[..., User], lost: Callable[[], Ledger]
) -> None:
    job = make_job(make_user("admin", Role.ADMIN))
    with lost() as new:
        new.run(users.ensure_admin, None)
        rebuild(new, files)
        with new.read() as con:
            assert [user.name for user in users.list_all(con)] == ["admin"]
        assert get(new, job).owner_id != job.owner_id


def test_an_outage_of_storage_is_caught_up_with(ledger: Ledger, files: Files, make_job: Any, tmp_path: Path) -> None:
    first, second = make_job(), make_job()
    (tmp_path / "blocked").write_bytes(b"")
    manifests.keep_if_possible(ledger, Files(str(tmp_path / "blocked")), first.id)
    assert manifests.catch_up(ledger, files) == 2
    assert manifests.catch_up(ledger, files) == 0
    ledger.run(job_store.cancel, second.id, actor="cli:me")
    assert manifests.catch_up(ledger, files) == 1
    ledger.run(job_store.retry, second.id, actor="cli:me")
    assert manifests.catch_up(ledger, files) == 1
    assert list(files.list("jobs")) == [names.job_manifest_name(first.id), names.job_manifest_name(second.id)]


def test_a_job_purged_while_it_is_described_leaves_no_description(
    ledger: Ledger, files: Files, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    write = files.write

    def delete_meanwhile(name: str, data: bytes) -> None:
        write(name, data)
        ledger.run(job_store.purge, job.id, actor="cli:me")

    monkeypatch.setattr(files, "write", delete_meanwhile)
    manifests.keep(ledger, files, job.id)
    assert list(files.list("jobs")) == []
