"""Accounts: unique names, hashed passwords, login limits, always one administrator."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from storage.accounts import login_attempts, sessions, users
from storage.accounts.login_attempts import TryLimits
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NotFound, NotSignedIn, TooManyTries, TranscriberError
from storage.domain.records import Role, User
from storage.ledger import audit
from storage.ledger.database import Ledger

PASSWORD = "correct horse"


FEW = TryLimits(per_name_and_client=3)
"""Few, since each takes a slow hash."""


@pytest.fixture(scope="session")
def hashed() -> str:
    """The hash of `PASSWORD`, made once: it is slow on purpose."""
    return PasswordHasher().hash(PASSWORD)


@pytest.fixture
def bea(ledger: Ledger, make_user: Callable[[str], User], hashed: str) -> User:
    user = make_user("Bea")
    with ledger.write() as con:
        con.execute(
            "UPDATE users SET password_hash = $h, must_change_password = FALSE WHERE id = $id",
            {"h": hashed, "id": user.id},
        )
        return users.get(con, user.id)


def sign_in(
    ledger: Ledger,
    name: str = "Bea",
    password: str = PASSWORD,
    client: str = "10.0.0.1",
    limits: TryLimits = login_attempts.LIMITS,
) -> User:
    return users.authenticate(ledger, name=name, password=password, client=client, limits=limits)


def test_a_new_account_can_log_in(ledger: Ledger) -> None:
    user = ledger.run(users.create, name="Cleo", password=PASSWORD, role=Role.READER, actor="cli:me")
    assert sign_in(ledger, "Cleo") == user
    assert (user.name, user.role, user.disabled, user.must_change_password) == ("Cleo", Role.READER, False, False)


def test_the_right_password_lets_in_whatever_the_case_of_the_name(ledger: Ledger, bea: User) -> None:
    assert sign_in(ledger, " bEA ") == bea


@pytest.mark.parametrize(("name", "password"), [("Bea", "wrong"), ("nobody", PASSWORD), ("", ""), ("Bea", "x" * 9999)])
def test_all_else_does_not_and_the_message_does_not_say_why(
    ledger: Ledger, bea: User, name: str, password: str
) -> None:
    with pytest.raises(NotSignedIn, match="name or the password"):
        sign_in(ledger, name, password)


def test_a_disabled_user_is_not_let_in(ledger: Ledger, bea: User) -> None:
    ledger.run(users.set_disabled, bea.id, disabled=True, actor="cli:me")
    with pytest.raises(NotSignedIn):
        sign_in(ledger)


def test_the_password_lies_nowhere_in_the_file(ledger: Ledger, bea: User) -> None:
    with ledger.read() as con:
        assert "argon2id" in str(con.execute("SELECT * FROM users").fetchall())
    ledger.close()
    assert PASSWORD.encode() not in ledger.path.read_bytes()


def test_guessing_is_stopped_and_failures_stay_counted(ledger: Ledger, bea: User) -> None:
    for _ in range(FEW.per_name_and_client):
        with pytest.raises(NotSignedIn):
            sign_in(ledger, password="wrong", limits=FEW)
    with pytest.raises(TooManyTries) as caught:
        sign_in(ledger, limits=FEW)
    assert 0 < caught.value.wait_s <= login_attempts.WINDOW_S
    assert sign_in(ledger, client="10.0.0.2") == bea


def test_a_right_password_clears_the_count(ledger: Ledger, bea: User) -> None:
    two = TryLimits(per_name_and_client=2)
    for _ in range(3):
        with pytest.raises(NotSignedIn):
            sign_in(ledger, password="wrong", limits=two)
        sign_in(ledger, limits=two)


def test_a_client_cannot_guess_through_many_names(ledger: Ledger, bea: User) -> None:
    three = TryLimits(per_client=3)
    for number in range(3):
        with pytest.raises(NotSignedIn):
            sign_in(ledger, name=f"user{number}", limits=three)
    with pytest.raises(TooManyTries):
        sign_in(ledger, limits=three)


def test_guessing_in_parallel_does_not_help(ledger: Ledger, bea: User) -> None:
    answers: list[str] = []

    def guess() -> None:
        try:
            sign_in(ledger, password="wrong")
        except TranscriberError as error:
            answers.append(error.code)

    threads = [threading.Thread(target=guess) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count("not_signed_in") == login_attempts.LIMITS.per_name_and_client
    assert answers.count("too_many_tries") == 5


@pytest.mark.parametrize("name", ["bea", "BEA", " Bea ", "", "   ", "x" * 65, "a\nb", "a\x00b"])
def test_names_that_are_taken_or_unusable_are_refused(ledger: Ledger, bea: User, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        ledger.run(users.create, name=name, password=PASSWORD, role=Role.MEMBER, actor="cli:me")


@pytest.mark.parametrize("name", ["Ьеа", "beа"])
def test_names_that_look_like_anothers_are_refused(ledger: Ledger, bea: User, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        ledger.run(users.create, name=name, password=PASSWORD, role=Role.MEMBER, actor="cli:me")


@pytest.mark.parametrize("password", ["", "short", "x" * 2000, "password123"])
def test_passwords_that_will_not_do_are_refused(ledger: Ledger, bea: User, password: str) -> None:
    with pytest.raises(BadRequest, match="password"):
        ledger.run(users.set_password, bea.id, password=password, actor="cli:me")
    with pytest.raises(BadRequest, match="password"):
        ledger.run(users.create, name="new", password=password, role=Role.MEMBER, actor="cli:me")


def test_a_new_password_replaces_the_old(ledger: Ledger, bea: User) -> None:
    ledger.run(users.set_password, bea.id, password="another horse", must_change=True, actor="cli:me")
    assert sign_in(ledger, password="another horse").must_change_password
    with pytest.raises(NotSignedIn):
        sign_in(ledger)


def test_disabling_ends_sessions(ledger: Ledger, bea: User) -> None:
    ledger.run(sessions.start, bea, client="Firefox", now=utc_now(), max_days=30)
    ledger.run(users.set_disabled, bea.id, disabled=True, actor="cli:me")
    ledger.run(users.set_disabled, bea.id, disabled=False, actor="cli:me")
    with ledger.read() as con:
        assert sessions.list_of(con, bea.id) == []


def test_changes_to_nobody_are_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.run(users.set_password, "nobody", password=PASSWORD, actor="cli:me")
    with pytest.raises(NotFound):
        ledger.run(users.set_role, "nobody", role=Role.ADMIN, actor="cli:me")
    with pytest.raises(NotFound):
        ledger.run(users.set_disabled, "nobody", disabled=True, actor="cli:me")


def test_users_are_listed_by_name(ledger: Ledger, make_user: Callable[[str], User]) -> None:
    for name in ("zoe", "Anna", "mia"):
        make_user(name)
    with ledger.read() as con:
        assert [user.name for user in users.list_all(con)] == ["Anna", "mia", "zoe"]
        assert users.by_name(con, "ZOE")
        assert users.by_name(con, "nobody") is None


def test_the_first_start_makes_an_admin_once(ledger: Ledger) -> None:
    password = ledger.run(users.ensure_admin, None)
    assert password
    assert ledger.run(users.ensure_admin, None) is None
    admin = sign_in(ledger, "admin", password)
    assert (admin.role, admin.must_change_password) == (Role.ADMIN, True)


def test_a_first_password_from_the_settings_is_not_shown_and_must_be_changed(ledger: Ledger) -> None:
    assert ledger.run(users.ensure_admin, SecretStr(PASSWORD)) is None
    assert sign_in(ledger, "admin").must_change_password


def test_an_admin_without_a_password_gets_one(ledger: Ledger, make_user: Any) -> None:
    """A rebuild brings the account back, but not its password."""
    restored = make_user("admin", Role.ADMIN)
    password = ledger.run(users.ensure_admin, None)
    assert password
    assert sign_in(ledger, "admin", password).id == restored.id


def test_the_last_administrator_stays(ledger: Ledger) -> None:
    ledger.run(users.ensure_admin, SecretStr(PASSWORD))
    with ledger.read() as con:
        admin = users.by_name(con, "admin")
    assert admin
    with pytest.raises(BadRequest, match="last administrator"):
        ledger.run(users.set_disabled, admin.id, disabled=True, actor="cli:me")
    with pytest.raises(BadRequest, match="last administrator"):
        ledger.run(users.set_role, admin.id, role=Role.MEMBER, actor="cli:me")
    ledger.run(users.create, name="two", password=PASSWORD, role=Role.ADMIN, actor="cli:me")
    assert ledger.run(users.set_role, admin.id, role=Role.READER, actor="cli:me").role is Role.READER


def test_every_change_has_its_audit_row(ledger: Ledger, bea: User) -> None:
    ledger.run(users.set_role, bea.id, role=Role.READER, actor="cli:me")
    ledger.run(users.set_password, bea.id, password="another horse", actor=f"user:{bea.id}")
    ledger.run(users.set_disabled, bea.id, disabled=True, actor="cli:me")
    ledger.run(users.set_disabled, bea.id, disabled=False, actor="cli:me")
    with ledger.read() as con:
        rows = audit.page(con, subject=bea.id)
    assert [row.action for row in reversed(rows)] == [
        "user.restore",
        "user.role",
        "user.password",
        "user.disable",
        "user.enable",
    ]
    assert "horse" not in str(rows)


def test_old_failures_are_forgotten(ledger: Ledger, bea: User) -> None:
    for _ in range(FEW.per_name_and_client):
        with pytest.raises(NotSignedIn):
            sign_in(ledger, password="wrong", limits=FEW)
    before = utc_now() - timedelta(seconds=login_attempts.WINDOW_S + 1)
    with ledger.write() as con:
        con.execute("UPDATE login_tries SET tried_at = $before", {"before": before})
    assert sign_in(ledger, limits=FEW) == bea
