"""The write-ahead log: a job costs its own size, and the log is checkpointed while the process lives."""

import threading
from dataclasses import replace
from pathlib import Path

import duckdb

from dashboards.loops.checkpointer import Checkpointer, CheckpointLimits
from storage.accounts import login_attempts
from storage.domain.records import Job, Segment, User, Word
from storage.files.file_store import Files
from storage.jobs import save_edit
from storage.ledger import audit, schema_migrations
from storage.ledger.database import Ledger
from storage.ledger.database_file import DatabaseFile, connect
from storage.transcripts import transcript_store
from storage.transcripts.edits import Draft, Piece
from tests.factories import DirectReporter, FlowRun, accept, transcript_of


def said(count: int) -> list[Segment]:
    """Return segments of ten words each."""
    found = []
    for begin_s in range(0, count * 4, 4):
        times = [(begin_s + k / 3, begin_s + (k + 1) / 3) for k in range(10)]
        words = tuple(Word(start_s=a, end_s=b, text=" wörd", probability=1 / 3) for a, b in times)
        found.append(Segment(start_s=begin_s, end_s=begin_s + 3.5, text=" wörd" * 10, words=words))
    return found


def completed(ledger: Ledger, files: Files, owner: User, content: str, segments: list[Segment]) -> Job:
    job = accept(ledger, owner, content=content)
    run = FlowRun(DirectReporter(ledger, files), files, job, transcript_of(job, segments))
    run.start()
    run.plan()
    return run.complete()


def edit_once_more(ledger: Ledger, files: Files, job: Job, base: int, segments: list[Segment]) -> None:
    first = Piece(start_s=0, end_s=3.5, text=f"Changed {base} times", origin=(0,))
    draft = Draft(base=base, segments=(first, *range(1, len(segments))))
    save_edit.edit(ledger, files, job.id, draft, actor="user:ann")


def test_a_job_costs_the_log_the_same_before_and_after_hundreds_of_transcripts_and_edits(
    ledger: Ledger, files: Files, ann: User
) -> None:
    """A list column would write all words since the last checkpoint again, each time."""
    clip, talk = said(1), said(300)
    edited = completed(ledger, files, ann, "a talk of 20 minutes", talk)
    ledger.checkpoint()
    costs = []
    for number in range(1, 4):
        before = ledger.wal_bytes()
        completed(ledger, files, ann, f"clip {number}", clip)
        costs.append(ledger.wal_bytes() - before)
        edit_once_more(ledger, files, edited, number, talk)
        with_clip = transcript_of(edited, clip)
        for place in range(70):
            ledger.run(transcript_store.keep, f"{number}-{place}", with_clip, stored_as="transcripts/x.json")
    assert max(costs) <= 1.1 * min(costs)


def test_a_result_that_was_not_read_holds_no_checkpoint_up(ledger: Ledger) -> None:
    unread = "SELECT * FROM range(1000000)"
    with ledger.read() as con:
        con.execute(unread).fetchone()
    with ledger.cursor() as con:
        con.execute(unread).fetchone()
    ledger.note(lambda con: con.execute(unread).fetchone())
    ledger.run(lambda con: con.execute(unread).fetchone())
    ledger.note(login_attempts.count, "ann", "10.0.0.1")
    assert ledger.wal_bytes() > 0
    assert ledger.checkpoint()
    assert ledger.wal_bytes() == 0


def test_the_connection_that_lives_as_long_as_the_file_is_out_of_reach(tmp_path: Path) -> None:
    file = DatabaseFile.open(tmp_path / "a.duckdb")
    reachable = [value for name, value in vars(file).items() if "__" not in name]
    assert not any(isinstance(value, duckdb.DuckDBPyConnection) for value in reachable)
    file.close()


def test_the_log_is_checkpointed_by_size(ledger: Ledger) -> None:
    ledger.note(login_attempts.count, "ann", "10.0.0.1")
    assert not Checkpointer(ledger).look()
    assert Checkpointer(ledger, CheckpointLimits(due_bytes=ledger.wal_bytes())).look()
    assert ledger.wal_bytes() == 0
    assert ledger.checkpoints.count == 1
    assert ledger.checkpoints.last_s == ledger.checkpoints.total_s > 0


def test_the_log_is_checkpointed_by_time_if_there_is_one(ledger: Ledger) -> None:
    ledger.checkpoint()
    loop = Checkpointer(ledger, CheckpointLimits(due_after_s=0))
    assert not loop.look()
    ledger.note(login_attempts.count, "ann", "10.0.0.1")
    assert loop.look()
    assert ledger.wal_bytes() == 0


def test_a_checkpoint_waits_for_a_reader_only_if_the_log_is_very_large(ledger: Ledger) -> None:
    """Readers that begin one after another leave no moment without one, unless new ones wait."""
    due = CheckpointLimits(due_bytes=1)
    ledger.run(audit.record, actor="a", action="b", subject="c")
    stop = threading.Event()
    readers = [threading.Thread(target=read_on, args=(ledger, stop, pause_s)) for pause_s in (0.03, 0.04, 0.05)]
    for reader in readers:
        reader.start()
    try:
        with ledger.read() as con:
            audit.head(con)
            ledger.run(audit.record, actor="a", action="b", subject="c")  # an update of what the open read needs
            assert not Checkpointer(ledger, due).look()
        urgent = replace(due, urgent_bytes=1, readers_within_s=30.0)
        assert Checkpointer(ledger, urgent).look()
    finally:
        stop.set()
        for reader in readers:
            reader.join()


def read_on(ledger: Ledger, stop: threading.Event, pause_s: float) -> None:
    while not stop.is_set():
        with ledger.read() as con:
            audit.head(con)
            stop.wait(pause_s)


OLD_WORDS = """
INSERT INTO segments (job_id, idx, start_s, end_s, text, avg_logprob, compression_ratio, no_speech_prob, temperature,
    words)
VALUES ('old', 0, 0, 1, 'x', 0, 0, 0, 0,
        [{start_s: 0.1, end_s: 1.0000000000000002, text: ' "Grüße"\n😀', probability: 1 / 3}]),
    ('old', 1, 1, 2, 'y', 0, 0, 0, 0, [])
"""


def test_words_of_an_older_ledger_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    before = tuple(step for step in schema_migrations.shipped() if step.version < 9)
    with connect(path) as con:
        schema_migrations.bring_up_to_date(con, path, before)
        con.execute(OLD_WORDS).fetchall()
    with Ledger.open(path) as ledger, ledger.read() as con:
        first, second = transcript_store.segments(con, "old")
    assert first.words == (Word(start_s=0.1, end_s=1.0000000000000002, text=' "Grüße"\n😀', probability=1 / 3),)
    assert second.words == ()
