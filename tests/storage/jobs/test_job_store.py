"""Jobs: accepted once, listed, cancelled, retried, failed, deleted."""

from collections.abc import Callable
from typing import Any

import pytest

from storage.domain import names
from storage.domain.errors import BadRequest, JobMoved, NotFound, StaleAttempt
from storage.domain.interruptions import RunEnded, RunMissing, RunPostponed
from storage.domain.job_messages import Diarizing, DownloadingModel, text_of
from storage.domain.records import CueLimits, Job, JobState, Lane, Options, User
from storage.jobs import job_store, queue_order
from storage.ledger import audit
from storage.ledger.database import Ledger

AWAY = RunPostponed(cause="no storage")
DIED = RunEnded(state="crashed", cause="the worker died")


def submit(ledger: Ledger, job: Job, **more: Any) -> Job:
    values: dict[str, Any] = {"attempt": job.attempt, "flow_run_id": "run-1", "model": "tiny", "fingerprint": "f00d"}
    return ledger.run(job_store.submitted, job.id, actor="system:dispatcher", **(values | more))


def get(ledger: Ledger, job: Job) -> Job:
    with ledger.read() as con:
        return job_store.get(con, job.id)


def actions(ledger: Ledger, job: Job) -> list[str]:
    with ledger.read() as con:
        return [row.action for row in audit.page(con, subject=job.id)]


def test_waiting_for_better_times_is_no_crash(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    for attempt in range(2, 8):
        again = ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=AWAY, crashed=False)
        assert (again.state, again.attempt) == (JobState.QUEUED, attempt)
        assert text_of(again.detail) == "again: no storage"


def test_a_job_comes_back_as_it_was_accepted(ledger: Ledger, make_job: Any) -> None:
    options = Options(language="de", prompt='"; DROP TABLE jobs; --', cues=CueLimits(max_line_width=20))
    job = make_job(options=options, name="Größe 😀.wav", lane=Lane.BATCH)
    assert get(ledger, job) == job
    assert (job.state, job.attempt, job.version, job.options) == (JobState.QUEUED, 1, 1, options)
    assert actions(ledger, job) == ["job.accept"]


def test_an_idempotency_key_gives_the_same_job_again(ledger: Ledger, make_job: Any) -> None:
    job = make_job(idempotency_key="k")
    assert make_job(idempotency_key="k", name="other").id == job.id
    assert actions(ledger, job) == ["job.accept"]


def test_an_idempotency_key_is_its_owners_alone(make_job: Any, make_user: Callable[[str], User]) -> None:
    assert make_job(idempotency_key="k").id != make_job(make_user("Bob"), idempotency_key="k").id


def test_an_idempotency_key_for_other_bytes_is_refused(make_job: Any) -> None:
    make_job(idempotency_key="k", content="one")
    with pytest.raises(BadRequest, match="idempotency_key"):
        make_job(idempotency_key="k", content="two")


def test_an_unknown_job_is_not_found(ledger: Ledger) -> None:
    for call in (job_store.cancel, job_store.retry, job_store.delete):
        with pytest.raises(NotFound):
            ledger.run(call, "nothing", actor="cli:me")


def test_pages_go_by_keyset_and_can_be_narrowed(
    ledger: Ledger, make_job: Any, make_user: Callable[[str], User]
) -> None:
    mine = [make_job() for _ in range(5)]
    theirs = make_job(make_user("Bob"))
    ledger.run(job_store.cancel, mine[0].id, actor="cli:me")
    with ledger.read() as con:
        first = job_store.page(con, owner_id=mine[0].owner_id, limit=2)
        second = job_store.page(con, owner_id=mine[0].owner_id, before=first[-1].id, limit=10)
        assert [job.id for job in first + second] == [job.id for job in reversed(mine)]
        assert [job.id for job in job_store.page(con, limit=1)] == [theirs.id]
        assert [job.id for job in job_store.page(con, state=JobState.CANCELLED)] == [mine[0].id]
        assert len(job_store.page(con, state=[JobState.CANCELLED, JobState.QUEUED])) == 6
        assert job_store.page(con, state=[]) == []


