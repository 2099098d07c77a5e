"""Reports: applied once, only for the current attempt, only forwards."""

import dataclasses
import threading
from typing import Any

import pytest

from storage.domain import names
from storage.domain.errors import BadRequest, NotFound, NotStored, StaleAttempt
from storage.domain.interruptions import RunMissing
from storage.domain.records import Job, JobState, Span, from_json, to_json
from storage.files.file_store import Files
from storage.jobs import job_store, reports
from storage.jobs.reports import (
    Advanced,
    Completed,
    Cut,
    Exporting,
    Failed,
    Noted,
    Planned,
    Readable,
    SpanHeard,
    Started,
)
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.transcripts import transcript_files, transcript_store
from tests.factories import SPANS, DirectReporter


def current(ledger: Ledger, job: Job) -> Job:
    with ledger.read() as con:
        return job_store.get(con, job.id)


def audit_count(ledger: Ledger) -> int:
    with ledger.read() as con:
        return audit.head(con)[0]


def advance(reporter: DirectReporter, job: Job, index: int, done_s: float) -> float:
    report = Advanced(job_id=job.id, attempt=job.attempt, worker="gpu-1", index=index, done_s=done_s)
    return reporter.send(report).done_s


def test_a_job_goes_its_whole_way(ledger: Ledger, make_job: Any, run_of: Any, transcript_of: Any) -> None:
    run = run_of(make_job())
    assert run.start().state is JobState.INGESTING
    planned = run.plan()
    assert (planned.state, planned.duration_s, planned.speech_s) == (JobState.TRANSCRIBING, 20, 10)
    assert run.hear(0).done_s == 6
    assert run.hear(1, given_up=("float16",)).done_s == 10
    assert run.export().state is JobState.EXPORTING
    done = run.complete()
    assert (done.state, done.progress, done.language) == (JobState.COMPLETED, 1, "en")
    assert done.given_up == ("float16", "batch size 8")
    assert done.started_at
    assert done.finished_at
    with ledger.read() as con:
        assert transcript_store.get(con, done.id) == transcript_of(done)
        assert job_store.exports_of(con, done.id) == {
            "srt": names.export_name(done.id, names.transcript_name(done.id), "srt", done.options.cues)
        }
        assert [row.result is not None for row in job_store.spans_of(con, done.id)] == [True, True]
        told = [row.action for row in reversed(audit.page(con, subject=done.id))]
        assert audit.verify(con) is None
    assert told == [
        "job.accept",
        "job.start",
        "job.plan",
        "job.state",
        "span.heard",
        "span.heard",
        "job.state",
        "job.complete",
    ]


def test_the_same_report_twice_changes_nothing_and_gets_the_same_answer(
    ledger: Ledger, make_job: Any, reporter: DirectReporter, run_of: Any
) -> None:
    job = make_job()
    run_of(job).start()
    run_of(job).plan()
    report = SpanHeard(job_id=job.id, attempt=1, worker="w", index=0, result="results/r", engine_s=1)
    first = reporter.send(report)
    run_of(job).hear(1)
    before = audit_count(ledger)
    assert reporter.send(report) == first
    assert audit_count(ledger) == before


