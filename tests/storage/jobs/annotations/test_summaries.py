"""Summaries: kept on storage, restored by a rebuild, and deleted with their recording."""

from collections.abc import Callable
from typing import Any

from storage.domain.clock import utc_now
from storage.domain.records import Chapter, Summary
from storage.files.file_store import Files
from storage.jobs import intake
from storage.jobs.annotations import summaries
from storage.ledger.database import Ledger
from storage.maintenance.rebuild import rebuild


def kept(ledger: Ledger, files: Files, job_id: str) -> Summary:
    made = Summary(
        job_id=job_id,
        version=1,
        text="All of it.",
        chapters=(Chapter(start_s=0.0, end_s=2.0, title="Welcome"),),
        model="tiny",
        host="llm.lan",
        chars=10,
        parts=1,
        made_by="user:ann",
        made_at=utc_now(),
    )
    summaries.keep(ledger, files, made)
    return made


def test_a_summary_comes_back_after_a_rebuild(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    made = kept(ledger, files, job.id)
    with lost() as new:
        rebuild(new, files)
        with new.read() as con:
            (stored,) = summaries.list_of(con, job.id)
        assert summaries.read(files, stored) == made


def test_a_summary_goes_with_its_recording(ledger: Ledger, files: Files, make_job: Any, run_of: Any) -> None:
    job = run_of(make_job()).whole_way()
    kept(ledger, files, job.id)
    assert len(list(files.list("summaries"))) == 1
    intake.delete(ledger, files, job.id, actor="user:ann")
    intake.throw_out(ledger, files, job.id, actor="user:ann")
    assert list(files.list("summaries")) == []
    with ledger.read() as con:
        assert summaries.list_of(con, job.id) == []
