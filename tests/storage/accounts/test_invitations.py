"""Single-use links for a new account or a new password."""

from datetime import timedelta

import pytest

from storage.accounts import invitations, sessions, users
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, LinkSpent
from storage.domain.records import Role, User
from storage.ledger import audit
from storage.ledger.database import Ledger

PASSWORD = "correct horse"


def invite(ledger: Ledger, *, lasts: timedelta = timedelta(days=1)) -> tuple[str, invitations.Invitation]:
    return ledger.run(invitations.invite, role=Role.READER, email="eve@example.org", lasts=lasts, actor="user:root")


def accept(ledger: Ledger, token: str, name: str = "Eve") -> User:
    with ledger.write() as con:
        return invitations.accept(con, invitations.find(con, token), name=name, password=PASSWORD)


def test_an_invitation_makes_one_account_of_its_role(ledger: Ledger) -> None:
    token, made = invite(ledger)
    eve = accept(ledger, token)
    assert (eve.role, eve.email, eve.must_change_password) == (Role.READER, "eve@example.org", False)
    assert users.authenticate(ledger, name="Eve", password=PASSWORD, client="x") == eve
    with ledger.read() as con:
        assert {row.action for row in audit.page(con, subject=made.id)} == {"invitation.create", "invitation.use"}
    with pytest.raises(LinkSpent):
        accept(ledger, token, "Mallory")


def test_a_name_that_is_taken_leaves_the_invitation_open(ledger: Ledger, ann: User) -> None:
    token, _ = invite(ledger)
    with pytest.raises(BadRequest, match="taken"):
        accept(ledger, token, "ann")
    assert accept(ledger, token).name == "Eve"


def test_an_old_or_withdrawn_invitation_opens_nothing(ledger: Ledger) -> None:
    old, _ = invite(ledger, lasts=timedelta(0))
    withdrawn, made = invite(ledger)
    with ledger.read() as con:
        assert [one.id for one in invitations.list_open(con)] == [made.id]
    for _ in range(2):
        ledger.run(invitations.revoke, made.id, actor="user:root")
    for token in (old, withdrawn, "", "\udcff", "' OR 1=1 --"):
        with pytest.raises(LinkSpent):
            accept(ledger, token)
    with ledger.read() as con:
        assert invitations.list_open(con) == []
        assert [row.action for row in audit.page(con, subject=made.id)] == ["invitation.revoke", "invitation.create"]


def test_the_token_is_not_kept(ledger: Ledger) -> None:
    token, _ = invite(ledger)
    ledger.close()
    assert token.encode() not in ledger.path.read_bytes()


def test_an_invitation_is_found_by_its_address(ledger: Ledger) -> None:
    _, made = invite(ledger)
    with ledger.read() as con:
        found = invitations.for_email(con, "EVE@example.org")
        assert found == made
        assert invitations.for_email(con, "eve@example.com") is None


def test_a_reset_sets_the_password_once_and_ends_sessions(ledger: Ledger, ann: User) -> None:
    token, _ = ledger.run(invitations.offer_reset, ann.id, actor="user:root")
    _, session = ledger.run(sessions.start, ann, client="x", now=utc_now(), max_days=1)
    with pytest.raises(BadRequest):
        ledger.run(invitations.reset, token, password="short")
    user, ended = ledger.run(invitations.reset, token, password=PASSWORD)
    assert (user.id, user.must_change_password, ended) == (ann.id, False, [session.id])
    assert users.authenticate(ledger, name="Ann", password=PASSWORD, client="x") == user
    with pytest.raises(LinkSpent):
        ledger.run(invitations.reset, token, password="another password")


def test_a_second_reset_link_ends_the_first(ledger: Ledger, ann: User) -> None:
    first, _ = ledger.run(invitations.offer_reset, ann.id, actor="user:root")
    second, _ = ledger.run(invitations.offer_reset, ann.id, actor="user:root")
    with pytest.raises(LinkSpent):
        ledger.run(invitations.reset, first, password=PASSWORD)
    ledger.run(invitations.reset, second, password=PASSWORD)


def test_one_kind_of_link_does_not_do_for_the_other(ledger: Ledger, ann: User) -> None:
    invitation, _ = invite(ledger)
    reset, _ = ledger.run(invitations.offer_reset, ann.id, actor="user:root")
    with pytest.raises(LinkSpent):
        ledger.run(invitations.reset, invitation, password=PASSWORD)
    with pytest.raises(LinkSpent):
        accept(ledger, reset)
