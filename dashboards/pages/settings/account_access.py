"""The user's sessions and API keys."""

import re
from collections.abc import Sequence

import streamlit as st

from dashboards.pages import api_key_row, viewer
from dashboards.pages.settings import new_api_key
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db, notify
from dashboards.strings import accounts as words
from storage.accounts import api_keys, known_devices, sessions
from storage.accounts.known_devices import KnownDevice
from storage.domain.browser_names import address_of, browser_of
from storage.domain.clock import utc_now
from storage.domain.records import Session


@st.fragment
def browsers(me: Viewer) -> None:
    """List the user's sessions, each with a logout button."""
    st.write(words.BROWSERS_LEAD)
    found = db.look(sessions.list_of, me.user.id)
    known = db.look(known_devices.list_of, me.user.id, now=utc_now())
    new = {one.session_id for one in known if one.new}
    for session in found:
        _browser(session, me, new=session.id in new)
    if len(found) > 1 and st.button(words.END_OTHERS, icon=":material/logout:", key="others"):
        db.change(sessions.end_all, me.user.id, actor=me.actor, but=me.session_id)
        notify.kick(one.id for one in found if one.id != me.session_id)
        st.rerun()
    if st.button(words.END_ALL_AND_THIS, icon=":material/power_settings_new:", key="everywhere"):
        db.change(sessions.end_all, me.user.id, actor=me.actor)
        notify.kick(one.id for one in found)
    _known(known, me)


def _known(known: Sequence[KnownDevice], me: Viewer) -> None:
    if not known:
        return
    with st.expander(words.KNOWN_BROWSERS):
        st.write(words.KNOWN_BROWSERS_LEAD)
        for one in known:
            used = words.last_seen(formatting.when(one.last_used_at, me.zone))
            new = [words.new_since(formatting.when(one.created_at, me.zone))] if one.new else []
            address = viewer.plain(address_of(one.client))
            st.caption(" · ".join([f"**{browser_of(one.client)}**", address, *new, used]))
        if st.button(words.FORGET_BROWSERS, icon=":material/device_unknown:", key="forget-browsers"):
            db.change(known_devices.forget_all, me.user.id, actor=me.actor)
            st.rerun()


def _browser(session: Session, me: Viewer, *, new: bool) -> None:
    here = session.id == me.session_id
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"browser-{session.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{browser_of(session.client)}**", width="content")
                if new:
                    st.badge(words.new_since(formatting.when(session.created_at, me.zone)), color="orange")
                if here:
                    st.badge(words.THIS_BROWSER, color="green")
            seen = words.SEEN_NOW if here else formatting.when(session.last_seen_at, me.zone)
            address = viewer.plain(address_of(session.client))
            since = words.since(formatting.when(session.created_at, me.zone))
            st.caption(f"{address} · {since} · {words.last_seen(seen)}")
        if not here and st.button(words.END_BROWSER, key=f"end-{session.id}"):
            db.change(sessions.end, session.id, actor=me.actor)
            notify.kick([session.id])
            st.rerun()


@st.fragment
def programs(me: Viewer) -> None:
    """List the user's API keys; create keys, which are shown once, and revoke them."""
    address = re.sub(r"(https?://[^/]+).*", r"\1", st.context.url or "")
    st.write(words.KEYS_LEAD)
    st.code(f"OPENAI_BASE_URL={address}/v1", language=None)
    api_key_row.show_fresh()
    if me.may_write:
        new_api_key.form(me)
    for key in db.look(api_keys.list_of, me.user.id):
        api_key_row.show(key, me)
