"""The form for changing one's password."""

import streamlit as st

from dashboards import components
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.runtime import context, db, notify
from dashboards.strings import accounts as words
from storage.accounts import api_keys, password_change, users
from storage.accounts.credential_rules import MIN_PASSWORD_CHARS
from storage.domain.errors import BadRequest, NotSignedIn, TranscriberError


def form(me: Viewer, *, button: str, first: bool = False) -> None:
    """Ask for the old and the new password; a change logs out other browsers."""
    with st.form("password", border=False, enter_to_submit=True):
        old = st.text_input(words.OLD_PASSWORD, type="password", autocomplete="current-password")
        new = st.text_input(
            words.NEW_PASSWORD,
            type="password",
            autocomplete="new-password",
            help=words.password_help(MIN_PASSWORD_CHARS),
        )
        again = st.text_input(words.NEW_PASSWORD_AGAIN, type="password", autocomplete="new-password")
        has_keys = any(not key.revoked_at for key in db.look(api_keys.list_of, me.user.id))
        end_keys = has_keys and st.checkbox(words.END_KEYS_TOO, help=words.END_KEYS_TOO_HELP)
        if not st.form_submit_button(button, type="primary", width="stretch" if first else "content"):
            return
    try:
        _check(old, new, again)
        _set(me, old, new, end_keys=end_keys)
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
        raise BadRequest(words.NEW_PASSWORD, words.PASSWORDS_DIFFER)
    if new == old:
        raise BadRequest(words.NEW_PASSWORD, words.PASSWORD_IS_OLD)


def _set(me: Viewer, old: str | None, new: str | None, *, end_keys: bool) -> None:
    client = f"page:{me.session_id}"
    users.authenticate(context.ledger(), name=me.user.name, password=old or "", client=client, session_id=me.session_id)
    ended = db.change(
        password_change.change,
        me.user.id,
        password=new or "",
        keep=me.session_id,
        end_keys=end_keys,
        actor=me.actor,
    )
    notify.kick(ended)


def first_page() -> None:
    """Ask for a new password, if somebody else chose the first one."""
    me = viewer.required()
    with st.container(key="gate"):
        components.mark()
        st.title(words.FIRST_PASSWORD, anchor=False)
        st.caption(words.first_password_why(viewer.plain(me.user.name)))
        form(me, button=words.FIRST_PASSWORD_SUBMIT, first=True)
