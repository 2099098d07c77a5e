"""A recording's name: what it may be, who is told, and what stays of the file's."""

from collections.abc import Callable

import pytest

from storage.domain.errors import BadRequest, JobMoved, NotFound
from storage.domain.recording_names import other_name
from storage.domain.records import Job, JobState
from storage.files.file_store import Files
from storage.jobs import intake, job_store, renaming
from storage.ledger import audit
from storage.ledger.database import Ledger

ACTOR = "user:ann"


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("talk.wav", "Board meeting", "Board meeting.wav"),
        ("talk.wav", "Board meeting.WAV", "Board meeting.wav"),
        ("talk.wav", " Meeting of 3.4. ", "Meeting of 3.4.wav"),
        ("talk", "Board meeting", "Board meeting"),
        ("talk.wav", "Q3/Q4\\x\u0007", "Q3-Q4-x.wav"),
        ("talk.wav", ".wav", "wav.wav"),
        ("talk.wav", " \n", ""),
        ("talk.wav", "x" * 300, "x" * 196 + ".wav"),
    ],
)
def test_the_ending_of_the_file_stays(before: str, wanted: str, after: str) -> None:
    assert other_name(before, wanted) == after


def test_a_renaming_stands_in_the_audit_log(ledger: Ledger, make_job: Callable[..., Job]) -> None:
    job = make_job()
    renamed = ledger.run(renaming.rename, job.id, name="Board meeting", actor=ACTOR)
    assert (renamed.name, renamed.version) == ("Board meeting.wav", job.version + 1)
    with ledger.read() as con:
        row = audit.page(con, subject=job.id)[0]
    assert (row.action, row.actor) == ("job.rename", ACTOR)
    assert row.detail == {"from": job.name, "to": "Board meeting.wav"}


def test_the_same_name_changes_nothing(ledger: Ledger, make_job: Callable[..., Job]) -> None:
    job = make_job()
    assert ledger.run(renaming.rename, job.id, name=job.name, actor=ACTOR) == job
    with ledger.read() as con:
        assert audit.page(con, subject=job.id)[0].action == "job.accept"


def test_no_name_and_no_job_are_refused(ledger: Ledger, make_job: Callable[..., Job]) -> None:
    job = make_job()
    with pytest.raises(BadRequest, match="give the recording a name"):
        ledger.run(renaming.rename, job.id, name=" ", actor=ACTOR)
    with pytest.raises(NotFound):
        ledger.run(renaming.rename, "nothing", name="x", actor=ACTOR)


def test_a_deleted_recording_keeps_its_name(ledger: Ledger, files: Files, make_job: Callable[..., Job]) -> None:
    job = make_job()
    ledger.run(job_store.cancel, job.id, actor=ACTOR)
    assert intake.delete(ledger, files, job.id, actor=ACTOR).state is JobState.CANCELLED
    with pytest.raises(JobMoved):
        ledger.run(renaming.rename, job.id, name="x", actor=ACTOR)
