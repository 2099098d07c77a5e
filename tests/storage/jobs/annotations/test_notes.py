"""Notes: audited changes, and restoration by a rebuild."""

from collections.abc import Callable
from typing import Any

import pytest

from storage.domain.errors import BadRequest, NotFound
from storage.files.file_store import Files
from storage.jobs.annotations import notes
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance.rebuild import rebuild

ACTOR = "user:ann"


def test_notes_come_in_order_of_their_moment(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    for text, at_s in (("late", 9.0), ("all of it", None), ("early", 1.5)):
        ledger.run(notes.add, job.id, text=f" {text} ", at_s=at_s, actor=ACTOR)
    with ledger.read() as con:
        assert [note.text for note in notes.list_of(con, job.id)] == ["all of it", "early", "late"]


def test_a_note_can_be_changed_and_removed_and_the_audit_log_tells(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    note = ledger.run(notes.add, job.id, text="frist", at_s=None, actor=ACTOR)
    changed = ledger.run(notes.change, job.id, note.id, text="first", at_s=2.0, actor=ACTOR)
    assert (changed.text, changed.at_s) == ("first", 2.0)
    ledger.run(notes.remove, job.id, note.id, actor=ACTOR)
    with ledger.read() as con:
        assert notes.list_of(con, job.id) == []
        assert [row.action for row in audit.page(con, subject=job.id)][:3] == ["note.remove", "note.change", "note.add"]


def test_another_jobs_note_is_not_found(ledger: Ledger, make_job: Any) -> None:
    job, other = make_job(), make_job()
    note = ledger.run(notes.add, job.id, text="mine", at_s=None, actor=ACTOR)
    with pytest.raises(NotFound):
        ledger.run(notes.remove, other.id, note.id, actor=ACTOR)
    with pytest.raises(BadRequest):
        ledger.run(notes.change, job.id, note.id, text="  ", at_s=None, actor=ACTOR)


def test_notes_come_back_after_a_rebuild(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    note = ledger.run(notes.add, job.id, text="keep me", at_s=3.0, actor=ACTOR)
    with lost() as new:
        rebuild(new, files)
        with new.read() as con:
            assert notes.list_of(con, job.id) == [note]
