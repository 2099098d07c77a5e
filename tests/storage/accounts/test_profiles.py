"""Profiles, quotas, identities and the registration policy."""

from collections.abc import Callable

import pytest

from storage.accounts import oidc_identities, profiles, quotas, registration_policy, users
from storage.accounts.registration_policy import Registration, RegistrationPolicy
from storage.domain.errors import BadRequest, HoursUsedUp, SpaceUsedUp
from storage.domain.records import Role, User
from storage.ledger import audit
from storage.ledger.database import Ledger
from tests.factories import FlowRun
from tests.storage.conftest import MakeJob


def test_a_profile_is_kept_and_on_record(ledger: Ledger, ann: User) -> None:
    for _ in range(2):
        user = ledger.run(profiles.set_profile, ann.id, display_name=" Ann Lee ", email="ann@example.org", actor="a")
        assert (user.shown_name, user.name, user.email) == ("Ann Lee", "Ann", "ann@example.org")
    with ledger.read() as con:
        assert [row.action for row in audit.page(con, subject=ann.id)] == ["user.profile", "user.restore"]
    user = ledger.run(profiles.set_profile, ann.id, display_name="", email="", actor="a")
    assert (user.shown_name, user.email) == ("Ann", None)


@pytest.mark.parametrize("email", ["ann", "ann@", "a b@example.org", "a@example.org, b@example.org", "a@x\nBcc: b@y"])
def test_what_is_no_address_is_refused(ledger: Ledger, ann: User, email: str) -> None:
    with pytest.raises(BadRequest, match="e-mail"):
        ledger.run(profiles.set_profile, ann.id, display_name=None, email=email, actor="a")


def test_users_come_in_pages_and_are_found_by_parts(ledger: Ledger, make_user: Callable[[str], User]) -> None:
    for name in ("Bo", "ada", "Cy", "Dan"):
        make_user(name)
    with ledger.read() as con:
        first = users.page(con, limit=2)
        assert [user.name for user in first] == ["ada", "Bo"]
        assert [user.name for user in users.page(con, after=first[-1].name, limit=9)] == ["Cy", "Dan"]
        assert [user.name for user in users.page(con, search="DA")] == ["ada", "Dan"]
        assert users.page(con, search="%") == []


def test_bytes_are_limited_when_a_recording_is_accepted(ledger: Ledger, ann: User, make_job: MakeJob) -> None:
    ledger.run(profiles.set_quota, ann.id, hours=None, size_bytes=10, actor="a")
    make_job(content="0123456")
    with pytest.raises(SpaceUsedUp, match="do not fit"):
        make_job(content="0123")
    make_job(content="012")
    ledger.run(profiles.set_quota, ann.id, hours=None, size_bytes=None, actor="a")
    make_job(content="0123")


def test_hours_are_limited_by_the_month(
    ledger: Ledger, ann: User, make_job: MakeJob, run_of: Callable[..., FlowRun]
) -> None:
    ledger.run(profiles.set_quota, ann.id, hours=30 / 3600, size_bytes=None, actor="a")
    run_of(make_job(content="a")).whole_way()
    under_way = run_of(make_job(content="b"))
    under_way.start()
    under_way.plan()
    with ledger.read() as con:
        used = quotas.usage(con, ann.id)
    assert (used.heard_s, used.coming_s, used.stored_bytes) == (20, 20, 2)
    with pytest.raises(HoursUsedUp, match="this month"):
        make_job(content="c")
    with ledger.write() as con:
        con.execute("UPDATE usage SET month = '2000-01'")
    make_job(content="c")


def test_a_quota_below_zero_is_refused(ledger: Ledger, ann: User) -> None:
    with pytest.raises(BadRequest):
        ledger.run(profiles.set_quota, ann.id, hours=-1, size_bytes=None, actor="a")


def test_an_identity_leads_to_its_user(ledger: Ledger, ann: User) -> None:
    ledger.run(oidc_identities.link, ann.id, issuer="https://id.example", subject="1", actor="a")
    with ledger.read() as con:
        assert oidc_identities.find(con, issuer="https://id.example", subject="1") == ann
        assert oidc_identities.find(con, issuer="https://id.example", subject="2") is None
        assert oidc_identities.list_of(con, ann.id) == [("https://id.example", "1")]


def test_an_account_without_a_password_is_let_in_by_none(ledger: Ledger) -> None:
    eve = ledger.run(users.create, name="Eve", password=None, role=Role.MEMBER, actor="a")
    with ledger.read() as con:
        assert not users.has_password(con, eve.id)
    for guess in ("", "elsewhere", "lost"):
        with pytest.raises(Exception, match="name or the password"):
            users.authenticate(ledger, name="Eve", password=guess, client="x")


def test_choices_are_kept_and_on_record(ledger: Ledger) -> None:
    with ledger.read() as con:
        assert registration_policy.of(con) == RegistrationPolicy()
    chosen = RegistrationPolicy(registration=Registration.OPEN, role=Role.READER)
    for _ in range(2):
        ledger.run(registration_policy.set_, chosen, actor="user:root")
    with ledger.read() as con:
        assert registration_policy.of(con) == chosen
        assert [row.detail["registration"] for row in audit.page(con, subject="choices")] == ["open"]
    with pytest.raises(BadRequest, match="invite"):
        ledger.run(registration_policy.set_, RegistrationPolicy(role=Role.ADMIN), actor="user:root")
