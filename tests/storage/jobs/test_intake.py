"""Storage and ledger together: nothing is lost between the two."""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, JobMoved, StorageUnreachable
from storage.domain.records import CueLimits, ExportFormat, Job, JobState, Lane, Options, User
from storage.files.file_store import Files
from storage.jobs import intake, job_store, queue_order
from storage.ledger.database import Ledger

SOUND = b"sound" * 1000
SHA = hashlib.sha256(SOUND).hexdigest()


@pytest.fixture
def take_in(ledger: Ledger, files: Files, ann: User, tmp_path: Path) -> Callable[..., Job]:
    def take(**more: Any) -> Job:
        path = tmp_path / f"upload-{threading.get_ident()}"
        path.write_bytes(SOUND)
        values: dict[str, Any] = {"files": files, "owner_id": ann.id, "name": "talk.wav", "options": Options()} | more
        store = values.pop("files")
        return intake.take_in(ledger, store, path, sha256=SHA, lane=Lane.INTERACTIVE, actor=f"user:{ann.id}", **values)

    return take


def test_the_bytes_are_stored_and_the_job_is_queued_and_described(
    files: Files, take_in: Callable[..., Job], tmp_path: Path
) -> None:
    job = take_in()
    assert (job.state, job.media_bytes) == (JobState.QUEUED, len(SOUND))
    assert files.read(names.media_name(SHA)) == SOUND
    assert files.exists(names.job_manifest_name(job.id))
    assert not list(tmp_path.glob("upload-*"))


def test_the_same_bytes_are_stored_once(files: Files, take_in: Callable[..., Job], tmp_path: Path) -> None:
    assert take_in().id != take_in().id
    assert list(files.list("media")) == [names.media_name(SHA)]
    assert not list(tmp_path.glob("upload-*"))


def test_nothing_is_queued_where_storage_is_away(ledger: Ledger, take_in: Callable[..., Job], tmp_path: Path) -> None:
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(StorageUnreachable):
        take_in(files=Files(str(tmp_path / "blocked")))
    with ledger.read() as con:
        assert job_store.page(con) == []
    assert list(tmp_path.glob("upload-*"))


def test_a_finished_job_is_thrown_out_with_all_that_is_its_own(
    ledger: Ledger, files: Files, take_in: Callable[..., Job], run_of: Any
) -> None:
    job = take_in()
    run_of(job).whole_way()
    for name in (names.plan_name(SHA, "k"), names.span_name("00aa"), names.results_folder("00aa") + "r.json"):
        files.write(name, b"x")
    intake.throw_out(ledger, files, job.id, actor="cli:me")
    assert list(files.list()) == []


def test_what_a_job_wrote_before_it_was_cancelled_is_thrown_out_too(
    ledger: Ledger, files: Files, take_in: Callable[..., Job]
) -> None:
    job = take_in()
    files.write(names.transcript_name(job.id), b"x")
    for fmt in ExportFormat:
        files.write(names.export_name(job.id, names.transcript_name(job.id), fmt, CueLimits()), b"x")
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    intake.throw_out(ledger, files, job.id, actor="cli:me")
    assert list(files.list()) == []


def test_a_deleted_job_keeps_its_files_until_its_time_is_over(
    ledger: Ledger, files: Files, take_in: Callable[..., Job], run_of: Any
) -> None:
    job = take_in()
    run_of(job).whole_way()
    intake.delete(ledger, files, job.id, actor="cli:me")
    assert b'"deleted_at":null' not in files.read(names.job_manifest_name(job.id))
    assert intake.purge_deleted(ledger, files, before=utc_now() - timedelta(days=1)) == 0
    assert files.exists(names.media_name(SHA))
    assert intake.purge_deleted(ledger, files, before=utc_now() + timedelta(seconds=1)) == 1
    assert list(files.list()) == []


def test_a_restored_job_is_described_as_it_was(ledger: Ledger, files: Files, take_in: Callable[..., Job]) -> None:
    job = take_in()
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    intake.delete(ledger, files, job.id, actor="cli:me")
    intake.restore(ledger, files, job.id, actor="cli:me")
    assert b'"deleted_at":null' in files.read(names.job_manifest_name(job.id))
    assert intake.purge_deleted(ledger, files, before=utc_now() + timedelta(seconds=1)) == 0


