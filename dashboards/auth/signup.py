"""The routes for registration, and for setting a password with a link."""

from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards.auth.login import begin, done, read_form
from dashboards.http.forwarding import client_address
from dashboards.http.rate_limits import do_not_count
from dashboards.runtime import context, db, notify
from dashboards.runtime.site_paths import site_path
from storage.accounts import invitations, login_attempts, registration_policy, users
from storage.accounts.registration_policy import Registration
from storage.domain.errors import RegistrationClosed
from storage.domain.records import User


class Register(BaseModel):
    """A registration; `token` is the invitation's."""

    model_config = ConfigDict(extra="ignore")

    name: str
    password: SecretStr
    email: str = ""
    token: str = ""


class Reset(BaseModel):
    """A new password for the owner of a link."""

    model_config = ConfigDict(extra="ignore")

    token: str
    password: SecretStr


async def register(request: Request) -> Response:
    """Create an account according to the registration policy, and log in."""
    form = Register.model_validate(await read_form(request))
    await _count_try(request, login_attempts.REGISTER)
    user = await db.write(_make_account, form)
    return await begin(request, user, done(request, site_path("/"), user=user.name))


async def reset(request: Request) -> Response:
    """Set a new password for a link, end old sessions, and log in."""
    form = Reset.model_validate(await read_form(request))
    await _count_try(request, login_attempts.LINK)
    user, ended = await db.write(invitations.reset, form.token, password=form.password.get_secret_value())
    do_not_count(request)
    notify.kick(ended)
    if user.disabled:
        return done(request, site_path("/"), user=user.name)
    return await begin(request, user, done(request, site_path("/"), user=user.name))


async def _count_try(request: Request, key: str) -> None:
    await db.in_ledger(context.ledger().note, login_attempts.count, key, client_address(request))


def _make_account(con: DuckDBPyConnection, form: Register) -> User:
    choice, password = registration_policy.of(con), form.password.get_secret_value()
    if choice.registration is Registration.CLOSED:
        raise RegistrationClosed("nobody can register here")
    if form.token:
        invitation = invitations.find(con, form.token)
        return invitations.accept(con, invitation, name=form.name, password=password, email=form.email)
    if choice.registration is not Registration.OPEN:
        raise RegistrationClosed("accounts here are by invitation")
    return users.create(
        con, name=form.name, password=password, role=choice.role, email=form.email, actor="system:registration"
    )


ROUTES = [
    Route("/auth/register", register, methods=["POST"]),
    Route("/auth/reset", reset, methods=["POST"]),
]
