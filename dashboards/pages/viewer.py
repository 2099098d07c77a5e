"""The reader of the page, loaded in every run, since roles and accounts change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboards.presenters import formatting
from dashboards.runtime import db
from storage.accounts import users
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.records import Role, User

MARKDOWN = frozenset("\\`*_{}[]()<>#+-!|$:~")


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The logged-in reader and the browser's session."""

    user: User
    session_id: str
    zone: tzinfo

    @property
    def actor(self) -> str:
        return self.user.actor

    @property
    def is_admin(self) -> bool:
        return self.user.role is Role.ADMIN

    @property
    def may_write(self) -> bool:
        return self.user.role.may_write


def signed_in() -> Viewer | None:
    """Return the authenticated reader, or None; a disabled account is None."""
    here = st.user.to_dict()  # once: each access reads the files in which Streamlit's own login would be configured
    user_id, session_id = here.get("uid"), here.get("sid")
    if not isinstance(user_id, str) or not isinstance(session_id, str):
        return None
    try:
        user = db.look(users.get, user_id)
    except NotFound:
        return None
    return None if user.disabled else Viewer(user=user, session_id=session_id, zone=_zone())


def required() -> Viewer:
    """Return the reader; without one, rerun the script, which shows the login."""
    viewer = signed_in()
    if viewer is None:
        st.rerun()
    return viewer


def required_admin() -> Viewer:
    """Return the reader, who must be an administrator, or rerun the script."""
    viewer = required()
    if not viewer.is_admin:
        st.rerun()
    return viewer


def refused(error: TranscriberError) -> None:
    """Show why a change was refused, as a sentence."""
    st.error(explained(error), icon=":material/error:")


@contextmanager
def saving(said: str) -> Iterator[None]:
    """Say that the block's change is saved and rerun, or show why it was refused."""
    try:
        yield
    except TranscriberError as error:
        refused(error)
    else:
        st.toast(said, icon=":material/check:")
        st.rerun()


def explained(error: TranscriberError) -> str:
    """Return an error's message as a Markdown sentence, with backticks as code."""
    pieces = formatting.sentence(str(error)).split("`")
    if len(pieces) % 2 == 0:  # a name contains a backtick
        return plain("`".join(pieces))
    return "".join(f"`{piece}`" if place % 2 else plain(piece) for place, piece in enumerate(pieces))


def plain(text: str) -> str:
    """Return text with Markdown's special characters escaped."""
    return "".join(f"\\{char}" if char in MARKDOWN else char for char in text)


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone) if st.context.timezone else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
