"""Preferences: defaults, storage, and audit of changes."""

from dataclasses import replace

from storage.accounts import preferences
from storage.accounts.preferences import Preferences, Theme
from storage.domain.records import CueLimits, ExportFormat, Lane, User
from storage.ledger import audit
from storage.ledger.database import Ledger

CHOSEN = Preferences(
    model="small",
    language="da",
    task="translate",
    formats=(ExportFormat.SRT, ExportFormat.JSON),
    lane=Lane.BATCH,
    cues=CueLimits(max_line_width=32),
    theme=Theme.DARK,
    mail_when_ready=True,
)


def of(ledger: Ledger, user: User) -> Preferences:
    with ledger.read() as con:
        return preferences.of(con, user.id)


def test_nothing_chosen_means_the_defaults(ledger: Ledger, ann: User) -> None:
    assert of(ledger, ann) == Preferences()


def test_what_was_chosen_comes_back_whole(ledger: Ledger, ann: User) -> None:
    ledger.run(preferences.set_, ann.id, CHOSEN, actor=f"user:{ann.id}")
    assert of(ledger, ann) == CHOSEN
    ledger.run(preferences.set_, ann.id, replace(CHOSEN, language=None), actor=f"user:{ann.id}")
    assert of(ledger, ann).language is None


def test_a_change_is_on_record_and_the_same_again_is_none(ledger: Ledger, ann: User) -> None:
    for _ in range(2):
        ledger.run(preferences.set_, ann.id, CHOSEN, actor=f"user:{ann.id}")
    with ledger.read() as con:
        assert [row.action for row in audit.page(con, subject=ann.id)] == ["user.preferences", "user.restore"]


def test_fields_that_a_later_version_knows_are_passed_over(ledger: Ledger, ann: User) -> None:
    with ledger.write() as con:
        con.execute('INSERT INTO preferences VALUES ($id, \'{"model": "small", "later": 1}\', now())', {"id": ann.id})
    assert of(ledger, ann) == Preferences(model="small")
