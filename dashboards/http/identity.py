"""Who sent a request: a user by browser session or API key, a worker by the shared token, or the command line."""

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from starlette.requests import HTTPConnection

from storage.errors import NotAllowed, NotSignedIn
from storage.records import Role, Session, User


class By(StrEnum):
    """What a caller has shown."""

    NOTHING = "nothing"
    SESSION = "session"
    KEY = "key"
    WORKER = "worker"
    OPERATOR = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request, and what let them in."""

    by: By
    user: User | None = None
    session: Session | None = None
    key_id: str | None = None

    @property
    def actor(self) -> str:
        """The caller's name in the audit log."""
        if self.by is By.WORKER:
            return "worker:http"
        return f"user:{self.the_user().id}"

    @property
    def lets_in(self) -> str | None:
        """The id of the session or the key, whose end is the end of what it has opened."""
        return self.session.id if self.session else self.key_id

    @property
    def is_admin(self) -> bool:
        return self.user is not None and self.user.role is Role.ADMIN

    def the_user(self) -> User:
        """Return the user behind the request.

        Raises:
            NotSignedIn: there is none.
        """
        if self.user is None:
            raise NotSignedIn("this needs a user")
        return self.user

    def may_write(self, what: str) -> User:
        """Return the user, who may change own work.

        Raises:
            NotSignedIn: there is no user.
            NotAllowed: the user may only read.
        """
        user = self.the_user()
        if user.role is Role.READER:
            raise NotAllowed(what, "the role member or admin")
        return user


NOBODY = Caller(by=By.NOTHING)


def caller_of(connection: HTTPConnection) -> Caller:
    """Return whom the gate has let in on this request or websocket."""
    return cast(Caller, connection.scope["caller"])
