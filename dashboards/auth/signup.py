"""Make an account, or choose a new password with a link: the routes behind those forms."""

from contextlib import closing

from duckdb import DuckDBPyConnection
from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards import context
from dashboards.auth import address, begin, done, read_form
from storage import choices, invitations, tries, users
from storage.choices import Registration
from storage.errors import RegistrationClosed
from storage.records import User


class Register(BaseModel):
    """What somebody sends who wants an account; `token` is the invitation's."""

    model_config = ConfigDict(extra="ignore")

    name: str
    password: SecretStr
    email: str = ""
    token: str = ""


class Reset(BaseModel):
    """What somebody sends who has a link to a new password."""

    model_config = ConfigDict(extra="ignore")

    token: str
    password: SecretStr


async def register(request: Request) -> Response:
    """Make an account as the administrators allow it, and log in."""
    form = Register.model_validate(await read_form(request))
    await context.read(_count, tries.REGISTER, address(request))
    user = await context.write(_make_account, form)
    return await begin(request, user, done(request, "/", user=user.name))


async def reset(request: Request) -> Response:
    """Set a new password for whoever has the link, end the sessions of the old one, and log in."""
    form = Reset.model_validate(await read_form(request))
    await context.read(_count, tries.LINK, address(request))
    user, ended = await context.write(invitations.reset, form.token, password=form.password.get_secret_value())
    context.kick(ended)
    if user.disabled:
        return done(request, "/", user=user.name)
    return await begin(request, user, done(request, "/", user=user.name))


def _count(con: DuckDBPyConnection, key: str, client: str) -> None:
    with closing(con.cursor()) as own:
        tries.count(own, key, client)


def _make_account(con: DuckDBPyConnection, form: Register) -> User:
    choice, password = choices.of(con), form.password.get_secret_value()
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
