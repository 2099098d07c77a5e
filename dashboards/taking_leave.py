"""One's own data: all of it as a file, and the end of the account."""

import streamlit as st

from dashboards import context, viewer
from dashboards.viewer import Viewer
from storage import leaving, users
from storage.errors import NotSignedIn, TranscriberError


def show(me: Viewer) -> None:
    """Offer the data, and below it the way out."""
    st.subheader("Take it with you", anchor=False)
    st.write("A ZIP with your account, your recordings' details, notes and transcripts as JSON.")
    st.link_button("Download my data", "/account/export", icon=":material/download:")
    st.subheader("Delete the account", anchor=False)
    st.write(
        "Your recordings, transcripts, subtitles, keys and settings are deleted at once, and nobody can bring them "
        "back. The audit log keeps what was done, under your account's number."
    )
    with st.form("leave", border=False):
        by_password = viewer.look(users.has_password, me.user.id)
        label = "Your password, to confirm" if by_password else f"Type {viewer.plain(me.user.name)} to confirm"
        typed = st.text_input(
            label, type="password" if by_password else "default", autocomplete="off", key="leave-typed"
        )
        asked = st.form_submit_button("Delete my account", icon=":material/delete_forever:", key="delete")
    if asked:
        _leave(me, typed or "", by_password=by_password)


def _leave(me: Viewer, typed: str, *, by_password: bool) -> None:
    try:
        if by_password:
            with context.ledger().read() as con:
                users.authenticate(con, name=me.user.name, password=typed, client=f"page:{me.session_id}")
        elif typed.strip() != me.user.name:
            st.error("That is not the name of this account. Nothing was deleted.", icon=":material/error:")
            return
        ended = viewer.change(leaving.leave, me.user.id, actor=me.actor)
    except NotSignedIn:
        st.error("That is not your password. Nothing was deleted.", icon=":material/error:")
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
