"""The first file of a transcript, after attempts that were killed between it and their report."""

import dataclasses
from typing import Any

from storage.domain import names
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.ledger.database import Ledger
from storage.transcripts import transcript_files


def test_an_attempt_that_was_killed_before_its_report_has_stored_the_same(
    files: Files, make_job: Any, transcript_of: Any
) -> None:
    transcript = transcript_of(make_job())
    first = transcript_files.store_first(files, transcript, attempt=1)

    assert transcript_files.store_first(files, transcript, attempt=1) == first
    assert list(files.list("transcripts")) == [first]


def test_another_text_never_replaces_what_is_stored(files: Files, make_job: Any, transcript_of: Any) -> None:
    transcript = transcript_of(make_job())
    first = transcript_files.store_first(files, transcript, attempt=1)
    before = files.read(first)

    other = transcript_files.store_first(files, dataclasses.replace(transcript, segments=()), attempt=1)

    assert other != first
    assert files.read(first) == before


def test_a_purge_takes_what_each_attempt_may_have_stored(ledger: Ledger, make_job: Any) -> None:
    """The first attempt, too: it begins again when its process was killed."""
    job = make_job()
    ledger.run(job_store.cancel, job.id, actor="user:ada")
    ledger.run(job_store.delete, job.id, actor="user:ada")

    free = ledger.run(job_store.purge, job.id, actor="user:ada")

    assert {names.transcript_name(job.id), names.later_transcript_name(job.id, 1)} <= set(free)
