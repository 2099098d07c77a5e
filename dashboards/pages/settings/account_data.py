"""One's own data: all of it as a file, and the end of the account."""

import streamlit as st

from dashboards import context, viewer
from dashboards.strings import accounts as words
from dashboards.viewer import Viewer
from storage import leaving, users
from storage.errors import NotSignedIn, TranscriberError


def show(me: Viewer) -> None:
    """Offer the data, and below it the way out."""
    st.subheader(words.TAKE_DATA, anchor=False)
    st.write(words.TAKE_DATA_HELP)
    st.link_button(words.DOWNLOAD_DATA, "/account/export", icon=":material/download:")
    st.subheader(words.LEAVE, anchor=False)
    st.write(words.LEAVE_HELP)
    with st.form("leave", border=False):
        by_password = viewer.look(users.has_password, me.user.id)
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
            with context.ledger().read() as con:
                users.authenticate(con, name=me.user.name, password=typed, client=f"page:{me.session_id}")
        elif typed.strip() != me.user.name:
            st.error(words.LEAVE_WRONG_NAME, icon=":material/error:")
            return
        ended = viewer.change(leaving.leave, me.user.id, actor=me.actor)
    except NotSignedIn:
        st.error(words.LEAVE_WRONG_PASSWORD, icon=":material/error:")
        return
    except TranscriberError as error:
        viewer.refused(error)
        return
    context.kick(ended)


async def erase_leavers() -> None:
    """Delete what is left of accounts that were given up, and uploads that are on their way into them."""
    for user_id in await context.read(leaving.who):
        await context.in_thread(_erase, user_id)


def _erase(user_id: str) -> None:
    shelf = context.current().shelf
    for upload in list(shelf.all()):
        if upload.owner_id == user_id:
            shelf.remove(upload.id)
    leaving.erase(context.ledger(), context.files(), user_id)
