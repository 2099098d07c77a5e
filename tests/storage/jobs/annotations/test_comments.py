"""Comments and highlights: threads, rights of authors, audit rows, and restoration by a rebuild."""

from collections.abc import Callable
from typing import Any

import pytest

from storage.domain.errors import BadRequest, NotAllowed, NotFound
from storage.domain.records import HighlightColour
from storage.files.file_store import Files
from storage.jobs.annotations import comments, notes
from storage.jobs.annotations.comments import Passage
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance.rebuild import rebuild

ANN, BEN = "user:ann", "user:ben"
PASSAGE = Passage(start_s=1.5, end_s=3.0, quote=" the ferry\n leaves ")


def test_a_thread_is_answered_resolved_and_opened_again_by_an_answer(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    first = ledger.run(comments.add, job.id, passage=PASSAGE, text=" Nine? ", actor=ANN)
    assert (first.at_s, first.end_s, first.quote, first.text) == (1.5, 3.0, "the ferry leaves", "Nine?")
    ledger.run(comments.resolve, job.id, first.id, resolved=True, actor=BEN)
    ledger.run(comments.resolve, job.id, first.id, resolved=True, actor=BEN)
    answer = ledger.run(comments.reply, job.id, first.id, text="Ten.", actor=BEN)
    with pytest.raises(NotFound):
        ledger.run(comments.reply, job.id, answer.id, text="deeper", actor=BEN)
    with ledger.read() as con:
        found = comments.list_of(con, job.id)
        assert [(one.text, one.parent, one.resolved_at) for one in found] == [
            ("Nine?", None, None),
            ("Ten.", first.id, None),
        ]
        assert notes.list_of(con, job.id) == []
        rows = [(row.action, row.actor) for row in audit.page(con, subject=job.id)][:4]
    assert rows == [("comment.add", BEN), ("comment.reopen", BEN), ("comment.resolve", BEN), ("comment.add", ANN)]


def test_nobody_deletes_what_others_have_written(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    first = ledger.run(comments.add, job.id, passage=PASSAGE, text="Nine?", actor=ANN)
    answer = ledger.run(comments.reply, job.id, first.id, text="Ten.", actor=BEN)
    with pytest.raises(NotAllowed):
        ledger.run(comments.remove, job.id, answer.id, actor=ANN, author=ANN)
    with pytest.raises(NotAllowed):
        ledger.run(comments.change, job.id, answer.id, text="Nine.", actor=ANN)
    ledger.run(comments.remove, job.id, first.id, actor=ANN, author=ANN)
    with ledger.read() as con:
        assert [one.text for one in comments.list_of(con, job.id)] == ["", "Ten."]
    ledger.run(comments.remove, job.id, answer.id, actor=BEN, author=BEN)
    with ledger.read() as con:
        assert comments.list_of(con, job.id) == []


def test_a_highlight_is_no_comment_and_has_a_colour(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    made = ledger.run(comments.highlight, job.id, passage=PASSAGE, colour=HighlightColour.BLUE, actor=ANN)
    with pytest.raises(NotAllowed):
        ledger.run(comments.recolour, job.id, made.id, colour=HighlightColour.PINK, actor=BEN, author=BEN)
    ledger.run(comments.recolour, job.id, made.id, colour=HighlightColour.PINK, actor=ANN, author=ANN)
    with ledger.read() as con:
        assert [one.colour for one in comments.highlights_of(con, job.id)] == [HighlightColour.PINK]
        assert comments.list_of(con, job.id) == []
    ledger.run(comments.unhighlight, job.id, made.id, actor=ANN, author=ANN)
    with ledger.read() as con:
        assert comments.count(con, job.id) == 0


@pytest.mark.parametrize(
    "passage",
    [
        Passage(start_s=3.0, end_s=1.0, quote="x"),
        Passage(start_s=1.0, end_s=2.0, quote=" "),
        Passage(start_s=-1.0, end_s=2.0, quote="x"),
        Passage(start_s=float("nan"), end_s=2.0, quote="x"),
        Passage(start_s=1.0, end_s=2.0, quote="x" * 2001),
    ],
)
def test_a_passage_has_words_and_a_length(ledger: Ledger, make_job: Any, passage: Passage) -> None:
    with pytest.raises(BadRequest):
        ledger.run(comments.add, make_job().id, passage=passage, text="text", actor=ANN)


def test_the_owner_is_told_of_what_others_write_until_it_is_seen(ledger: Ledger, make_job: Any) -> None:
    job = make_job()
    ledger.run(comments.add, job.id, passage=PASSAGE, text="mine", actor=f"user:{job.owner_id}")
    ledger.run(comments.add, job.id, passage=PASSAGE, text="theirs", actor=BEN)
    with ledger.read() as con:
        assert [(one.text, one.name) for one in comments.unseen(con, job.owner_id)] == [("theirs", job.name)]
        assert comments.unseen(con, "ben") == []
        assert [one["text"] for one in comments.elsewhere(con, "ben")] == ["theirs"]
    ledger.note(comments.seen, job.id)
    with ledger.read() as con:
        assert comments.unseen(con, job.owner_id) == []


def test_comments_and_highlights_come_back_after_a_rebuild(
    ledger: Ledger, files: Files, make_job: Any, run_of: Any, lost: Callable[[], Ledger]
) -> None:
    job = run_of(make_job()).whole_way()
    first = ledger.run(comments.add, job.id, passage=PASSAGE, text="keep me", actor=ANN)
    ledger.run(comments.reply, job.id, first.id, text="and me", actor=BEN)
    ledger.run(comments.highlight, job.id, passage=PASSAGE, colour=HighlightColour.GREEN, actor=ANN)
    with ledger.read() as con:
        before = notes.all_of(con, job.id)
    with lost() as new:
        rebuild(new, files)
        with new.read() as con:
            assert notes.all_of(con, job.id) == before
