"""Log in through an OpenID provider: away to it, back again, and which account that is."""

import hmac
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from duckdb import DuckDBPyConnection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards import context
from dashboards.auth import begin, local
from storage import choices, identities, invitations, profiles, sessions, users
from storage.choices import Registration
from storage.errors import BadRequest, NotFound, RegistrationClosed, SignInFailed, TranscriberError
from storage.records import Role, User
from storage.settings import OidcSettings

logger = logging.getLogger(__name__)

COOKIE = "transcriber_oidc"
COOKIE_PATH = "/auth/oidc"


async def start(request: Request) -> Response:
    """Send the browser to the provider."""
    provider = context.current().provider
    if not provider.issuer:
        raise NotFound("provider", "to log in through")
    try:
        base = context.settings().web.public_url or str(request.base_url)
        url, begun = await provider.begin(
            redirect_uri=f"{base.rstrip('/')}/auth/oidc/callback",
            next_path=local(request.query_params.get("next", "/")),
        )
    except TranscriberError as error:
        return _back(error)
    answer = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, begun.state, max_age=600, path=COOKIE_PATH, httponly=True, samesite="lax", secure=secure)
    return answer


async def callback(request: Request) -> Response:
    """Take the browser back from the provider, and start a session as for a password."""
    provider, asked = context.current().provider, request.query_params
    try:
        state = asked.get("state", "")
        if not hmac.compare_digest(state.encode(), request.cookies.get(COOKIE, "").encode()):
            raise SignInFailed("it was not begun in this browser")
        begun = provider.end(state)
        if "code" not in asked:
            raise SignInFailed(f"the provider says {asked.get('error', 'nothing')}")
        claims = await provider.claims(asked["code"], begun)
        user, ended = await context.write(_account, claims, provider.settings)
    except TranscriberError as error:
        return _back(error)
    context.kick(ended)
    answer = await begin(request, user, RedirectResponse(begun.next_path, HTTPStatus.SEE_OTHER))
    answer.delete_cookie(COOKIE, path=COOKIE_PATH)
    return answer


def _back(error: TranscriberError) -> Response:
    logger.warning("a log-in through the provider failed: %s", error)
    answer = RedirectResponse(f"/?sign_in={error.code}", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, path=COOKIE_PATH)
    return answer


def _account(con: DuckDBPyConnection, claims: dict[str, Any], settings: OidcSettings) -> tuple[User, list[str]]:
    """Return the user that these claims belong to, made if that is allowed, and the sessions that ended.

    An account is found by issuer and subject alone: names and addresses can be given to somebody else.
    """
    user = identities.find(con, issuer=claims["iss"], subject=claims["sub"])
    if user is None:
        user = _make(con, claims, settings)
        identities.link(con, user.id, issuer=claims["iss"], subject=claims["sub"], actor=f"user:{user.id}")
    if user.disabled:
        raise SignInFailed("the account is disabled")
    return _by_group(con, user, claims, settings)


def _make(con: DuckDBPyConnection, claims: dict[str, Any], settings: OidcSettings) -> User:
    choice = choices.of(con)
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
    """Return the name that the provider uses, cut and numbered where that is needed."""
    wanted = next((str(claims[key]) for key in ("preferred_username", "email", "name", "sub") if claims.get(key)), "")
    base = "".join(char for char in wanted if char.isprintable()).strip()[:56] or "user"
    name, number = base, 1
    while users.by_name(con, name):
        number += 1
        name = f"{base} {number}"
    return name


def _by_group(
    con: DuckDBPyConnection, user: User, claims: dict[str, Any], settings: OidcSettings
) -> tuple[User, list[str]]:
    """Make the user an administrator or not, as the provider's groups say; the last one stays one."""
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
