"""The tokens of single workers, for administrators to create and revoke."""

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.strings import admin as words
from storage.accounts import worker_tokens
from storage.accounts.worker_tokens import WorkerToken
from storage.domain.errors import TranscriberError

FRESH = "fresh_worker_token"


@st.fragment
def panel() -> None:
    """List the valid tokens, and offer to create one."""
    me = viewer.required_admin()
    st.header(words.TOKENS, anchor=False)
    st.caption(words.TOKENS_ABOUT)
    if fresh := st.session_state.get(FRESH):
        st.success(words.FRESH_TOKEN, icon=":material/key:")
        st.code(fresh, language=None, wrap_lines=True)
    with st.popover(words.NEW_TOKEN, icon=":material/add:"), st.form("worker-token", border=False):
        _form(me)
    for token in db.look(worker_tokens.list_all, only_valid=True):
        _row(token, me)


def _form(me: Viewer) -> None:
    name = st.text_input(words.TOKEN_NAME, max_chars=worker_tokens.MAX_NAME_CHARS)
    if not st.form_submit_button(words.MAKE_TOKEN, type="primary"):
        return
    try:
        secret, _ = db.change(worker_tokens.create, name=name, actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[FRESH] = secret
    st.rerun()


def _row(token: WorkerToken, me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"worker-token-{token.id}"):
        with st.container(gap=None):
            st.text(token.name)
            used = formatting.when(token.last_used_at, me.zone) if token.last_used_at else None
            st.caption(words.token(token.prefix, formatting.when(token.created_at, me.zone), used))
        with st.popover(words.REVOKE_TOKEN):
            st.write(words.REVOKE_TOKEN_HELP)
            if st.button(words.REVOKE_TOKEN_SURE, type="primary", key=f"revoke-token-{token.id}"):
                db.change(worker_tokens.revoke, token.id, actor=me.actor)
                st.session_state.pop(FRESH, None)
                st.rerun()