def test_counts_name_every_state(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    with ledger.read() as con:
        assert job_store.counts(con)[JobState.QUEUED] == 1
        assert job_store.counts(con, job.owner_id)[JobState.FAILED] == 0
        assert sum(job_store.counts(con, "somebody").values()) == 0


def test_submitting_notes_the_run_and_the_model_once(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    after = submit(ledger, job)
    assert (after.state, after.flow_run_id, after.model) == (JobState.QUEUED, "run-1", "tiny")
    assert submit(ledger, job).version == after.version
    assert actions(ledger, job) == ["job.submit", "job.accept"]


def test_what_is_submitted_is_unfinished_and_not_queued_any_more(ledger: Ledger, make_job: Any) -> None:
    waiting, handed = make_job(), make_job()
    submit(ledger, handed)
    with ledger.read() as con:
        assert [job.id for job in queue_order.next_queued(con, 10)] == [waiting.id]
        assert [job.id for job in job_store.unfinished(con)] == [handed.id]


def test_submitting_a_cancelled_job_is_stale(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    with pytest.raises(StaleAttempt):
        submit(ledger, job)


def test_submitting_an_older_attempt_is_stale(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    with pytest.raises(StaleAttempt):
        submit(ledger, job)


def test_cancelling_twice_is_one_change(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    assert ledger.run(job_store.cancel, job.id, actor="cli:me").state is JobState.CANCELLED
    assert ledger.run(job_store.cancel, job.id, actor="cli:me").finished_at is not None
    assert actions(ledger, job) == ["job.cancel", "job.accept"]


def test_a_completed_job_cannot_be_cancelled_or_retried(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    job = make_job()
    run_of(job).whole_way()
    for call in (job_store.cancel, job_store.retry):
        with pytest.raises(JobMoved, match="completed"):
            ledger.run(call, job.id, actor="cli:me")


def test_a_retry_is_a_new_attempt_in_the_queue(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    submit(ledger, job)
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    again = ledger.run(job_store.retry, job.id, actor="cli:me")
    assert (again.state, again.attempt, again.flow_run_id) == (JobState.QUEUED, 2, None)
    assert (again.error, again.finished_at, again.media_sha256) == (None, None, job.media_sha256)


def test_a_queued_job_cannot_be_retried(ledger: Ledger, make_job: Any) -> None:
    with pytest.raises(JobMoved, match="retried"):
        ledger.run(job_store.retry, make_job().id, actor="cli:me")


def test_the_third_crash_fails_the_job_and_says_what_to_do(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    for attempt in (2, 3):
        again = ledger.run(
            job_store.requeue,
            job.id,
            actor="system:reconciler",
            reason=DIED,
        )
        assert (again.state, again.attempt) == (JobState.QUEUED, attempt)
    last = ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=DIED)
    assert (last.state, last.attempt, last.error_code) == (JobState.FAILED, 3, "crashed_too_often")
    assert "the worker died" in text_of(last.error)
    assert "retry" in text_of(last.error)
    with ledger.read() as con:
        (failed, *_) = audit.page(con, subject=job.id)
    assert failed.detail["error"]["last"]["cause"] == "the worker died"


def test_a_retry_by_hand_allows_three_more_crashes(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    for _ in range(3):
        ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    ledger.run(job_store.retry, job.id, actor="cli:me")
    again = ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    assert (again.state, again.attempt) == (JobState.QUEUED, 5)


def test_a_finished_job_is_not_queued_again_by_the_reconciler(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    with pytest.raises(JobMoved):
        ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())


def test_a_note_is_shown_while_the_job_goes_on_and_not_after(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    noted = ledger.run(job_store.note, job, DownloadingModel(model="small", share=0.43))
    assert noted == get(ledger, job)
    assert (text_of(noted.detail), noted.version) == ("downloading model small: 43%", 2)
    assert ledger.run(job_store.note, job, Diarizing()) is None
    cancelled = ledger.run(job_store.cancel, job.id, actor="cli:me")
    assert ledger.run(job_store.note, cancelled, Diarizing()) is None
    assert text_of(get(ledger, job).detail) == "cancelled"
    assert actions(ledger, job) == ["job.cancel", "job.accept"]


def test_a_running_job_cannot_be_deleted_or_purged(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    with pytest.raises(JobMoved, match="deleted"):
        ledger.run(job_store.delete, job.id, actor="cli:me")
    with pytest.raises(JobMoved, match="deleted permanently"):
        ledger.run(job_store.purge, job.id, actor="cli:me")


def test_a_deleted_job_is_out_of_sight_until_it_is_restored(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    job, other = make_job(idempotency_key="k"), make_job()
    run_of(job).whole_way()
    ledger.run(job_store.delete, job.id, actor="cli:me")
    with ledger.read() as con:
        assert [one.id for one in job_store.page(con)] == [other.id]
        assert sum(job_store.counts(con).values()) == 1
        assert [one.id for one in job_store.deleted(con, owner_id=job.owner_id)] == [job.id]
        assert job_store.deleted(con, owner_id="somebody else") == []
    assert make_job(idempotency_key="k").id != job.id
    ledger.run(job_store.delete, job.id, actor="cli:me")
    ledger.run(job_store.restore, job.id, actor="cli:me")
    assert get(ledger, job).deleted_at is None
    assert actions(ledger, job)[:2] == ["job.restore", "job.delete"]
    with ledger.read() as con:
        assert job.id in [one.id for one in job_store.page(con)]
        assert job_store.deleted(con) == []


def test_a_deleted_job_is_not_tried_again(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(job_store.cancel, job.id, actor="cli:me")
    ledger.run(job_store.delete, job.id, actor="cli:me")
    with pytest.raises(JobMoved, match="is deleted"):
        ledger.run(job_store.retry, job.id, actor="cli:me")


def test_a_purged_job_leaves_nothing_but_its_audit(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    job = make_job(idempotency_key="k")
    run_of(job).whole_way()
    ledger.run(job_store.purge, job.id, actor="cli:me")
    with ledger.read() as con:
        for table in ("jobs", "spans", "transcripts", "segments", "exports", "answers", "job_keys"):
            assert con.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]  # noqa: S608
    assert actions(ledger, job)[0] == "job.purge"
    assert make_job(idempotency_key="k").id != job.id


def test_all_that_only_a_purged_job_used_may_go(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    job = make_job()
    run_of(job).whole_way()
    free = ledger.run(job_store.purge, job.id, actor="cli:me")
    assert set(free) == {
        names.job_manifest_name(job.id),
        names.transcript_name(job.id),
        names.later_transcript_name(job.id, 1),
        names.proposals_folder(job.id),
        names.version_name(job.id, 2),  # an edit that was cut off
        names.peaks_folder(job.media_sha256),
        names.exports_folder(job.id),
        names.partial_folder(job.id),
        names.summaries_folder(job.id),
        names.alignments_folder(job.id),
        names.plans_folder(job.media_sha256),
        names.span_name("00aa"),
        names.results_folder("00aa"),
        names.span_name("11bb"),
        names.results_folder("11bb"),
        names.media_name(job.media_sha256),
    }
    assert free.index(names.plans_folder(job.media_sha256)) < free.index(names.span_name("00aa"))


def test_media_that_another_job_uses_stays(
    ledger: Ledger, make_job: Any, run_of: Any, make_user: Callable[[str], User]
) -> None:
    job, other = make_job(), make_job(make_user("Bob"))
    run_of(job).whole_way()
    free = ledger.run(job_store.purge, job.id, actor="cli:me")
    assert names.media_name(job.media_sha256) not in free
    assert not [name for name in free if name.startswith(("plans", "spans", "results"))]
    ledger.run(job_store.cancel, other.id, actor="cli:me")
    assert names.media_name(job.media_sha256) in ledger.run(job_store.purge, other.id, actor="cli:me")


def test_spans_that_another_recording_shares_stay(
    ledger: Ledger, make_job: Any, run_of: Any, spans: tuple[Any, ...]
) -> None:
    job, other = make_job(content="one"), make_job(content="two")
    run_of(job).whole_way()
    run_of(other).start()
    run_of(other).plan(spans[:1])
    free = ledger.run(job_store.purge, job.id, actor="cli:me")
    assert names.span_name("00aa") not in free
    assert names.results_folder("00aa") not in free
    assert {names.span_name("11bb"), names.media_name(job.media_sha256)} <= set(free)
