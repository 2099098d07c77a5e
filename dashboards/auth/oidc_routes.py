"""The routes for login through an OpenID provider."""

import hmac
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from duckdb import DuckDBPyConnection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards.auth.login import begin, local
from dashboards.http.forwarding import over_https
from dashboards.http.rate_limits import do_not_count
from dashboards.runtime import context, db, notify, security_log
from dashboards.runtime.site_paths import site_path
from storage.accounts import invitations, oidc_identities, profiles, registration_policy, sessions, users
from storage.accounts.credential_rules import checked_name
from storage.accounts.registration_policy import Registration
from storage.domain.errors import BadRequest, NotFound, RegistrationClosed, SignInFailed, TranscriberError
from storage.domain.records import Role, User
from storage.domain.settings import OidcSettings

logger = logging.getLogger(__name__)

COOKIE = "transcriber_oidc"
COOKIE_PATH = "/auth/oidc"


async def start(request: Request) -> Response:
    """Redirect the browser to the provider."""
    provider = context.current().provider
    if not provider.issuer:
        raise NotFound("provider", "to log in through")
    try:
        base = context.settings().web.public_url or str(request.base_url)
        url, begun = await provider.begin(
            redirect_uri=f"{base.rstrip('/')}/auth/oidc/callback",
            next_path=local(request.query_params.get("next", "")),
        )
    except TranscriberError as error:
        return _back(error)  # nobody has tried to log in yet
    answer = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    secure = over_https(request)
    answer.set_cookie(
        COOKIE, begun.state, max_age=600, path=site_path(COOKIE_PATH), httponly=True, samesite="lax", secure=secure
    )
    return answer


async def callback(request: Request) -> Response:
    """Handle the provider's response, and start a session like a password login."""
    provider, asked = context.current().provider, request.query_params
    claims: dict[str, Any] = {}
    try:
        state = asked.get("state", "")
        if not hmac.compare_digest(state.encode(), request.cookies.get(COOKIE, "").encode()):
            raise SignInFailed("it was not begun in this browser")
        begun = provider.end(state)
        if "code" not in asked:
            raise SignInFailed(f"the provider says {asked.get('error', 'nothing')}")
        claims = await provider.claims(asked["code"], begun)
        user, ended = await db.write(_account, claims, provider.settings)
    except TranscriberError as error:
        await security_log.login_failed(_name_in(claims), by="provider", code=error.code)
        return _back(error)
    do_not_count(request)
    notify.kick(ended)
    answer = await begin(request, user, RedirectResponse(begun.next_path, HTTPStatus.SEE_OTHER))
    answer.delete_cookie(COOKIE, path=site_path(COOKIE_PATH))
    return answer


def _back(error: TranscriberError) -> Response:
    logger.warning("a log-in through the provider failed: %s", error)
    answer = RedirectResponse(site_path(f"/?sign_in={error.code}"), HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, path=site_path(COOKIE_PATH))
    return answer


def _name_in(claims: dict[str, Any]) -> str | None:
    """Return the name of whom the provider knows and we refuse."""
    return next((str(claims[key]) for key in ("preferred_username", "email", "sub") if claims.get(key)), None)


def _account(con: DuckDBPyConnection, claims: dict[str, Any], settings: OidcSettings) -> tuple[User, list[str]]:
    """Return the user of these claims, created if allowed, and the ended sessions.

    Accounts are found only by issuer and subject: names and addresses can be reassigned.
    """
    user = oidc_identities.find(con, issuer=claims["iss"], subject=claims["sub"])
    if user is None:
        user = _make(con, claims, settings)
        oidc_identities.link(con, user.id, issuer=claims["iss"], subject=claims["sub"], actor=f"user:{user.id}")
    if user.disabled:
        raise SignInFailed("the account is disabled")
    return _by_group(con, user, claims, settings)


def _make(con: DuckDBPyConnection, claims: dict[str, Any], settings: OidcSettings) -> User:
    choice = registration_policy.of(con)
    email = str(claims.get("email", "")) if claims.get("email_verified") is True else ""
    try:
        email = users.checked_email(email) or ""
    except BadRequest:
        email = ""
    invited = invitations.for_email(con, email) if email else None
    name = _free_name(con, claims)
    if invited and choice.registration is not Registration.CLOSED:
        user = invitations.accept(con, invited, name=name, password=None, email=email)
    elif settings.oidc_create_users or choice.registration is Registration.OPEN:
        user = users.create(con, name=name, password=None, role=choice.role, email=email, actor="system:provider")
    else:
        raise RegistrationClosed("the provider knows you, but you have no account here")
    shown = str(claims.get("name", ""))
    with suppress(BadRequest):
        user = profiles.set_profile(con, user.id, display_name=shown, email=user.email, actor="system:provider")
    return user


def _free_name(con: DuckDBPyConnection, claims: dict[str, Any]) -> str:
    """Return the provider's user name, shortened and numbered if necessary.

    If it may not be a name here, the next claim that may be one is used.
    """
    claimed = (str(claims[key]) for key in ("preferred_username", "email", "name", "sub") if claims.get(key))
    printable = ("".join(char for char in wanted if char.isprintable()).strip()[:56] for wanted in claimed)
    base = next((wanted for wanted in printable if _may_be_a_name(wanted)), "user")
    name, number = base, 1
    while users.taken_by(con, name):
        number += 1
        name = f"{base} {number}"
    return name


def _may_be_a_name(wanted: str) -> bool:
    try:
        return bool(checked_name(wanted))
    except BadRequest:
        return False


def _by_group(
    con: DuckDBPyConnection, user: User, claims: dict[str, Any], settings: OidcSettings
) -> tuple[User, list[str]]:
    """Set or remove the administrator role by the provider's groups; the last one stays."""
    if settings.oidc_admin_group is None:
        return user, []
    groups = claims.get(settings.oidc_groups_claim, [])
    belongs = settings.oidc_admin_group in (groups if isinstance(groups, list) else [groups])
    if belongs is (user.role is Role.ADMIN):
        return user, []
    with suppress(BadRequest):
        role = Role.ADMIN if belongs else Role.MEMBER
        user = users.set_role(con, user.id, role=role, actor="system:provider")
    return user, [session.id for session in sessions.list_of(con, user.id)]


ROUTES = [
    Route("/auth/oidc/start", start, methods=["GET"]),
    Route("/auth/oidc/callback", callback, methods=["GET"]),
]
