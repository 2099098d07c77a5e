"""Login through a real OpenID provider, with right and wrong responses."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from dashboards.auth.oidc_routes import COOKIE as STATE_COOKIE
from dashboards.http.access_middleware import COOKIE
from dashboards.runtime import context
from storage.accounts import invitations, oidc_identities, registration_policy, sessions, users
from storage.accounts.registration_policy import Registration, RegistrationPolicy
from storage.domain.records import Role, User
from storage.domain.settings import OidcSettings, Settings
from storage.ledger import audit
from storage.remote.certificates import usual_tls
from tests.dashboards.provider import CLIENT, SECRET, Provider, provider
from tests.dashboards.site import Site, running

pytestmark = pytest.mark.shared_site


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    with provider() as made:
        yield made


def with_provider(settings: Settings, elsewhere: Provider, **more: Any) -> Settings:
    known: dict[str, Any] = {
        "oidc_issuer": elsewhere.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
    }
    settings.__dict__["oidc"] = OidcSettings(**known | more, _env_file=None)
    return settings


@pytest.fixture
def oidc(settings: Settings, elsewhere: Provider) -> Iterator[Site]:
    """A site whose people all come from the provider."""
    with running(with_provider(settings, elsewhere, oidc_create_users=True, oidc_admin_group="admins")) as site:
        yield site


def away(site: Site, to: str = "/") -> str:
    """Begin at the log-in page, let the provider do its part, and return the path that it sends the browser to."""
    began = site.client.get("/auth/oidc/start", params={"next": to}, follow_redirects=False)
    assert began.status_code == 303
    back = httpx.get(began.headers["location"], verify=usual_tls()).headers["location"]
    assert back.startswith("http://testserver/auth/oidc/callback?")
    return back.removeprefix("http://testserver")


def log_in(site: Site, to: str = "/") -> str:
    """Go the whole way; return where the browser is led."""
    path = away(site, to)
    answer = site.client.get(path, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


def grace() -> User | None:
    with context.ledger().read() as con:
        return users.by_name(con, "grace")


def test_the_provider_s_person_gets_an_account_and_a_session(oidc: Site, elsewhere: Provider) -> None:
    elsewhere.person |= {"name": "Grace Hopper", "email": "grace@example.org", "email_verified": True}
    assert log_in(oidc, "/job?id=7") == "/job?id=7"
    user = grace()
    assert user
    assert (user.role, user.display_name, user.email) == (Role.MEMBER, "Grace Hopper", "grace@example.org")
    assert oidc.client.get("/api/v1/me").json()["name"] == "grace"
    with context.ledger().read() as con:
        (session,) = sessions.list_of(con, user.id)
        assert oidc_identities.list_of(con, user.id) == [(elsewhere.url, "4711")]
    context.ledger().run(sessions.end, session.id, actor="system:test")
    assert oidc.client.get("/api/v1/me").status_code == 401


def test_the_same_person_comes_back_to_the_same_account(oidc: Site, elsewhere: Provider) -> None:
    log_in(oidc)
    first = grace()
    elsewhere.person["preferred_username"] = "somebody else's name by now"
    log_in(oidc)
    assert oidc.client.get("/api/v1/me").json()["id"] == first.id if first else ""


def test_a_name_that_is_taken_here_does_not_give_that_account(oidc: Site, elsewhere: Provider) -> None:
    elsewhere.person |= {"preferred_username": "root"}
    log_in(oidc)
    assert oidc.client.get("/api/v1/me").json() | {"id": ""} == {"id": "", "name": "root 2", "role": "member"}


NOW = int(time.time())


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"iss": "https://evil.example"},
        {"exp": NOW - 3600},
        {"exp": None},
        {"iat": NOW + 3600},
        {"sub": None},
    ],
    ids="-".join,  # nothing that changes with the time: parallel runs must agree on the names
)
def test_a_token_that_is_not_for_us_now_lets_nobody_in(oidc: Site, elsewhere: Provider, wrong: dict[str, Any]) -> None:
    elsewhere.wrong = wrong
    assert log_in(oidc) == "/?sign_in=sign_in_failed"
    assert COOKIE not in oidc.client.cookies
    assert grace() is None


def test_a_token_that_somebody_else_signed_lets_nobody_in(oidc: Site, elsewhere: Provider) -> None:
    elsewhere.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
    assert log_in(oidc) == "/?sign_in=sign_in_failed"


def test_new_keys_of_the_provider_are_fetched(oidc: Site, elsewhere: Provider) -> None:
    log_in(oidc)
    elsewhere.key = RSAKey.generate_key(2048, {"kid": "two"})
    context.current().provider._described_at -= 5
    assert log_in(oidc) == "/"


def test_a_way_back_works_once(oidc: Site) -> None:
    path = away(oidc)
    state = oidc.client.cookies[STATE_COOKIE]
    assert oidc.client.get(path, follow_redirects=False).headers["location"] == "/"
    oidc.client.cookies.delete(COOKIE)
    oidc.client.cookies.set(STATE_COOKIE, state, domain="testserver.local", path="/auth/oidc")
    assert oidc.client.get(path, follow_redirects=False).headers["location"] == "/?sign_in=sign_in_failed"
    assert COOKIE not in oidc.client.cookies


def test_a_way_back_works_in_no_other_browser(oidc: Site) -> None:
    path = away(oidc)
    oidc.client.cookies.clear()
    assert oidc.client.get(path, follow_redirects=False).headers["location"] == "/?sign_in=sign_in_failed"
    assert oidc.client.get("/auth/oidc/callback", follow_redirects=False).headers["location"].startswith("/?sign_in")


def test_a_way_back_that_took_too_long_is_none(oidc: Site) -> None:
    path = away(oidc)
    context.current().provider.within_s = -1.0
    assert oidc.client.get(path, follow_redirects=False).headers["location"] == "/?sign_in=sign_in_failed"


def test_whoever_the_provider_refuses_is_led_back_to_the_login(oidc: Site, elsewhere: Provider) -> None:
    elsewhere.refuses = True
    assert log_in(oidc) == "/?sign_in=sign_in_failed"


def test_another_site_is_no_place_to_go_on_to(oidc: Site) -> None:
    assert log_in(oidc, "//evil.example") == "/"


def test_the_admin_group_makes_administrators_and_its_lack_unmakes_them(oidc: Site, elsewhere: Provider) -> None:
    elsewhere.person["groups"] = ["staff", "admins"]
    log_in(oidc)
    user = grace()
    assert user
    assert user.role is Role.ADMIN
    elsewhere.person["groups"] = ["staff"]
    log_in(oidc)
    user = grace()
    assert user
    assert user.role is Role.MEMBER


def test_failed_log_ins_through_the_provider_are_recorded(oidc: Site, elsewhere: Provider) -> None:
    log_in(oidc)
    user = grace()
    assert user
    context.ledger().run(users.set_disabled, user.id, disabled=True, actor="system:test")
    elsewhere.wrong = {"nonce": "another"}
    assert log_in(oidc) == "/?sign_in=sign_in_failed"
    elsewhere.wrong = {}
    assert log_in(oidc) == "/?sign_in=sign_in_failed"
    with context.ledger().read() as con:
        found = audit.page(con, action="login.fail")[::-1]
    by = {"by": "provider", "code": "sign_in_failed"}
    assert [(row.actor, row.subject, row.detail, row.address) for row in found] == [
        ("nobody", "provider", by, "testclient"),
        ("nobody", "grace", by, "testclient"),
    ]


def test_a_disabled_account_is_not_let_in(oidc: Site) -> None:
    log_in(oidc)
    user = grace()
    assert user
    context.ledger().run(users.set_disabled, user.id, disabled=True, actor="system:test")
    assert log_in(oidc) == "/?sign_in=sign_in_failed"


def test_strangers_need_an_invitation_to_their_verified_address(settings: Settings, elsewhere: Provider) -> None:
    elsewhere.person |= {"email": "grace@example.org"}
    with running(with_provider(settings, elsewhere)) as site:
        assert log_in(site) == "/?sign_in=registration_closed"
        invited = {"role": Role.READER, "email": "grace@example.org", "lasts": timedelta(days=1)}
        context.ledger().run(invitations.invite, **invited, actor="user:root")  # type: ignore[arg-type]
        assert log_in(site) == "/?sign_in=registration_closed"
        elsewhere.person["email_verified"] = True
        assert log_in(site) == "/"
        user = grace()
        assert user
        assert user.role is Role.READER
        elsewhere.person = {"sub": "4712"}
        assert log_in(site) == "/?sign_in=registration_closed"
        context.ledger().run(
            registration_policy.set_, RegistrationPolicy(registration=Registration.OPEN), actor="user:root"
        )
        assert log_in(site) == "/"


def test_a_provider_that_is_away_is_said_to_be(settings: Settings) -> None:
    gone = Provider(url="http://127.0.0.1:9")
    with running(with_provider(settings, gone)) as site:
        answer = site.client.get("/auth/oidc/start", follow_redirects=False)
        assert answer.headers["location"] == "/?sign_in=provider_unreachable"


def test_without_a_provider_there_is_none(site: Site) -> None:
    assert site.client.get("/auth/oidc/start").status_code == 404
    assert parse_qs(urlsplit(site.client.get("/auth/oidc/callback", follow_redirects=False).headers["location"]).query)
