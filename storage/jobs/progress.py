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
from storage.ledger import audit
from storage.transcripts import transcript_store

ORDER = (JobState.QUEUED, JobState.INGESTING, JobState.TRANSCRIBING, JobState.EXPORTING)

MOVE = """
UPDATE jobs SET state = $state, detail = '', version = version + 1, updated_at = $now,
    started_at = coalesce(started_at, $now)
WHERE id = $id
"""
KEEP_FLOW_RUN = """
UPDATE jobs SET flow_run_id = $flow_run_id WHERE id = $id AND flow_run_id IS NULL AND $flow_run_id IS NOT NULL
"""


def started(con: DuckDBPyConnection, job: Job, *, flow_run_id: str | None, actor: str) -> None:
    """Start the job; a resumed run that repeats this changes nothing.

    Raises:
        StaleAttempt: another flow run has this attempt.
    """
    if flow_run_id and job.flow_run_id not in {None, flow_run_id}:
        raise StaleAttempt(job.id, job.attempt)
    con.execute(KEEP_FLOW_RUN, {"id": job.id, "flow_run_id": flow_run_id})
    _forward(con, job, JobState.INGESTING, actor=actor, action="job.start", detail={"flow_run": flow_run_id})


FORGET_SPANS = """
DELETE FROM spans WHERE job_id = $id AND idx IN (SELECT unnest($indexes::INTEGER[]))
"""
COUNT_SPEECH = """
UPDATE jobs SET speech_s = (SELECT sum(speech_s) FROM spans WHERE job_id = $id), read_s = greatest(read_s, $read_s),
    duration_s = coalesce($duration_s, duration_s), version = version + 1, updated_at = $now
WHERE id = $id
"""


def cut(
    con: DuckDBPyConnection,
    job: Job,
    *,
    spans: Sequence[Span],
    read_s: float,
    duration_s: float | None,
    actor: str,
) -> None:
    """Add spans that were cut while the rest is being read."""
    known = {row[0]: row for row in con.execute(HAVE_SPANS, {"id": job.id}).fetchall()}
    if fresh := [row for span in spans if (row := _row(span)) != known.get(span.index)]:
        con.execute(FORGET_SPANS, {"id": job.id, "indexes": [row[0] for row in fresh]})
        _add_spans(con, job, fresh)
        con.execute(COUNT_SPEECH, {"id": job.id, "read_s": read_s, "duration_s": duration_s, "now": utc_now()})
    _forward(con, job, JobState.TRANSCRIBING, actor=actor)


PLAN = """
UPDATE jobs SET duration_s = $duration_s, speech_s = $speech_s, language = coalesce($language, language),
    language_probability = coalesce($language_probability, language_probability),
    media_start_s = $media_start_s, done_s = least(done_s, $speech_s), read_s = NULL, detail = '',
    version = version + 1, updated_at = $now
WHERE id = $id
"""
HAVE_SPANS = "SELECT idx, start_s, end_s, speech_s, samples_sha256 FROM spans WHERE job_id = $id ORDER BY idx"
DROP_SPANS = "DELETE FROM spans WHERE job_id = $id"
ADD_SPANS = """
INSERT INTO spans (job_id, idx, start_s, end_s, speech_s, samples_sha256)
SELECT $id, span.idx, span.start_s, span.end_s, span.speech_s, span.samples_sha256 FROM (
    SELECT unnest(from_json($spans::JSON, '[{"idx": "INTEGER", "start_s": "DOUBLE", "end_s": "DOUBLE",
        "speech_s": "DOUBLE", "samples_sha256": "VARCHAR"}]')) AS span)
"""


def planned(
    con: DuckDBPyConnection,
    job: Job,
    *,
    duration_s: float,
    speech_s: float,
    language: str | None,
    language_probability: float | None,
    spans: Sequence[Span],
    media_start_s: float = 0.0,
    actor: str,
) -> None:
    """Record the complete plan of the recording; unchanged spans keep their results."""
    rows = [_row(span) for span in spans]
    same = con.execute(HAVE_SPANS, {"id": job.id}).fetchall() == rows
    if not same:
        con.execute(DROP_SPANS, {"id": job.id})
        _add_spans(con, job, rows)
    told = {
        "duration_s": duration_s,
        "speech_s": speech_s,
        "language": language,
        "language_probability": language_probability,
        "media_start_s": media_start_s,
    }
    known = (job.duration_s, job.speech_s, job.media_start_s, job.read_s) == (duration_s, speech_s, media_start_s, None)
    if not same or not known or language not in {None, job.language}:
        con.execute(PLAN, {"id": job.id, "now": utc_now(), **told})
        audit.record(con, actor=actor, action="job.plan", subject=job.id, detail={"spans": len(rows), **told})
    _forward(con, job, JobState.TRANSCRIBING, actor=actor)


def _row(span: Span) -> tuple[int, float, float, float, str]:
    return span.index, span.start_s, span.end_s, _speech_of(span), span.samples_sha256


def _add_spans(con: DuckDBPyConnection, job: Job, rows: Sequence[tuple[int, float, float, float, str]]) -> None:
    names = ("idx", "start_s", "end_s", "speech_s", "samples_sha256")
    con.execute(ADD_SPANS, {"id": job.id, "spans": json.dumps([dict(zip(names, row, strict=True)) for row in rows])})


LIVE = """
UPDATE spans SET live_s = greatest(live_s, least(speech_s, $done_s))
WHERE job_id = $id AND idx = $idx AND result IS NULL
"""
COUNT_DONE = """
UPDATE jobs SET done_s = least(coalesce(speech_s, $done_s), greatest(done_s, $done_s)), version = version + 1,
    updated_at = $now
WHERE id = $id
"""
DONE = "SELECT coalesce(sum(if(result IS NULL, live_s, speech_s)), 0) FROM spans WHERE job_id = $id"


