"""Who is looking at the page, read anew in every run: roles and accounts change while pages are open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from duckdb import DuckDBPyConnection

from dashboards import context, present
from storage import users
from storage.errors import NotFound, TranscriberError
from storage.records import Job, Role, User

P = ParamSpec("P")
T = TypeVar("T")

MARKDOWN = frozenset("\\`*_{}[]()<>#+-!|$:~")


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The signed-in reader of this page and the session of the browser."""

    user: User
    session_id: str
    zone: tzinfo

    @property
    def actor(self) -> str:
        return f"user:{self.user.id}"

    @property
    def is_admin(self) -> bool:
        return self.user.role is Role.ADMIN

    @property
    def may_write(self) -> bool:
        return self.user.role is not Role.READER

    def may_see(self, job: Job) -> bool:
        return self.is_admin or job.owner_id == self.user.id


def signed_in() -> Viewer | None:
    """Return the reader that the gate has let in, or None; a disabled account is nobody."""
    here = st.user.to_dict()  # once: each look at it reads files anew in which Streamlit's own login would be set up
    user_id, session_id = here.get("uid"), here.get("sid")
    if not isinstance(user_id, str) or not isinstance(session_id, str):
        return None
    try:
        user = look(users.get, user_id)
    except NotFound:
        return None
    return None if user.disabled else Viewer(user=user, session_id=session_id, zone=_zone())


def required() -> Viewer:
    """Return the reader; where there is none any more, run the whole script again, which shows the login."""
    viewer = signed_in()
    if viewer is None:
        st.rerun()
    return viewer


def required_admin() -> Viewer:
    """Return the reader, who is an administrator, or run the whole script again."""
    viewer = required()
    if not viewer.is_admin:
        st.rerun()
    return viewer


def look(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` on a read cursor."""
    with context.ledger().read() as con:
        return work(con, *args, **kwargs)


def change(work: Callable[Concatenate[DuckDBPyConnection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `work(con, …)` in a write transaction.

    Raises:
        TranscriberError: whatever the change is refused for; `refused` puts it on the page.
    """
    return context.ledger().run(work, *args, **kwargs)


def refused(error: TranscriberError) -> None:
    """Show why a change was refused, as a sentence."""
    st.error(explained(error), icon=":material/error:")


def explained(error: TranscriberError) -> str:
    """Return an error's message as a sentence in Markdown; what it puts between backticks is to be typed."""
    pieces = present.sentence(str(error)).split("`")
    if len(pieces) % 2 == 0:  # a name has a backtick in it
        return plain("`".join(pieces))
    return "".join(f"`{piece}`" if place % 2 else plain(piece) for place, piece in enumerate(pieces))


def plain(text: str) -> str:
    """Return text with everything that Markdown would act on taken at its word."""
    return "".join(f"\\{char}" if char in MARKDOWN else char for char in text)


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
