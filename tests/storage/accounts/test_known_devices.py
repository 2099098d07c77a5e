"""Known devices: strangers lock nobody out of them, and they guess no more than others."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from storage.accounts import (
    browser_login,
    device_notices,
    known_devices,
    login_attempts,
    password_change,
    sessions,
    users,
)
from storage.domain.clock import utc_now
from storage.domain.errors import NotSignedIn, TooManyTries
from storage.domain.records import Role, User
from storage.ledger import audit
from storage.ledger.database import Ledger

PASSWORD = "correct horse battery"


@pytest.fixture
def bea(ledger: Ledger) -> User:
    return ledger.run(users.create, name="Bea", password=PASSWORD, role=Role.MEMBER, actor="cli:me")


def begin(ledger: Ledger, user: User, device: str | None = None) -> str:
    """Log in with a browser, and return its cookie."""
    now = utc_now()
    return ledger.run(browser_login.begin, user, device=device, client="10.0.0.9 Firefox/1", now=now, max_days=1)[1]


def try_password(ledger: Ledger, password: str, client: str, device: str | None = None) -> User:
    return users.authenticate(ledger, name="bea", password=password, client=client, device=device)


def guesses(ledger: Ledger, device: str | None, count: int, clients: Callable[[int], str]) -> int:
    """Guess, and return how many guesses were compared with the password."""
    compared = 0
    for number in range(count):
        try:
            try_password(ledger, "wrong", clients(number), device)
        except NotSignedIn:
            compared += 1
        except TooManyTries:
            pass
    return compared


def test_strangers_lock_out_unknown_browsers_alone(ledger: Ledger, bea: User) -> None:
    device = begin(ledger, bea)
    assert guesses(ledger, None, 60, lambda number: f"10.1.0.{number}") == login_attempts.LIMITS.per_name
    with pytest.raises(TooManyTries) as told:
        try_password(ledger, PASSWORD, "10.0.0.8")
    assert 0 < told.value.wait_s <= login_attempts.WINDOW_S
    assert f"wait {told.value.wait_s} seconds" in str(told.value)
    assert try_password(ledger, PASSWORD, "10.0.0.9", device) == bea


def test_a_known_browser_guesses_five_times_wherever_it_is(ledger: Ledger, bea: User) -> None:
    device = begin(ledger, bea)
    assert guesses(ledger, device, 20, lambda number: f"10.1.0.{number}") == 5
    with pytest.raises(TooManyTries):
        try_password(ledger, PASSWORD, "10.0.0.9", device)
    assert try_password(ledger, PASSWORD, "10.0.0.8") == bea


def test_a_browser_is_known_for_its_own_users_alone(
    ledger: Ledger, bea: User, make_user: Callable[[str], User]
) -> None:
    eve = begin(ledger, make_user("Eve"))
    guesses(ledger, None, 60, lambda number: f"10.1.0.{number}")
    for forged in (eve, "made-up", "." * 99, "x" * 999, f"{eve}.{eve}"):
        with pytest.raises(TooManyTries):
            try_password(ledger, PASSWORD, "10.0.0.9", forged)
    both = begin(ledger, bea, eve)
    assert eve in both.split(".")
    assert try_password(ledger, PASSWORD, "10.0.0.9", both) == bea
    assert begin(ledger, bea, both) == both


def test_a_cookie_that_was_planted_does_not_become_known(ledger: Ledger, bea: User) -> None:
    cookie = begin(ledger, bea, "planted")
    assert "planted" not in cookie
    with ledger.read() as con:
        assert known_devices.find(con, "planted", now=utc_now()) is None


def test_ten_browsers_of_a_user_are_known_for_a_year(ledger: Ledger, bea: User) -> None:
    cookies = [begin(ledger, bea) for _ in range(12)]
    with ledger.read() as con:
        known = [known_devices.find(con, each, user_id=bea.id, now=utc_now()) for each in cookies]
        assert known[:2] == [None, None]
        assert None not in known[2:]
        later = utc_now() + timedelta(days=known_devices.KEPT_DAYS + 1)
        assert known_devices.find(con, cookies[-1], now=later) is None
        assert known_devices.list_of(con, bea.id, now=later) == []


def test_a_new_password_forgets_all_browsers_but_the_one_that_set_it(ledger: Ledger, bea: User) -> None:
    here, there = begin(ledger, bea), begin(ledger, bea)
    with ledger.read() as con:
        keep = sessions.list_of(con, bea.id)[-1].id
    ledger.run(users.set_password, bea.id, password="an even better one", actor=bea.actor, keep_session=keep)
    with ledger.read() as con:
        found = [known_devices.find(con, each, now=utc_now()) is not None for each in (here, there)]
        assert found == [True, False]
        assert here not in str(con.execute("SELECT * FROM known_devices").fetchall()) + str(audit.page(con))
    ledger.run(users.set_password, bea.id, password="the best one of all", actor="cli:me")
    with ledger.read() as con:
        assert known_devices.list_of(con, bea.id, now=utc_now()) == []


def session_of(ledger: Ledger, user: User, device: str) -> str:
    """Return the session that the browser with this cookie has."""
    with ledger.read() as con:
        ident = known_devices.find(con, device, user_id=user.id, now=utc_now())
        return next(one.session_id for one in known_devices.list_of(con, user.id, now=utc_now()) if one.id == ident)


def told(ledger: Ledger, user: User, device: str) -> int:
    """Return of how many new browsers the pages of this browser tell."""
    with ledger.read() as con:
        return len(device_notices.unseen(con, user.id, session_of(ledger, user, device), now=utc_now()))


def mails(ledger: Ledger) -> int:
    with ledger.read() as con:
        return len(device_notices.due(con, now=utc_now() + timedelta(seconds=1), limit=99))


def test_a_new_browser_is_told_in_older_ones_until_it_is_confirmed_there(ledger: Ledger, bea: User) -> None:
    first = begin(ledger, bea)
    assert (told(ledger, bea, first), mails(ledger)) == (0, 0)  # the account's first log-in
    second = begin(ledger, bea)
    assert begin(ledger, bea, first) == first
    assert (told(ledger, bea, first), told(ledger, bea, second), mails(ledger)) == (1, 0, 1)

    def confirm(device: str) -> None:
        ledger.run(device_notices.dismiss, bea.id, session_of(ledger, bea, device), now=utc_now(), actor=bea.actor)

    confirm(second)
    assert told(ledger, bea, first) == 1
    with ledger.read() as con:
        assert [one.new for one in known_devices.list_of(con, bea.id, now=utc_now())] == [False, True]
    confirm(first)
    assert (told(ledger, bea, first), mails(ledger)) == (0, 1)
    with ledger.read() as con:
        (row,) = audit.page(con, action="device.dismiss")
        assert not any(one.new for one in known_devices.list_of(con, bea.id, now=utc_now()))
    assert (row.actor, row.subject) == (bea.actor, bea.id)


def test_a_new_password_settles_the_notices_but_not_their_mails(ledger: Ledger, bea: User) -> None:
    here, _ = begin(ledger, bea), begin(ledger, bea)
    keep = session_of(ledger, bea, here)
    change = {"password": "an even better one", "keep": keep, "end_keys": False, "actor": bea.actor}
    ledger.run(password_change.change, bea.id, **change)  # type: ignore[arg-type]
    assert (told(ledger, bea, here), mails(ledger)) == (0, 1)


def test_who_has_no_known_browser_left_gets_a_mail_and_nobody_gets_too_many(ledger: Ledger, bea: User) -> None:
    begin(ledger, bea)
    ledger.run(known_devices.forget_all, bea.id, actor=bea.actor)
    begin(ledger, bea)
    assert mails(ledger) == 1
    for _ in range(device_notices.MOST_A_DAY + 2):
        begin(ledger, bea)
    assert mails(ledger) == device_notices.MOST_A_DAY
    ledger.run(device_notices.tidy, now=utc_now() + timedelta(days=31))
    assert mails(ledger) == 0