def test_the_same_report_from_many_threads_is_applied_once(
    ledger: Ledger, make_job: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    report = Started(job_id=job.id, attempt=1, worker="w", flow_run_id="run-1")
    answers: list[Job] = []
    threads = [threading.Thread(target=lambda: answers.append(reporter.send(report))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert len({to_json(answer) for answer in answers}) == 1
    with ledger.read() as con:
        assert len(audit.page(con, action="job.start")) == 1


def test_an_answer_is_still_there_when_the_job_has_gone_on(make_job: Any, reporter: DirectReporter) -> None:
    job = make_job()
    report = Failed(job_id=job.id, attempt=1, worker="w", error="no sound in it", code="no_audio_track")
    failed = reporter.send(report)
    assert reporter.send(report) == failed


def test_a_resumed_run_may_say_everything_again(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    run = run_of(make_job())
    run.start()
    run.plan()
    run.hear(0)
    run.hear(1)
    before = run.export()
    count = audit_count(ledger)
    for again in (run.start(), run.plan(), run.hear(0), run.hear(1), run.export()):
        assert (again.state, again.done_s, again.version) == (JobState.EXPORTING, 10, before.version)
    assert audit_count(ledger) == count


def test_a_run_that_returns_after_completion_is_refused(make_job: Any, run_of: Any) -> None:
    run = run_of(make_job())
    done = run.whole_way()
    assert run.start() == done
    assert run.complete() == done


@pytest.mark.parametrize("end", ["cancel", "requeue", "retry", "fail"])
def test_reports_on_an_attempt_that_is_over_are_stale(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter, end: str
) -> None:
    job = make_job()
    run = run_of(job)
    run.start()
    run.plan()
    run.files.write(names.transcript_name(job.id), b"{}")
    if end == "requeue":
        ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    elif end == "fail":
        reporter.send(Failed(job_id=job.id, attempt=1, worker="w", error="x", code="y"))
    else:
        ledger.run(job_store.cancel, job.id, actor="cli:me")
    if end == "retry":
        ledger.run(job_store.retry, job.id, actor="cli:me")
    before, count = current(ledger, job), audit_count(ledger)
    common: dict[str, Any] = {"job_id": job.id, "attempt": 1, "worker": "w"}
    late: list[reports.Report] = [
        Started(**common),
        Advanced(**common, index=0, done_s=3),
        SpanHeard(**common, index=0, result="r", engine_s=1),
        Noted(**common, detail="late"),
        Exporting(**common),
    ]
    for report in late:
        with pytest.raises(StaleAttempt, match="attempt 1"):
            reporter.send(report)
    assert (current(ledger, job), audit_count(ledger)) == (before, count)


def test_a_late_failure_of_an_old_attempt_does_not_fail_the_new_one(
    ledger: Ledger, make_job: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    with pytest.raises(StaleAttempt):
        reporter.send(Failed(job_id=job.id, attempt=1, worker="w", error="x", code="y"))
    assert current(ledger, job).state is JobState.QUEUED


def test_a_second_failure_of_the_same_attempt_keeps_the_first_error(make_job: Any, reporter: DirectReporter) -> None:
    job = make_job()
    reporter.send(Failed(job_id=job.id, attempt=1, worker="w", error="first", code="y"))
    again = reporter.send(Failed(job_id=job.id, attempt=1, worker="w", error="second", code="y"))
    assert again.error == "first"


def test_a_failed_job_says_what_happened_and_keeps_its_source(
    ledger: Ledger, make_job: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    failed = reporter.send(Failed(job_id=job.id, attempt=1, worker="w", error="no sound; add some", code="no_audio"))
    assert (failed.state, failed.error, failed.error_code) == (JobState.FAILED, "no sound; add some", "no_audio")
    assert failed.media_sha256 == job.media_sha256


def test_reports_on_an_unknown_job_are_not_found(reporter: DirectReporter) -> None:
    with pytest.raises(NotFound):
        reporter.send(Started(job_id="nothing", attempt=1, worker="w"))


def test_live_progress_adds_up_and_never_goes_back(make_job: Any, run_of: Any, reporter: DirectReporter) -> None:
    job = make_job()
    run_of(job).start()
    run_of(job).plan()
    assert advance(reporter, job, 0, 2.5) == 2.5
    assert advance(reporter, job, 1, 1.0) == 3.5
    assert advance(reporter, job, 0, 1.0) == 3.5
    assert advance(reporter, job, 0, 99.0) == 7.0
    assert advance(reporter, job, 0, -5.0) == 7.0
    assert run_of(job).hear(1).done_s == 10.0
    assert advance(reporter, job, 1, 2.0) == 10.0
    assert advance(reporter, job, 77, 2.0) == 10.0


def test_progress_is_never_above_the_speech_there_is(make_job: Any, run_of: Any, reporter: DirectReporter) -> None:
    job = make_job()
    run = run_of(job)
    run.start()
    run.plan(tuple(Span(index=i, start_s=i * 10, end_s=i * 10 + 10, samples_sha256=f"{i}{i}") for i in range(2)))
    assert advance(reporter, job, 0, 9.0) == 9.0
    assert advance(reporter, job, 1, 9.0) == 10.0


def test_live_progress_writes_no_audit_row(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    run_of(job).start()
    run_of(job).plan()
    before = audit_count(ledger)
    advance(reporter, job, 0, 2.5)
    assert audit_count(ledger) == before


def test_finished_spans_survive_a_crash_and_progress_goes_on(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    submitted = {"flow_run_id": "run-1", "model": "tiny", "fingerprint": "f00d", "actor": "system:dispatcher"}
    ledger.run(job_store.submitted, job.id, attempt=1, **submitted)
    run_of(job).start()
    run_of(job).plan()
    run_of(job).hear(0)
    again = ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    ledger.run(job_store.submitted, job.id, attempt=2, **submitted)
    second = run_of(again)
    second.start()
    assert second.plan().done_s == 6
    assert second.hear(0, reused=True).done_s == 6
    assert second.hear(1).done_s == 10


def test_another_model_starts_over(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    job = make_job()
    run = {"flow_run_id": "run-1", "actor": "system:dispatcher"}
    ledger.run(job_store.submitted, job.id, attempt=1, model="tiny", fingerprint="f00d", **run)
    run_of(job).start()
    run_of(job).plan()
    run_of(job).hear(0)
    again = ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing())
    after = ledger.run(job_store.submitted, again.id, attempt=2, model="small", fingerprint="cafe", **run)
    assert after.done_s == 0
    with ledger.read() as con:
        assert [row.result for row in job_store.spans_of(con, job.id)] == [None, None]


def test_a_plan_that_cuts_otherwise_replaces_the_spans(
    ledger: Ledger, make_job: Any, run_of: Any, spans: tuple[Span, ...]
) -> None:
    run = run_of(make_job())
    run.start()
    run.plan()
    run.hear(0)
    other = dataclasses.replace(spans[0], samples_sha256="ffff")
    run.plan((other,))
    with ledger.read() as con:
        assert [(row.samples_sha256, row.result) for row in job_store.spans_of(con, run.job.id)] == [("ffff", None)]


def cut(job: Job, *spans: Span, read_s: float, duration_s: float | None = 20.0) -> Cut:
    return Cut(job_id=job.id, attempt=job.attempt, worker="w", spans=spans, read_s=read_s, duration_s=duration_s)


def test_a_span_is_transcribed_while_the_rest_is_being_read(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter, spans: tuple[Span, ...]
) -> None:
    job = make_job()
    run = run_of(job)
    run.start()
    first = reporter.send(cut(job, spans[0], read_s=10.0))
    assert (first.state, first.duration_s, first.speech_s, first.read_s) == (JobState.TRANSCRIBING, 20.0, 6.0, 10.0)
    assert run.hear(0).progress == 0.5  # half of the recording has been read, and all of that heard
    second = reporter.send(cut(job, spans[1], read_s=20.0))
    assert (second.speech_s, second.progress) == (10.0, 0.6)
    planned = run.plan()
    assert (planned.read_s, planned.done_s, planned.progress) == (None, 6.0, 0.6)
    with ledger.read() as con:
        assert [row.result is not None for row in job_store.spans_of(con, job.id)] == [True, False]


def test_spans_that_are_reported_again_keep_their_results(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter, spans: tuple[Span, ...]
) -> None:
    job = make_job()
    run_of(job).start()
    report = cut(job, *spans, read_s=20.0)
    reporter.send(report)
    heard, count = run_of(job).hear(0), audit_count(ledger)
    for again in (report, cut(job, *spans, read_s=20.0)):
        assert reporter.send(again).version == heard.version
    assert audit_count(ledger) == count
    other = dataclasses.replace(spans[0], samples_sha256="ffff")
    reporter.send(cut(job, other, read_s=20.0))
    with ledger.read() as con:
        assert [(row.samples_sha256, row.result) for row in job_store.spans_of(con, job.id)] == [
            ("ffff", None),
            ("11bb", None),
        ]


def test_progress_is_not_guessed_where_no_header_says_how_long_the_recording_is(
    make_job: Any, run_of: Any, reporter: DirectReporter, spans: tuple[Span, ...]
) -> None:
    job = make_job()
    run_of(job).start()
    reporter.send(cut(job, spans[0], read_s=10.0, duration_s=None))
    heard = run_of(job).hear(0)
    assert (heard.done_s, heard.expected_speech_s, heard.progress) == (6.0, None, 0.0)
    assert run_of(job).plan().progress == 0.6


def test_parts_of_the_text_so_far_are_counted_and_gone_when_the_job_has_ended(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    files.write(names.partial_name(job.id, 1, 0), b"{}")
    run_of(job).start()
    run_of(job).plan()
    count = audit_count(ledger)
    two, one = (Readable(job_id=job.id, attempt=1, worker="w", parts=parts) for parts in (2, 1))
    assert [reporter.send(each).parts for each in (two, two, one)] == [2, 2, 2]
    assert audit_count(ledger) == count
    failed = reporter.send(Failed(job_id=job.id, attempt=1, worker="w", error="e", code="c"))
    assert failed.parts == 0
    assert not list(files.list(names.partial_folder(job.id)))


def test_another_attempt_has_no_text_yet(ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter) -> None:
    job = make_job()
    run_of(job).start()
    reporter.send(Readable(job_id=job.id, attempt=1, worker="w", parts=2))
    assert ledger.run(job_store.requeue, job.id, actor="system:reconciler", reason=RunMissing()).parts == 0


def test_a_recording_without_speech_completes(make_job: Any, run_of: Any, reporter: DirectReporter) -> None:
    job = make_job()
    run = run_of(job)
    run.start()
    planned = reporter.send(
        Planned(
            job_id=job.id,
            attempt=1,
            worker="w",
            duration_s=3,
            speech_s=0,
            language=None,
            language_probability=None,
            spans=(),
        )
    )
    assert (planned.progress, planned.done_s) == (0, 0)
    run.export()
    assert run.complete().progress == 1


def test_the_first_timestamp_of_a_file_is_stored_with_its_job(make_job: Any, run_of: Any) -> None:
    run = run_of(make_job())
    assert run.start().media_start_s == 0.0
    run.media_start_s = 4.999
    assert run.plan().media_start_s == 4.999


def test_a_span_that_was_never_planned_is_not_found(make_job: Any, run_of: Any) -> None:
    run = run_of(make_job())
    run.start()
    with pytest.raises(NotFound, match="span"):
        run.hear(0)


def test_a_note_is_cleared_when_the_job_goes_on(make_job: Any, run_of: Any, reporter: DirectReporter) -> None:
    job = make_job()
    note = Noted(job_id=job.id, attempt=1, worker="w", detail="downloading model small: 43%")
    assert reporter.send(note).detail.endswith("43%")
    assert run_of(job).start().detail == ""


def test_completion_without_a_stored_transcript_changes_nothing(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter
) -> None:
    job = make_job()
    run_of(job).start()
    report = Completed(job_id=job.id, attempt=1, worker="w", transcript=names.transcript_name(job.id), exports={})
    with pytest.raises(NotStored):
        reporter.send(report)
    assert current(ledger, job).state is JobState.INGESTING


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_completion_with_a_broken_transcript_changes_nothing(
    ledger: Ledger, files: Files, make_job: Any, reporter: DirectReporter, content: bytes
) -> None:
    job = make_job()
    files.write("transcripts/x.json", content)
    with pytest.raises(BadRequest, match="transcript"):
        reporter.send(Completed(job_id=job.id, attempt=1, worker="w", transcript="transcripts/x.json", exports={}))
    assert current(ledger, job).state is JobState.QUEUED


def test_completion_with_another_jobs_transcript_is_refused(
    files: Files, make_job: Any, reporter: DirectReporter, transcript_of: Any
) -> None:
    job, other = make_job(), make_job()
    files.write("transcripts/x.json", to_json(transcript_of(other)))
    with pytest.raises(BadRequest, match=other.id):
        reporter.send(Completed(job_id=job.id, attempt=1, worker="w", transcript="transcripts/x.json", exports={}))


def test_a_final_state_is_described_on_storage(files: Files, make_job: Any, run_of: Any) -> None:
    job = make_job()
    run_of(job).whole_way()
    assert b'"completed"' in files.read(names.job_manifest_name(job.id))


@pytest.mark.parametrize(
    "report",
    [
        Started(job_id="j", attempt=1, worker="w", flow_run_id="f"),
        Advanced(job_id="j", attempt=1, worker="w", index=3, done_s=1.5),
        SpanHeard(job_id="j", attempt=1, worker="w", index=3, result="r", engine_s=1, given_up=("a",)),
        Failed(job_id="j", attempt=1, worker="w", error="e", code="c"),
        Cut(job_id="j", attempt=1, worker="w", spans=SPANS, read_s=20.0, duration_s=None),
        Readable(job_id="j", attempt=1, worker="w", parts=3),
    ],
)
def test_a_report_survives_the_way_over_http(report: reports.Report) -> None:
    assert reports.read(to_json(report)) == report


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"kind": "nothing"}', b'{"kind": "started"}', b"\xff"])
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="report"):
        reports.read(body)


def test_an_answer_reads_back_as_a_job(make_job: Any) -> None:
    job = make_job()
    assert from_json(Job, to_json(job)) == job


def test_the_end_of_a_clip_brings_what_was_not_reported_before(
    ledger: Ledger, make_job: Any, run_of: Any, reporter: DirectReporter
) -> None:
    run = run_of(job := make_job())
    told: dict[str, Any] = {"job_id": job.id, "attempt": 1, "worker": "w"}
    run.start()
    facts: dict[str, Any] = {"duration_s": 20, "speech_s": 10, "language": "en", "language_probability": None}
    planned = Planned(**told, **facts, spans=SPANS)
    heard = [SpanHeard(**told, index=span.index, result=f"results/{span.index}", engine_s=1) for span in SPANS]
    stored_as = transcript_files.store_first(run.files, run.transcript, attempt=1)
    other = SpanHeard(job_id="another", attempt=1, worker="w", index=0, result="results/0", engine_s=1)
    with pytest.raises(BadRequest):
        reporter.send(Completed(**told, transcript=stored_as, exports={}, earlier=(planned, other)))
    assert current(ledger, job).state is JobState.INGESTING
    report = Completed(**told, transcript=stored_as, exports={}, earlier=(planned, *heard))
    done = reporter.send(report)
    assert (done.state, done.done_s) == (JobState.COMPLETED, 10)
    before = audit_count(ledger)
    assert reporter.send(report) == done
    with ledger.read() as con:
        actions = [row.action for row in reversed(audit.page(con, subject=job.id))]
        assert (audit.verify(con), audit.head(con)[0]) == (None, before)
    assert actions[1:] == ["job.start", "job.plan", "job.state", "span.heard", "span.heard", "job.complete"]


def test_an_attempt_belongs_to_one_flow_run(make_job: Any, reporter: DirectReporter) -> None:
    job = make_job()
    reporter.send(Started(job_id=job.id, attempt=1, worker="w", flow_run_id="run-1"))
    with pytest.raises(StaleAttempt):
        reporter.send(Started(job_id=job.id, attempt=1, worker="w", flow_run_id="run-2"))
