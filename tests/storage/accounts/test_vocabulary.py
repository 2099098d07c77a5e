"""A user's vocabulary: order, limits, and its use in jobs."""

from collections.abc import Callable

import pytest

from storage.accounts import vocabulary
from storage.domain.errors import BadRequest, NotFound
from storage.domain.records import Job, Options, User
from storage.jobs import job_store
from storage.ledger import audit
from storage.ledger.database import Ledger


def words_of(ledger: Ledger, user: User) -> str:
    with ledger.read() as con:
        return vocabulary.words_of(con, user.id)


def test_a_user_begins_without_one(ledger: Ledger, ann: User) -> None:
    assert words_of(ledger, ann) == ""


def test_terms_are_kept_one_a_line_and_once(ledger: Ledger, ann: User) -> None:
    kept = ledger.run(vocabulary.set_words, ann.id, "  Zoë \r\n\nMüller,  DuckDB;zoë\nGrand   Canyon", actor="user:ann")
    assert kept == "Zoë\nMüller\nDuckDB\nGrand Canyon"
    assert words_of(ledger, ann) == kept


def test_a_change_is_audited_once_and_without_the_words(ledger: Ledger, ann: User) -> None:
    for _ in range(2):
        ledger.run(vocabulary.set_words, ann.id, "Zoë", actor="user:ann")
    with ledger.read() as con:
        rows = audit.page(con, action="vocabulary.set")
    assert [(row.actor, row.subject, row.detail) for row in rows] == [("user:ann", ann.id, {"terms": 1})]


def test_an_empty_text_takes_it_away(ledger: Ledger, ann: User) -> None:
    ledger.run(vocabulary.set_words, ann.id, "Zoë", actor="user:ann")
    assert ledger.run(vocabulary.set_words, ann.id, " \n", actor="user:ann") == ""
    assert words_of(ledger, ann) == ""


@pytest.mark.parametrize("words", ["x" * 81, "\n".join(f"term number {n}" for n in range(100))])
def test_more_than_a_model_reads_is_refused(ledger: Ledger, ann: User, words: str) -> None:
    with pytest.raises(BadRequest):
        ledger.run(vocabulary.set_words, ann.id, words, actor="user:ann")
    assert words_of(ledger, ann) == ""


def test_nobody_has_no_vocabulary(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.run(vocabulary.set_words, "nobody", "Zoë", actor="user:ann")


def test_a_job_gets_its_owners_vocabulary_after_its_own(
    ledger: Ledger, ann: User, make_user: Callable[[str], User], make_job: Callable[..., Job]
) -> None:
    ledger.run(vocabulary.set_words, ann.id, "Zoë\nMüller", actor="user:ann")
    assert make_job().options.hotwords == "Zoë, Müller"
    assert make_job(options=Options(hotwords="Berta, zoë")).options.hotwords == "Berta, zoë, Müller"
    assert make_job(make_user("Bob")).options.hotwords is None


def test_a_job_keeps_the_words_that_it_was_accepted_with(
    ledger: Ledger, ann: User, make_job: Callable[..., Job]
) -> None:
    ledger.run(vocabulary.set_words, ann.id, "Zoë", actor="user:ann")
    job = make_job()
    ledger.run(vocabulary.set_words, ann.id, "Müller", actor="user:ann")
    with ledger.read() as con:
        assert job_store.get(con, job.id).options.hotwords == "Zoë"


def test_what_has_no_room_is_left_out_whole() -> None:
    own = "a" * (vocabulary.MAX_CHARS - 10)
    joined = vocabulary.joined_to(Options(hotwords=own), "too long for it\nshort").hotwords
    assert joined == f"{own}, short"
