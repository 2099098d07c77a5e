"""The caller of a request: a user, a worker, or the command line."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from starlette.requests import HTTPConnection

from dashboards.runtime import db
from dashboards.runtime.answer_cache import FOREVER
from storage.accounts import preferences
from storage.domain import translation
from storage.domain.errors import BadRequest, NotSignedIn, ScopeMissing
from storage.domain.records import KeyGrant, Lane, Role, Session, User
from storage.domain.scopes import Scope


class By(StrEnum):
    """How a caller is authenticated."""

    NOTHING = "nothing"
    SESSION = "session"
    KEY = "key"
    WORKER = "worker"
    OPERATOR = "command line"
    ADDRESS = "address"  # or a secret path: a program without a key, see `AsrDoor`


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The caller of a request, and how they are authenticated.

    Only keys have less than all scopes; without `Scope.ADMIN`, an administrator's key has a member's rights.
    """

    by: By
    user: User | None = None
    session: Session | None = None
    key_id: str | None = None
    scopes: tuple[Scope, ...] = tuple(Scope)
    grant: KeyGrant | None = None  # of its key
    ends_at: datetime = FOREVER  # of its key
    worker: str | None = None  # the name of its token; None for the token that all workers share

    @property
    def actor(self) -> str:
        """The caller's name in the audit log."""
        if self.by is By.WORKER:
            return f"worker:{self.worker_named('http')}"
        return self.the_user().actor

    def worker_named(self, claimed: str) -> str:
        """Return the name of the worker that calls itself so.

        It is TOKEN/NAME if it has a token of its own. Names of Prefect's workers have no slash, so nobody can take
        that of another token.

        Raises:
            BadRequest: the claimed name has one.
        """
        if self.by is By.OPERATOR:
            return claimed
        if "/" in claimed:
            raise BadRequest("worker", "a worker's name has no slash")
        return f"{self.worker}/{claimed}" if self.worker else claimed

    @property
    def recorded_as(self) -> str:
        """The actor of a refusal, whoever was refused."""
        if self.by is By.WORKER or self.user:
            return self.actor
        return "cli:http" if self.by is By.OPERATOR else "nobody"

    @property
    def lets_in(self) -> str | None:
        """Session or key id; revoking it closes the websockets it opened."""
        return self.session.id if self.session else self.key_id

    @property
    def is_admin(self) -> bool:
        return self.user is not None and self.user.role is Role.ADMIN

    def require(self, scope: Scope) -> None:
        """Check that the caller's key has a scope.

        Raises:
            ScopeMissing: it has not.
        """
        if scope not in self.scopes:
            raise ScopeMissing(scope, self.scopes)

    def require_lane(self, lane: Lane) -> None:
        """Check that the caller's key may use a lane.

        Raises:
            ScopeMissing: it may use the interactive lane alone.
        """
        if lane is not Lane.INTERACTIVE:
            self.require(Scope.BATCH)

    def the_user(self) -> User:
        """Return the user of the request.

        Raises:
            NotSignedIn: there is none.
        """
        if self.user is None:
            raise NotSignedIn("this needs a user")
        return self.user


NOBODY = Caller(by=By.NOTHING)


def caller_of(connection: HTTPConnection) -> Caller:
    """Return the caller that the access middleware authenticated."""
    return cast(Caller, connection.scope["caller"])


async def language_of(connection: HTTPConnection) -> str:
    """Return the language in which to answer: the reader's own, or the browser's.

    Programs, which have a key or a token, get English.
    """
    caller: Caller = connection.scope.get("caller", NOBODY)
    if caller.by not in {By.NOTHING, By.SESSION}:
        return translation.ENGLISH
    chosen = (await db.read(preferences.of, caller.user.id)).pages_language if caller.user else None
    return chosen or translation.wanted(connection.headers.get("accept-language"))
