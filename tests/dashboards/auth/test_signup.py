"""Registration by policy, invitations, password links, and the session's duration."""

from datetime import timedelta

import pytest
from httpx2 import Response

from dashboards.http.access_middleware import COOKIE
from dashboards.runtime import context
from storage.accounts import invitations, login_attempts, registration_policy, sessions, users
from storage.accounts.registration_policy import Registration, RegistrationPolicy
from storage.domain.clock import utc_now
from storage.domain.records import Role
from storage.ledger import audit
from tests.dashboards.auth.test_login import code_of_closing
from tests.dashboards.site import ORIGIN, PASSWORD, Site

pytestmark = pytest.mark.shared_site

NEW = "a better password"


def allow(registration: Registration, role: Role = Role.MEMBER) -> None:
    context.ledger().run(
        registration_policy.set_, RegistrationPolicy(registration=registration, role=role), actor="user:root"
    )


def invite(role: Role = Role.READER) -> str:
    return context.ledger().run(invitations.invite, role=role, actor="user:root")[0]


def register(site: Site, name: str = "grace", **more: str) -> Response:
    form = {"name": name, "password": NEW} | more
    return site.client.post("/auth/register", data=form, headers=ORIGIN)


def test_where_registering_is_open_everybody_gets_the_chosen_role(site: Site) -> None:
    allow(Registration.OPEN, Role.READER)
    assert register(site, email="grace@example.org").json() == {"ok": True, "next": "/", "user": "grace"}
    assert site.client.get("/api/v1/me").json()["role"] == "reader"
    user = site.user("grace")
    assert (user.email, user.must_change_password) == ("grace@example.org", False)
    with context.ledger().read() as con:
        assert [row.actor for row in audit.page(con, subject=user.id)] == ["system:registration"]


@pytest.mark.parametrize("registration", [Registration.INVITED, Registration.CLOSED])
def test_elsewhere_strangers_are_refused(site: Site, registration: Registration) -> None:
    allow(registration)
    answer = register(site)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "registration_closed")
    assert COOKIE not in site.client.cookies


@pytest.mark.own_site
def test_an_invitation_lets_one_in(site: Site) -> None:
    token = invite(Role.ADMIN)
    assert register(site, token=token).status_code == 200
    assert site.client.get("/api/v1/me").json()["role"] == "admin"
    again = register(site, "mallory", token=token)
    assert (again.status_code, again.json()["error"]["code"]) == (410, "link_spent")


def test_closed_is_closed_for_the_invited_too(site: Site) -> None:
    token = invite()
    allow(Registration.CLOSED)
    assert register(site, token=token).status_code == 403


@pytest.mark.own_site
def test_a_name_or_password_that_will_not_do_leaves_the_invitation_good(site: Site) -> None:
    token = invite()
    assert register(site, "ADA", token=token).json()["error"]["param"] == "name"
    assert register(site, password="short", token=token).json()["error"]["param"] == "password"
    assert register(site, token=token).status_code == 200


def test_accounts_are_not_made_in_bulk(site: Site) -> None:
    allow(Registration.OPEN)
    for number in range(login_attempts.LIMITS.per_name_and_client):
        register(site, f"user{number}", password="short")
    answer = register(site)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_another_site_cannot_register_or_reset(site: Site) -> None:
    allow(Registration.OPEN)
    for path in ("/auth/register", "/auth/reset"):
        form = {"name": "grace", "password": NEW, "token": "x"}
        answer = site.client.post(path, data=form, headers={"Origin": "https://evil.example"})
        assert answer.json()["error"]["code"] == "cross_site"


def test_a_reset_link_sets_the_password_and_ends_what_the_old_one_opened(site: Site) -> None:
    site.sign_in()
    token, _ = context.ledger().run(invitations.offer_reset, site.user().id, actor="user:root")
    with site.client.websocket_connect("/events", headers=ORIGIN) as page:
        form = {"token": token, "password": NEW}
        assert site.client.post("/auth/reset", data=form, headers=ORIGIN).json()["user"] == "ada"
        assert code_of_closing(page) == 4401
    assert site.client.get("/api/v1/me").json()["name"] == "ada"
    assert site.client.post("/auth/reset", data=form, headers=ORIGIN).status_code == 410
    assert site.log_in("ada", NEW).status_code == 200
    assert site.log_in("ada", PASSWORD).status_code == 401


def test_a_reset_link_lets_no_disabled_account_in(site: Site) -> None:
    token, _ = context.ledger().run(invitations.offer_reset, site.user().id, actor="user:root")
    context.ledger().run(users.set_disabled, site.user().id, disabled=True, actor="user:root")
    site.client.post("/auth/reset", data={"token": token, "password": NEW}, headers=ORIGIN)
    assert COOKIE not in site.client.cookies


def rewind(minutes: float) -> None:
    with context.ledger().write() as con:
        con.execute("UPDATE sessions SET last_seen_at = $then", {"then": utc_now() - timedelta(minutes=minutes)})


@pytest.mark.own_site
def test_asking_how_long_a_session_lasts_does_not_keep_it_alive(site: Site) -> None:
    site.sign_in()
    rewind(30)
    for _ in range(2):
        left = site.client.get("/auth/session").json()
        assert left["by_password"] is True
        assert left["idle_s"] == pytest.approx((12 * 60 - 30) * 60, abs=20)
        assert left["ends_s"] == pytest.approx(86_400, abs=20)
    assert site.client.post("/auth/session/stay", headers=ORIGIN).status_code == 204
    assert site.client.get("/auth/session").json()["idle_s"] == pytest.approx(12 * 3600, abs=20)


@pytest.mark.own_site
def test_the_password_renews_a_session_and_its_cookie(site: Site) -> None:
    session_id = site.sign_in()
    wrong = site.client.post("/auth/session/renew", data={"password": "wrong"}, headers=ORIGIN)
    assert wrong.json()["error"]["param"] == "password"
    answer = site.client.post("/auth/session/renew", data={"password": PASSWORD}, headers=ORIGIN)
    assert f"max-age={30 * 86_400}" in answer.headers["set-cookie"].lower()
    with context.ledger().read() as con:
        (session,) = sessions.list_of(con, site.user().id)
    assert session.id == session_id
    assert session.expires_at - utc_now() > timedelta(days=29)


def test_a_stranger_asks_nothing_of_sessions(site: Site) -> None:
    assert site.client.get("/auth/session").status_code == 401
    assert site.client.post("/auth/session/stay", headers=ORIGIN).status_code == 401