def test_a_running_job_is_not_thrown_out(ledger: Ledger, files: Files, take_in: Callable[..., Job]) -> None:
    job = take_in()
    with pytest.raises(JobMoved):
        intake.throw_out(ledger, files, job.id, actor="cli:me")
    assert files.exists(names.media_name(SHA))


def test_throwing_out_never_takes_the_bytes_of_a_job_coming_in(
    ledger: Ledger, files: Files, take_in: Callable[..., Job]
) -> None:
    failures: list[str] = []

    def come_and_go() -> None:
        for _ in range(8):
            job = take_in()
            if not files.exists(names.media_name(SHA)):
                failures.append(job.id)
            ledger.run(job_store.cancel, job.id, actor="cli:me")
            intake.throw_out(ledger, files, job.id, actor="cli:me")

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert list(files.list()) == []


def test_throwing_out_never_takes_stored_bytes_that_become_another_job(
    ledger: Ledger, files: Files, take_in: Callable[..., Job], ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, exists = take_in(), files.exists
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    thrown_out = threading.Thread(target=intake.throw_out, args=(ledger, files, job.id), kwargs={"actor": "cli:me"})

    def looked_at(name: str) -> bool:
        found = exists(name)
        if thrown_out.ident is None:
            thrown_out.start()
            thrown_out.join(0.2)
        return found

    monkeypatch.setattr(files, "exists", looked_at)
    told: dict[str, Any] = {"owner_id": ann.id, "name": "again.wav", "options": Options(), "lane": Lane.INTERACTIVE}
    intake.take_stored(ledger, files, sha256=SHA, size_bytes=len(SOUND), actor="cli:me", **told)
    thrown_out.join()
    assert exists(names.media_name(SHA))


def test_a_key_used_for_other_bytes_is_refused_and_they_are_not_stored(
    files: Files, take_in: Callable[..., Job], make_job: Any
) -> None:
    make_job(idempotency_key="k", content="other")
    with pytest.raises(BadRequest, match="idempotency_key"):
        take_in(idempotency_key="k")
    assert list(files.list()) == []


def test_a_job_in_hand_is_begun_at_once_and_asked_for_twice_stays_as_it_is(
    ledger: Ledger, take_in: Callable[..., Job], run_of: Any
) -> None:
    job = take_in(in_hand=True, idempotency_key="k")
    assert job.state is JobState.INGESTING
    with ledger.read() as con:
        assert queue_order.next_queued(con, 5) == []
    done = run_of(job).whole_way()
    assert take_in(in_hand=True, idempotency_key="k") == done


class SlowFiles(Files):
    """Storage that takes its time, so that two who come at once meet."""

    def put(self, name: str, local_path: Path, *, move: bool = False) -> None:
        time.sleep(0.2)
        super().put(name, local_path, move=move)


def test_one_key_for_two_recordings_at_the_same_moment_leaves_no_orphan(
    ledger: Ledger, ann: User, tmp_path: Path
) -> None:
    files = SlowFiles(str(tmp_path / "store"))
    refused: list[str] = []

    def send(sound: bytes) -> None:
        path = tmp_path / f"upload-{threading.get_ident()}"
        path.write_bytes(sound)
        asked: dict[str, Any] = {"owner_id": ann.id, "name": "talk.wav", "options": Options(), "actor": "user:ann"}
        sha256 = hashlib.sha256(sound).hexdigest()
        try:
            intake.take_in(ledger, files, path, sha256=sha256, lane=Lane.BATCH, idempotency_key="k", **asked)
        except BadRequest as error:
            refused.append(str(error))

    threads = [threading.Thread(target=send, args=(bytes([number]) * 100,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    with ledger.read() as con:
        (job,) = job_store.page(con)
    assert list(files.list("media")) == [names.media_name(job.media_sha256)]


def test_texts_so_far_go_when_their_jobs_have_ended_or_are_gone(ledger: Ledger, files: Files, make_job: Any) -> None:
    waiting, cancelled = make_job(), make_job(content="other")
    ledger.run(job_store.cancel, cancelled.id, actor="cli:me")
    for job_id in (waiting.id, cancelled.id, "nobody"):
        files.write(names.partial_name(job_id, 1, 0), b"{}")
    assert intake.drop_partials(ledger, files) == 2
    assert list(files.list("partial")) == [names.partial_name(waiting.id, 1, 0)]
