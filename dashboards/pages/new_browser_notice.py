"""A notice of log-ins with new browsers, on all pages of older ones."""

import streamlit as st

from dashboards.pages import registry, viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.strings import accounts as words
from storage.accounts import device_notices, users
from storage.accounts.device_notices import NewDevice
from storage.domain.browser_names import address_of, browser_of
from storage.domain.clock import utc_now


def show(me: Viewer) -> None:
    """Show the notices until they are dismissed; they are looked up once a visit."""
    kept = f"new-browsers-{me.session_id}"
    if kept not in st.session_state:
        st.session_state[kept] = db.look(device_notices.unseen, me.user.id, me.session_id, now=utc_now())
    found: list[NewDevice] = st.session_state[kept]
    if not found:
        return
    with st.container(key="new-browsers"):
        for one in found:
            told = (
                browser_of(one.client),
                viewer.plain(address_of(one.client)),
                formatting.when(one.created_at, me.zone),
            )
            st.warning(words.new_browser(*told), icon=":material/passkey:")
        with st.container(horizontal=True):
            if st.button(words.SECURE_ACCOUNT, type="primary", key="new-browser-secure"):
                part = words.PASSWORD if db.look(users.has_password, me.user.id) else words.BROWSERS
                st.switch_page(registry.page("settings"), query_params={"part": part})
            if st.button(words.WAS_ME, key="new-browser-me"):
                ids = [one.id for one in found]
                db.change(device_notices.dismiss, me.user.id, me.session_id, only=ids, now=utc_now(), actor=me.actor)
                st.session_state[kept] = []
                st.rerun()
