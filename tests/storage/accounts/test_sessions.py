"""Sessions: found by token until idle, old, ended, or their user disabled."""

from datetime import datetime, timedelta

import pytest

from storage.accounts import sessions
from storage.domain.clock import utc_now
from storage.domain.records import Session, User
from storage.ledger import audit
from storage.ledger.database import Ledger

NOW = utc_now()


def start(ledger: Ledger, user: User) -> tuple[str, Session]:
    return ledger.run(sessions.start, user, client="Firefox", now=NOW, max_days=30)


def lookup(ledger: Ledger, token: str, now: datetime = NOW) -> Session | None:
    return sessions.lookup(ledger, token, now=now, idle_minutes=60)


def test_a_token_finds_its_session(ledger: Ledger, ann: User) -> None:
    token, session = start(ledger, ann)
    found = lookup(ledger, token)
    assert found == session
    assert found.user == ann
    assert found.expires_at == NOW + timedelta(days=30)


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "\udcff"])
def test_other_tokens_find_nothing(ledger: Ledger, ann: User, token: str) -> None:
    start(ledger, ann)
    assert lookup(ledger, token) is None


def test_the_token_itself_is_not_kept(ledger: Ledger, ann: User) -> None:
    token, _ = start(ledger, ann)
    ledger.close()
    assert token.encode() not in ledger.path.read_bytes()


def test_an_idle_session_is_over(ledger: Ledger, ann: User) -> None:
    token, _ = start(ledger, ann)
    assert lookup(ledger, token, NOW + timedelta(minutes=61)) is None


def test_use_keeps_a_session_alive_until_it_is_old(ledger: Ledger, ann: User) -> None:
    token, _ = start(ledger, ann)
    for minute in range(50, 50 * 7, 50):
        assert lookup(ledger, token, NOW + timedelta(minutes=minute))
    assert lookup(ledger, token, NOW + timedelta(days=31)) is None


def test_an_old_session_is_over_even_when_in_use(ledger: Ledger, ann: User) -> None:
    token, _ = ledger.run(sessions.start, ann, client="Firefox", now=NOW, max_days=1)
    for hour in range(24):
        assert lookup(ledger, token, NOW + timedelta(hours=hour))
        with ledger.write() as con:
            con.execute("UPDATE sessions SET last_seen_at = $now", {"now": NOW + timedelta(hours=hour + 1)})
    assert lookup(ledger, token, NOW + timedelta(hours=24)) is None


def test_being_seen_is_noted_at_most_once_a_minute(ledger: Ledger, ann: User) -> None:
    token, _ = start(ledger, ann)
    lookup(ledger, token, NOW + timedelta(seconds=59))
    assert [one.last_seen_at for one in seen(ledger, ann)] == [NOW]
    lookup(ledger, token, NOW + timedelta(seconds=60))
    assert [one.last_seen_at for one in seen(ledger, ann)] == [NOW + timedelta(seconds=60)]


def test_looking_up_works_inside_a_write_too(ledger: Ledger, ann: User) -> None:
    token, _ = start(ledger, ann)
    with ledger.write() as con:
        audit.record(con, actor="a", action="b", subject="c")
        assert lookup(ledger, token, NOW + timedelta(minutes=5))
    assert [one.last_seen_at for one in seen(ledger, ann)] == [NOW + timedelta(minutes=5)]


def seen(ledger: Ledger, user: User) -> list[Session]:
    with ledger.read() as con:
        return sessions.list_of(con, user.id)


def test_an_ended_session_is_over(ledger: Ledger, ann: User) -> None:
    token, session = start(ledger, ann)
    ledger.run(sessions.end, session.id, actor=f"user:{ann.id}")
    ledger.run(sessions.end, session.id, actor=f"user:{ann.id}")
    assert lookup(ledger, token) is None
    with ledger.read() as con:
        assert [row.action for row in audit.page(con, subject=session.id)] == ["session.end", "session.start"]


def test_all_sessions_but_this_one_can_be_ended(ledger: Ledger, ann: User) -> None:
    tokens = [start(ledger, ann)[0] for _ in range(3)]
    kept = lookup(ledger, tokens[1])
    assert kept
    assert ledger.run(sessions.end_all, ann.id, actor=f"user:{ann.id}", but=kept.id) == 2
    assert [lookup(ledger, token) is not None for token in tokens] == [False, True, False]
    assert ledger.run(sessions.end_all, ann.id, actor=f"user:{ann.id}") == 1


def test_looking_without_touching_keeps_nothing_alive(ledger: Ledger, ann: User) -> None:
    token, _ = start(ledger, ann)
    assert sessions.lookup(ledger, token, now=NOW + timedelta(minutes=30), idle_minutes=60, seen=False)
    assert [one.last_seen_at for one in seen(ledger, ann)] == [NOW]


def test_a_renewed_session_lasts_as_long_as_a_new_one(ledger: Ledger, ann: User) -> None:
    token, session = start(ledger, ann)
    later = NOW + timedelta(minutes=30)
    ledger.run(sessions.renew, session.id, now=later, max_days=30, actor=f"user:{ann.id}")
    found = lookup(ledger, token, later)
    assert found
    assert (found.expires_at, found.last_seen_at) == (later + timedelta(days=30), later)
