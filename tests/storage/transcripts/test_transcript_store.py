"""Transcripts in the ledger: every field survives a round trip."""

import dataclasses
from typing import Any

from storage.domain.records import Finding, Redecoding, Segment, Word
from storage.ledger.database import Ledger
from storage.transcripts import transcript_store


def test_a_whole_transcript_comes_back(ledger: Ledger, make_job: Any, transcript_of: Any) -> None:
    transcript = dataclasses.replace(
        transcript_of(make_job()),
        findings=(Finding(kind="loop", start_s=1, end_s=2, detail="thank you"),),
        reheard=(Redecoding(start_s=0, end_s=1, doubts=("loop",), first_text="a", second_text="b", kept="second"),),
    )
    ledger.run(transcript_store.keep, transcript.job_id, transcript, stored_as="x")
    with ledger.read() as con:
        assert transcript_store.get(con, transcript.job_id) == transcript
        assert transcript_store.segments(con, transcript.job_id) == transcript.segments


def test_keeping_another_one_replaces_it(ledger: Ledger, make_job: Any, transcript_of: Any) -> None:
    transcript = transcript_of(make_job())
    ledger.run(transcript_store.keep, transcript.job_id, transcript, stored_as="x")
    shorter = dataclasses.replace(transcript, segments=())
    ledger.run(transcript_store.keep, transcript.job_id, shorter, stored_as="x")
    with ledger.read() as con:
        assert transcript_store.get(con, transcript.job_id) == shorter


def test_there_is_none_before_the_job_has_completed(ledger: Ledger, make_job: Any) -> None:
    with ledger.read() as con:
        assert transcript_store.get(con, make_job().id) is None
        assert transcript_store.segments(con, "nothing") == ()


def test_hours_of_speech_go_in_at_once(ledger: Ledger, make_job: Any, transcript_of: Any) -> None:
    words = tuple(Word(start_s=i / 3, end_s=i / 3 + 0.3, text=f" word{i}", probability=0.9) for i in range(20))
    many = tuple(Segment(start_s=i * 10, end_s=i * 10 + 9, text=" words" * 30, words=words) for i in range(1000))
    transcript = dataclasses.replace(transcript_of(make_job()), segments=many)
    ledger.run(transcript_store.keep, transcript.job_id, transcript, stored_as="x")
    with ledger.read() as con:
        assert transcript_store.segments(con, transcript.job_id) == many
