"""Everybody's API keys, for administrators: who has which, and an end to any of them."""

import streamlit as st

from dashboards import context, present, viewer
from dashboards.strings import accounts as words
from dashboards.viewer import Viewer
from storage import keys, users
from storage.records import ApiKey

PAGE_ROWS = 50
BEFORE = "keys_before"


@st.fragment
def listing() -> None:
    """List keys, newest first, in pages."""
    me = viewer.required_admin()
    only_valid = st.toggle(words.ONLY_VALID_KEYS, value=True, on_change=_turn_to, args=(None,))
    before = st.session_state.get(BEFORE)
    found = viewer.look(keys.page, before=before, only_valid=only_valid, limit=PAGE_ROWS + 1)
    if not found:
        st.info(words.NO_KEYS, icon=":material/key:")
    names = viewer.look(users.names_of, {key.user_id for key in found})
    for key in found[:PAGE_ROWS]:
        _row(key, names.get(key.user_id, words.DELETED_USER), me)
    with st.container(horizontal=True, horizontal_alignment="right"):
        if before:
            st.button(words.NEWEST_KEYS, icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(None,))
        if len(found) > PAGE_ROWS:
            last = found[PAGE_ROWS - 1].id
            st.button(
                words.OLDER_KEYS,
                icon=":material/chevron_right:",
                icon_position="right",
                on_click=_turn_to,
                args=(last,),
            )


def _turn_to(before: str | None) -> None:
    st.session_state[BEFORE] = before


def _row(key: ApiKey, owner: str, me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"all-key-{key.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(key.name, width="content")
                if key.revoked_at:
                    st.badge(words.REVOKED, color="gray")
            used = words.last_used(present.when(key.last_used_at, me.zone)) if key.last_used_at else words.NEVER_USED
            made = words.made(present.when(key.created_at, me.zone))
            st.caption(f"{viewer.plain(owner)} · `{key.prefix}…` · {made} · {used}")
        if not key.revoked_at:
            with st.popover(words.REVOKE):
                st.write(words.REVOKE_HELP)
                if st.button(words.REVOKE_SURE, type="primary", key=f"revoke-{key.id}"):
                    viewer.change(keys.revoke, key.id, actor=me.actor)
                    context.kick([key.id])
                    st.rerun()
