"""Transcripts in the ledger: every field back as it went in."""

import dataclasses
from typing import Any

from storage import transcripts
from storage.ledger import Ledger
from storage.records import Finding, Rehearing, Segment, Word


def test_a_whole_transcript_comes_back(ledger: Ledger, make_job: Any, transcript_of: Any) -> None:
    transcript = dataclasses.replace(
        transcript_of(make_job()),
        findings=(Finding(kind="loop", start_s=1, end_s=2, detail="thank you"),),
        reheard=(Rehearing(start_s=0, end_s=1, doubts=("loop",), first_text="a", second_text="b", kept="second"),),
    )
    ledger.run(transcripts.keep, transcript.job_id, transcript, stored_as="x")
    with ledger.read() as con:
        assert transcripts.get(con, transcript.job_id) == transcript
        assert transcripts.segments(con, transcript.job_id) == transcript.segments


def test_keeping_another_one_replaces_it(ledger: Ledger, make_job: Any, transcript_of: Any) -> None:
    transcript = transcript_of(make_job())
    ledger.run(transcripts.keep, transcript.job_id, transcript, stored_as="x")
    shorter = dataclasses.replace(transcript, segments=())
    ledger.run(transcripts.keep, transcript.job_id, shorter, stored_as="x")
    with ledger.read() as con:
        assert transcripts.get(con, transcript.job_id) == shorter


def test_there_is_none_before_the_job_has_completed(ledger: Ledger, make_job: Any) -> None:
    with ledger.read() as con:
        assert transcripts.get(con, make_job().id) is None
        assert transcripts.segments(con, "nothing") == ()


def test_hours_of_speech_go_in_at_once(ledger: Ledger, make_job: Any, transcript_of: Any) -> None:
    words = tuple(Word(start_s=i / 3, end_s=i / 3 + 0.3, text=f" word{i}", probability=0.9) for i in range(20))
    many = tuple(Segment(start_s=i * 10, end_s=i * 10 + 9, text=" words" * 30, words=words) for i in range(1000))
    transcript = dataclasses.replace(transcript_of(make_job()), segments=many)
    ledger.run(transcripts.keep, transcript.job_id, transcript, stored_as="x")
    with ledger.read() as con:
        assert transcripts.segments(con, transcript.job_id) == many
