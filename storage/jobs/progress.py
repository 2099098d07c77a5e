"""Apply workers' reports to a job; each step only moves it forwards."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from duckdb import DuckDBPyConnection

from storage.accounts import api_key_usage, quotas
from storage.domain.clock import utc_now
from storage.domain.errors import NotFound, StaleAttempt
from storage.domain.job_messages import for_audit
from storage.domain.records import Job, JobState, Span, Transcript
from storage.jobs import job_rows
from storage.jobs.job_rows import JobUpdate
from storage.transcripts import transcript_store

ORDER = (JobState.QUEUED, JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING)


def started(change: JobUpdate, *, flow_run_id: str | None) -> None:
    """Start the job; a resumed run that repeats this changes nothing.

    Raises:
        StaleAttempt: another flow run has this attempt.
    """
    job = change.job
    if flow_run_id and job.flow_run_id not in {None, flow_run_id}:
        raise StaleAttempt(job.id, job.attempt)
    change.set(flow_run_id=job.flow_run_id or flow_run_id)
    _forward(change, JobState.INGESTING, action="job.start", detail={"flow_run": flow_run_id})


HAVE_SPANS = "SELECT idx, start_s, end_s, speech_s, samples_sha256 FROM spans WHERE job_id = $id ORDER BY idx"
FORGET_SPANS = """
DELETE FROM spans WHERE job_id = $id AND idx IN (SELECT unnest($indexes::INTEGER[]))
"""
SPEECH = "SELECT sum(speech_s) FROM spans WHERE job_id = $id"


def cut(change: JobUpdate, *, spans: Sequence[Span], read_s: float, duration_s: float | None) -> None:
    """Add spans that were cut while the rest is being read."""
    con, job = change.con, change.job
    known = {row[0]: row for row in con.execute(HAVE_SPANS, {"id": job.id}).fetchall()}
    if fresh := [row for span in spans if (row := _row(span)) != known.get(span.index)]:
        con.execute(FORGET_SPANS, {"id": job.id, "indexes": [row[0] for row in fresh]})
        _add_spans(con, job, fresh)
        speech_s = con.execute(SPEECH, {"id": job.id}).fetchall()[0][0]
        length_s = job.duration_s if duration_s is None else duration_s
        change.set(speech_s=speech_s, read_s=max(job.read_s or 0.0, read_s), duration_s=length_s)
    _forward(change, JobState.TRANSCRIBING)


DROP_SPANS = "DELETE FROM spans WHERE job_id = $id"
ADD_SPANS = """
INSERT INTO spans (job_id, idx, start_s, end_s, speech_s, samples_sha256)
SELECT $id, span.idx, span.start_s, span.end_s, span.speech_s, span.samples_sha256 FROM (
    SELECT unnest(from_json($spans::JSON, '[{"idx": "INTEGER", "start_s": "DOUBLE", "end_s": "DOUBLE",
        "speech_s": "DOUBLE", "samples_sha256": "VARCHAR"}]')) AS span)
"""


def planned(
    change: JobUpdate,
    *,
    duration_s: float,
    speech_s: float,
    language: str | None,
    language_probability: float | None,
    spans: Sequence[Span],
    media_start_s: float = 0.0,
) -> None:
    """Record the complete plan of the recording; unchanged spans keep their results."""
    con, job = change.con, change.job
    rows = [_row(span) for span in spans]
    have = con.execute(HAVE_SPANS, {"id": job.id}).fetchall()
    if have and have != rows:
        con.execute(DROP_SPANS, {"id": job.id})
    if have != rows:
        _add_spans(con, job, rows)
    told = {
        "duration_s": duration_s,
        "speech_s": speech_s,
        "language": language,
        "language_probability": language_probability,
        "media_start_s": media_start_s,
    }
    known = (job.duration_s, job.speech_s, job.media_start_s, job.read_s) == (duration_s, speech_s, media_start_s, None)
    if have != rows or not known or language not in {None, job.language}:
        change.set(duration_s=duration_s, speech_s=speech_s, media_start_s=media_start_s, read_s=None, detail="")
        change.set(language=language or job.language, done_s=min(job.done_s, speech_s))
        if language_probability is not None:
            change.set_columns(language_probability=language_probability)
        change.tell("job.plan", {"spans": len(rows), **told})
    _forward(change, JobState.TRANSCRIBING)


def _row(span: Span) -> tuple[int, float, float, float, str]:
    return span.index, span.start_s, span.end_s, _speech_of(span), span.samples_sha256


def _add_spans(con: DuckDBPyConnection, job: Job, rows: Sequence[tuple[int, float, float, float, str]]) -> None:
    if rows:
        names = ("idx", "start_s", "end_s", "speech_s", "samples_sha256")
        spans = json.dumps([dict(zip(names, row, strict=True)) for row in rows])
        con.execute(ADD_SPANS, {"id": job.id, "spans": spans})


LIVE = """
UPDATE spans SET live_s = greatest(live_s, least(speech_s, $done_s))
WHERE job_id = $id AND idx = $idx AND result IS NULL
"""
DONE = "SELECT coalesce(sum(if(result IS NULL, live_s, speech_s)), 0) FROM spans WHERE job_id = $id"


def advanced(change: JobUpdate, *, index: int, done_s: float) -> None:
    """Record how many seconds of a span's speech are done; it never decreases."""
    con, job_id = change.con, change.job.id
    con.execute(LIVE, {"id": job_id, "idx": index, "done_s": max(0.0, done_s)})
    _count_done(change, con.execute(DONE, {"id": job_id}).fetchall()[0][0])


SPAN = """
SELECT count(*) FILTER (WHERE idx = $idx), any_value(result) FILTER (WHERE idx = $idx),
    sum(if(result IS NULL AND idx <> $idx, live_s, speech_s))
FROM spans WHERE job_id = $id
"""
"""Whether it is there, its result, and the seconds that are done with it."""
HEARD = """
UPDATE spans SET result = $result, worker = $worker, engine_s = $engine_s, reused = $reused
WHERE job_id = $id AND idx = $idx
"""


def span_heard(
    change: JobUpdate,
    *,
    index: int,
    result: str,
    worker: str,
    engine_s: float,
    reused: bool,
    given_up: Sequence[str],
) -> None:
    """Record that a span's result is on storage; the same result again changes nothing.

    Raises:
        NotFound: the job has no such span.
    """
    con, job = change.con, change.job
    is_there, known, done_s = con.execute(SPAN, {"id": job.id, "idx": index}).fetchall()[0]
    if not is_there:
        raise NotFound("span", f"{index} of job {job.id}")
    if known == result:
        return
    _forward(change, JobState.TRANSCRIBING)
    heard = {"result": result, "worker": worker, "engine_s": engine_s, "reused": reused}
    con.execute(HEARD, {"id": job.id, "idx": index, **heard})
    _give_up(change, given_up)
    _count_done(change, done_s)
    detail: dict[str, Any] = {"span": index, **heard} | (
        {"given_up": [for_audit(note) for note in given_up]} if given_up else {}
    )
    change.tell("span.heard", detail)


def readable(change: JobUpdate, *, parts: int) -> None:
    """Record how many parts of the text so far are readable; it never decreases."""
    change.set(parts=max(change.job.parts, parts))


def exporting(change: JobUpdate) -> None:
    """Move the job to `exporting`: all spans are transcribed, and files are being written."""
    _forward(change, JobState.EXPORTING)


DROP_EXPORTS = "DELETE FROM exports WHERE job_id = $id"
ADD_EXPORTS = """
INSERT INTO exports (job_id, format, name) SELECT $id, unnest($formats::VARCHAR[]), unnest($names::VARCHAR[])
"""


def completed(change: JobUpdate, *, transcript: Transcript, stored_as: str, exports: Mapping[str, str]) -> None:
    """Store the transcript and the names of its exports, and complete the job."""
    con, job = change.con, change.job
    if transcript_store.keep(con, job.id, transcript, stored_as=stored_as):
        con.execute(DROP_EXPORTS, {"id": job.id})
    if exports:
        formats = sorted(exports)
        con.execute(ADD_EXPORTS, {"id": job.id, "formats": formats, "names": [exports[fmt] for fmt in formats]})
    fields = ("duration_s", "speech_s", "language", "model", "fingerprint")
    change.set(done_s=transcript.speech_s, **{field: getattr(transcript, field) for field in fields})
    change.set_columns(language_probability=transcript.language_probability)
    _give_up(change, transcript.given_up)
    quotas.add(con, job.owner_id, transcript.duration_s)
    api_key_usage.add_heard(con, job.id, transcript.duration_s)
    job_rows.end(change, JobState.COMPLETED, action="job.complete")


def failed(change: JobUpdate, *, error: str, code: str) -> None:
    """Fail the job with what happened and what to do; its source is kept."""
    job_rows.end(change, JobState.FAILED, action="job.fail", error=error, error_code=code)


def _forward(
    change: JobUpdate, state: JobState, *, action: str = "job.state", detail: Mapping[str, Any] | None = None
) -> None:
    job = change.job
    if job.state.finished or ORDER.index(state) <= ORDER.index(job.state):
        return
    change.set(state=state, detail="", started_at=job.started_at or utc_now())
    change.tell(action, {"from": job.state, "to": state, "attempt": job.attempt, **(detail or {})})


def _count_done(change: JobUpdate, total_s: float) -> None:
    job = change.job
    done_s = max(job.done_s, total_s)
    change.set(done_s=done_s if job.speech_s is None else min(job.speech_s, done_s))


def _give_up(change: JobUpdate, more: Sequence[str]) -> None:
    change.set(given_up=tuple(dict.fromkeys([*change.job.given_up, *more])))


def _speech_of(span: Span) -> float:
    if not span.speech:
        return span.end_s - span.start_s
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)
