"""Export of the user's data, and deletion of the account."""

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.runtime import context, db, notify
from dashboards.runtime.site_paths import site_path
from dashboards.strings import accounts as words
from storage.accounts import users
from storage.domain.errors import NotSignedIn, TranscriberError
from storage.maintenance import account_deletion


def show(me: Viewer) -> None:
    """Offer the data export, and the account's deletion below it."""
    st.header(words.TAKE_DATA, anchor=False)
    st.write(words.TAKE_DATA_HELP)
    st.link_button(words.DOWNLOAD_DATA, site_path("/account/export"), icon=":material/download:")
    st.header(words.LEAVE, anchor=False)
    st.write(words.LEAVE_HELP)
    with st.form("leave", border=False):
        by_password = db.look(users.has_password, me.user.id)
        label = words.LEAVE_BY_PASSWORD if by_password else words.leave_by_name(viewer.plain(me.user.name))
        typed = st.text_input(
            label, type="password" if by_password else "default", autocomplete="off", key="leave-typed"
        )
        asked = st.form_submit_button(words.LEAVE_SUBMIT, icon=":material/delete_forever:", key="delete")
    if asked:
        _leave(me, typed or "", by_password=by_password)


def _leave(me: Viewer, typed: str, *, by_password: bool) -> None:
    try:
        if by_password:
            client = f"page:{me.session_id}"
            users.authenticate(
                context.ledger(), name=me.user.name, password=typed, client=client, session_id=me.session_id
            )
        elif typed.strip() != me.user.name:
            st.error(words.LEAVE_WRONG_NAME, icon=":material/error:")
            return
        ended = db.change(account_deletion.leave, me.user.id, actor=me.actor)
    except NotSignedIn:
        st.error(words.LEAVE_WRONG_PASSWORD, icon=":material/error:")
        return
    except TranscriberError as error:
        viewer.refused(error)
        return
    notify.kick(ended)