def advanced(con: DuckDBPyConnection, job: Job, *, index: int, done_s: float) -> None:
    """Record how many seconds of a span's speech are done; it never decreases."""
    con.execute(LIVE, {"id": job.id, "idx": index, "done_s": max(0.0, done_s)})
    _count_done(con, job)


SPAN = "SELECT result FROM spans WHERE job_id = $id AND idx = $idx"
HEARD = """
UPDATE spans SET result = $result, worker = $worker, engine_s = $engine_s, reused = $reused
WHERE job_id = $id AND idx = $idx
"""
GIVE_UP = "UPDATE jobs SET given_up = $given_up, version = version + 1, updated_at = $now WHERE id = $id"


def span_heard(
    con: DuckDBPyConnection,
    job: Job,
    *,
    index: int,
    result: str,
    worker: str,
    engine_s: float,
    reused: bool,
    given_up: Sequence[str],
    actor: str,
) -> None:
    """Record that a span's result is on storage; the same result again changes nothing.

    Raises:
        NotFound: the job has no such span.
    """
    row = con.execute(SPAN, {"id": job.id, "idx": index}).fetchone()
    if row is None:
        raise NotFound("span", f"{index} of job {job.id}")
    if row[0] == result:
        return
    _forward(con, job, JobState.TRANSCRIBING, actor=actor)
    heard = {"result": result, "worker": worker, "engine_s": engine_s, "reused": reused}
    con.execute(HEARD, {"id": job.id, "idx": index, **heard})
    _give_up(con, job, given_up)
    _count_done(con, job)
    detail: dict[str, Any] = {"span": index, **heard} | (
        {"given_up": [for_audit(note) for note in given_up]} if given_up else {}
    )
    audit.record(con, actor=actor, action="span.heard", subject=job.id, detail=detail)


READABLE = """
UPDATE jobs SET parts = $parts, version = version + 1, updated_at = $now WHERE id = $id AND parts < $parts
"""


def readable(con: DuckDBPyConnection, job: Job, *, parts: int) -> None:
    """Record how many parts of the text so far are readable; it never decreases."""
    con.execute(READABLE, {"id": job.id, "parts": parts, "now": utc_now()})


def exporting(con: DuckDBPyConnection, job: Job, *, actor: str) -> None:
    """Move the job to `exporting`: all spans are transcribed, and files are being written."""
    _forward(con, job, JobState.EXPORTING, actor=actor)


COMPLETE = """
UPDATE jobs SET duration_s = $duration_s, speech_s = $speech_s, done_s = $speech_s, language = $language,
    language_probability = $language_probability, model = $model, fingerprint = $fingerprint
WHERE id = $id
"""
DROP_EXPORTS = "DELETE FROM exports WHERE job_id = $id"
ADD_EXPORT = "INSERT INTO exports (job_id, format, name) VALUES ($id, $format, $name)"


def completed(
    con: DuckDBPyConnection,
    job: Job,
    *,
    transcript: Transcript,
    stored_as: str,
    exports: Mapping[str, str],
    actor: str,
) -> None:
    """Store the transcript and the names of its exports, and complete the job."""
    transcript_store.keep(con, job.id, transcript, stored_as=stored_as)
    con.execute(DROP_EXPORTS, {"id": job.id})
    for fmt, name in sorted(exports.items()):
        con.execute(ADD_EXPORT, {"id": job.id, "format": fmt, "name": name})
    fields = ("duration_s", "speech_s", "language", "language_probability", "model", "fingerprint")
    con.execute(COMPLETE, {"id": job.id, **{field: getattr(transcript, field) for field in fields}})
    _give_up(con, job, transcript.given_up)
    quotas.add(con, job.owner_id, transcript.duration_s)
    api_key_usage.add_heard(con, job.id, transcript.duration_s)
    job_rows.finish(con, job, JobState.COMPLETED, actor=actor, action="job.complete")


def failed(con: DuckDBPyConnection, job: Job, *, error: str, code: str, actor: str) -> None:
    """Fail the job with what happened and what to do; its source is kept."""
    job_rows.finish(con, job, JobState.FAILED, actor=actor, action="job.fail", error=error, error_code=code)


def _forward(
    con: DuckDBPyConnection,
    job: Job,
    state: JobState,
    *,
    actor: str,
    action: str = "job.state",
    detail: Mapping[str, Any] | None = None,
) -> None:
    if job.state.finished or ORDER.index(state) <= ORDER.index(job.state):
        return
    con.execute(MOVE, {"id": job.id, "state": state, "now": utc_now()})
    told = {"from": job.state, "to": state, "attempt": job.attempt, **(detail or {})}
    audit.record(con, actor=actor, action=action, subject=job.id, detail=told)


def _count_done(con: DuckDBPyConnection, job: Job) -> None:
    total = float(con.execute(DONE, {"id": job.id}).fetchall()[0][0])
    con.execute(COUNT_DONE, {"id": job.id, "done_s": total, "now": utc_now()})


def _give_up(con: DuckDBPyConnection, job: Job, more: Sequence[str]) -> None:
    together = list(dict.fromkeys([*job.given_up, *more]))
    if together != list(job.given_up):
        con.execute(GIVE_UP, {"id": job.id, "given_up": json.dumps(together), "now": utc_now()})


def _speech_of(span: Span) -> float:
    if not span.speech:
        return span.end_s - span.start_s
    return sum(stretch.end_s - stretch.start_s for stretch in span.speech)
