"""The form that changes one's own password."""

import streamlit as st
from duckdb import DuckDBPyConnection

from dashboards import context, viewer
from dashboards.strings import accounts as words
from dashboards.viewer import Viewer
from storage import sessions, users
from storage.errors import BadRequest, NotSignedIn, TranscriberError
from storage.users import MIN_PASSWORD_CHARS


def form(me: Viewer, *, button: str, first: bool = False) -> None:
    """Ask for the old password and twice for the new one; other browsers are signed out with the change."""
    with st.form("password", border=False, enter_to_submit=True):
        old = st.text_input(words.OLD_PASSWORD, type="password", autocomplete="current-password")
        new = st.text_input(
            words.NEW_PASSWORD,
            type="password",
            autocomplete="new-password",
            help=words.password_help(MIN_PASSWORD_CHARS),
        )
        again = st.text_input(words.NEW_PASSWORD_AGAIN, type="password", autocomplete="new-password")
        if not st.form_submit_button(button, type="primary", width="stretch" if first else "content"):
            return
    try:
        _check(old, new, again)
        _set(me, old, new)
    except NotSignedIn:
        st.error(words.OLD_PASSWORD_WRONG, icon=":material/error:")
    except TranscriberError as error:
        viewer.refused(error)
    else:
        st.toast(words.PASSWORD_CHANGED, icon=":material/check:")
        if first:
            st.rerun()


def _check(old: str | None, new: str | None, again: str | None) -> None:
    if new != again:
        raise BadRequest(words.NEW_PASSWORD.lower(), words.PASSWORDS_DIFFER)
    if new == old:
        raise BadRequest(words.NEW_PASSWORD.lower(), words.PASSWORD_IS_OLD)


def _set(me: Viewer, old: str | None, new: str | None) -> None:
    with context.ledger().read() as con:
        users.authenticate(con, name=me.user.name, password=old or "", client=f"page:{me.session_id}")
        others = [one.id for one in sessions.list_of(con, me.user.id) if one.id != me.session_id]

    def work(con: DuckDBPyConnection) -> None:
        users.set_password(con, me.user.id, password=new or "", actor=me.actor)
        sessions.end_all(con, me.user.id, actor=me.actor, but=me.session_id)

    viewer.change(work)
    context.kick(others)
