"""Corrected texts that get their times from the sound, and how far each is."""

from datetime import UTC, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain import job_messages
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import AlignmentsBusy, NotFound, TranscriptMoved
from storage.domain.job_actions import JobAction
from storage.domain.records import AlignmentState, TextAlignment
from storage.jobs import job_rows
from storage.ledger import audit
from storage.transcripts import versions

MOST_AT_ONCE = 32
FIELDS = ("id", "job_id", "base", "state", "progress", "detail", "made_by", "made_at", "flow_run_id", "version")
ONE = """
SELECT id, job_id, base, state, progress, detail, made_by, made_at, flow_run_id, version
FROM alignments WHERE id = $id
"""
LATEST = """
SELECT id, job_id, base, state, progress, detail, made_by, made_at, flow_run_id, version
FROM alignments WHERE job_id = $job_id ORDER BY id DESC LIMIT 1
"""
OPEN = "SELECT job_id FROM alignments WHERE state IN ('queued', 'running')"
ADD = """
INSERT INTO alignments (id, job_id, base, state, progress, detail, made_by, made_at)
VALUES ($id, $job_id, $base, 'queued', 0, '', $made_by, $made_at)
"""


def get(con: DuckDBPyConnection, alignment_id: str) -> TextAlignment:
    """Return one.

    Raises:
        NotFound: there is none of this id.
    """
    rows = con.execute(ONE, {"id": alignment_id}).fetchall()
    if not rows:
        raise NotFound("alignment", alignment_id)
    return _alignment(rows[0])


def latest(con: DuckDBPyConnection, job_id: str) -> TextAlignment | None:
    """Return the job's last one, or None."""
    rows = con.execute(LATEST, {"job_id": job_id}).fetchall()
    return _alignment(rows[0]) if rows else None


def ask(con: DuckDBPyConnection, job_id: str, *, base: int, actor: str) -> TextAlignment:
    """Note that a text is to get times, to become the version after `base`.

    Raises:
        JobMoved: the job is not completed, or is deleted.
        TranscriptMoved: `base` is not the current version.
        AlignmentsBusy: another text of this job is in progress, or too many of others.
    """
    JobAction.EDIT.require(job_rows.get(con, job_id))
    number = versions.current(con, job_id).number
    if number != base:
        raise TranscriptMoved(job_id, base, number)
    active = [row[0] for row in con.execute(OPEN).fetchall()]
    if job_id in active or len(active) >= MOST_AT_ONCE:
        raise AlignmentsBusy(job_id in active)
    ident = new_id()
    con.execute(ADD, {"id": ident, "job_id": job_id, "base": base, "made_by": actor, "made_at": utc_now()})
    audit.record(con, actor=actor, action="alignment.ask", subject=job_id, detail={"alignment": ident, "base": base})
    return get(con, ident)


SUBMITTED = "UPDATE alignments SET flow_run_id = $flow_run_id WHERE id = $id"
ADVANCED = "UPDATE alignments SET state = 'running', progress = greatest(progress, $progress) WHERE id = $id"
END = "UPDATE alignments SET state = $state, progress = $progress, detail = $detail, version = $version WHERE id = $id"


def submitted(con: DuckDBPyConnection, alignment_id: str, flow_run_id: str) -> None:
    """Note the flow run that works on it."""
    con.execute(SUBMITTED, {"id": alignment_id, "flow_run_id": flow_run_id})


def advance(con: DuckDBPyConnection, alignment_id: str, progress: float) -> TextAlignment:
    """Note how far it is (no audit row); one that ended is left alone."""
    found = get(con, alignment_id)
    if not found.state.finished:
        con.execute(ADVANCED, {"id": alignment_id, "progress": min(max(progress, 0.0), 1.0)})
    return get(con, alignment_id)


def end(
    con: DuckDBPyConnection,
    alignment_id: str,
    state: AlignmentState,
    *,
    detail: str,
    actor: str,
    version: int | None = None,
) -> TextAlignment:
    """Note how it ended, with a message as `job_messages.encode` returns it; the first end counts.

    Saving the version has an audit row of its own.
    """
    found = get(con, alignment_id)
    if found.state.finished:
        return found
    progress = 1.0 if state is AlignmentState.DONE else found.progress
    values: dict[str, Any] = {"id": alignment_id, "state": state.value, "progress": progress}
    con.execute(END, values | {"detail": detail, "version": version})
    if state is not AlignmentState.DONE:
        told = {"alignment": alignment_id, "state": state.value, "detail": job_messages.for_audit(detail)}
        audit.record(con, actor=actor, action="alignment.end", subject=found.job_id, detail=told)
    return get(con, alignment_id)


def _alignment(row: tuple[Any, ...]) -> TextAlignment:
    values = dict(zip(FIELDS, row, strict=True))
    made_at: datetime = values["made_at"]
    values |= {"state": AlignmentState(values["state"]), "made_at": made_at.astimezone(UTC)}
    return TextAlignment(**values)
