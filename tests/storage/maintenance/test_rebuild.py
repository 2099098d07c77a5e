"""Jobs and transcripts come back from storage into an empty ledger."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage import audit, jobs, manifests, names, transcripts, users
from storage.errors import BadRequest, StorageUnreachable
from storage.files import Files
from storage.ledger import Ledger
from storage.rebuild import rebuild
from storage.records import Job, JobState, Options, Role, User


def get(ledger: Ledger, job: Job) -> Job:
    with ledger.read() as con:
        return jobs.get(con, job.id)


def test_a_completed_job_comes_back_with_its_transcript_and_files(
    files: Files, make_job: Any, run_of: Any, transcript_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job(options=Options(language="de"))).whole_way()
    with lost() as new:
        rebuilt = rebuild(new, files)
        assert (rebuilt.jobs, rebuilt.transcripts, rebuilt.users, rebuilt.skipped) == (1, 1, 1, ())
        back = get(new, job)
        for field in (
            "state",
            "name",
            "options",
            "done_s",
            "model",
            "given_up",
            "created_at",
            "finished_at",
            "attempt",
        ):
            assert getattr(back, field) == getattr(job, field)
        with new.read() as con:
            assert transcripts.get(con, job.id) == transcript_of(job)
            assert jobs.exports_of(con, job.id) == {
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
            assert [one.id for one in jobs.next_queued(con, 5)] == [job.id]


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
            assert jobs.exports_of(con, job.id) == {
                "srt": names.export_name(job.id, names.transcript_name(job.id), "srt", job.options.cues)
            }


def test_failed_and_cancelled_jobs_stay_so(
    ledger: Ledger, files: Files, make_job: Any, lost: Callable[[], Ledger]
) -> None:
    cancelled, failed = make_job(), make_job()
    ledger.run(jobs.cancel, cancelled.id, actor="cli:me")
    for _ in range(jobs.MAX_CRASHES):
        ledger.run(jobs.requeue, failed.id, actor="system:reconciler", reason="gone")
    with lost() as new:
        rebuild(new, files)
        assert get(new, cancelled).state is JobState.CANCELLED
        assert get(new, failed).error == get(new, failed).error
        assert get(new, failed).error_code == "crashed_too_often"


def test_a_completed_job_whose_transcript_is_lost_is_heard_again(
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
    for name in ledger.run(jobs.purge, job.id, actor="cli:me"):
        files.delete(name)
    with lost() as new:
        assert rebuild(new, files).jobs == 0


def test_a_deleted_job_comes_back_deleted_and_can_be_restored(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    deleted = ledger.run(jobs.delete, job.id, actor="cli:me")
    with lost() as new:
        rebuild(new, files)
        assert get(new, job).deleted_at == deleted.deleted_at
        assert new.run(jobs.restore, job.id, actor="cli:me").state is JobState.COMPLETED


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
            assert {job.id for job in jobs.page(con)} == {first.id, second.id}


def test_a_ledger_with_jobs_is_left_alone(ledger: Ledger, files: Files, make_job: Any) -> None:
    make_job()
    with pytest.raises(BadRequest, match="has jobs"):
        rebuild(ledger, files)


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
    ledger.run(jobs.cancel, second.id, actor="cli:me")
    assert manifests.catch_up(ledger, files) == 1
    ledger.run(jobs.retry, second.id, actor="cli:me")
    assert manifests.catch_up(ledger, files) == 1
    assert list(files.list("jobs")) == [names.job_manifest_name(first.id), names.job_manifest_name(second.id)]


def test_a_job_purged_while_it_is_described_leaves_no_description(
    ledger: Ledger, files: Files, make_job: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    ledger.run(jobs.cancel, job.id, actor="cli:me")
    write = files.write

    def delete_meanwhile(name: str, data: bytes) -> None:
        write(name, data)
        ledger.run(jobs.purge, job.id, actor="cli:me")

    monkeypatch.setattr(files, "write", delete_meanwhile)
    manifests.keep(ledger, files, job.id)
    assert list(files.list("jobs")) == []
