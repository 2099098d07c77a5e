"""What lets one's account in: signed-in browsers and keys of programs."""

import re

import streamlit as st

from dashboards import context, present, viewer
from dashboards.strings import accounts as words
from dashboards.viewer import Viewer
from storage import keys, sessions
from storage.errors import TranscriberError
from storage.records import ApiKey, Session

FRESH_KEY = "fresh_key"
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@st.fragment
def browsers(me: Viewer) -> None:
    """List the browsers that are signed in, each with a way to sign it out."""
    st.write(words.BROWSERS_LEAD)
    found = viewer.look(sessions.list_of, me.user.id)
    for session in found:
        _browser(session, me)
    if len(found) > 1 and st.button(words.END_OTHERS, icon=":material/logout:", key="others"):
        viewer.change(sessions.end_all, me.user.id, actor=me.actor, but=me.session_id)
        context.kick(one.id for one in found if one.id != me.session_id)
        st.rerun()
    if st.button(words.END_ALL_AND_THIS, icon=":material/power_settings_new:", key="everywhere"):
        viewer.change(sessions.end_all, me.user.id, actor=me.actor)
        context.kick(one.id for one in found)


def _browser(session: Session, me: Viewer) -> None:
    here = session.id == me.session_id
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"browser-{session.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{device(session.client)}**", width="content")
                if here:
                    st.badge(words.THIS_BROWSER, color="green")
            seen = words.SEEN_NOW if here else present.when(session.last_seen_at, me.zone)
            address = viewer.plain(session.client.split(" ", 1)[0])
            since = words.since(present.when(session.created_at, me.zone))
            st.caption(f"{address} · {since} · {words.last_seen(seen)}")
        if not here and st.button(words.END_BROWSER, key=f"end-{session.id}"):
            viewer.change(sessions.end, session.id, actor=me.actor)
            context.kick([session.id])
            st.rerun()


def device(client: str) -> str:
    """Return browser and system in words, from what the browser said of itself."""
    browser = next((name for mark, name in BROWSERS if mark in client), words.ANY_BROWSER)
    system = next((name for mark, name in SYSTEMS if mark in client), "")
    return words.browser_on(browser, system) if system else browser


@st.fragment
def programs(me: Viewer) -> None:
    """List the keys of programs; make new ones, shown once, and revoke them."""
    address = re.sub(r"(https?://[^/]+).*", r"\1", st.context.url or "")
    st.write(words.KEYS_LEAD)
    st.code(f"OPENAI_BASE_URL={address}/v1", language=None)
    fresh = st.session_state.get(FRESH_KEY)
    if fresh:
        st.success(words.NEW_KEY, icon=":material/key:")
        st.code(fresh, language=None)
        if st.button(words.NEW_KEY_NOTED, key="copied"):
            del st.session_state[FRESH_KEY]
            st.rerun()
    if me.may_write:
        _new_key(me)
    for key in viewer.look(keys.list_of, me.user.id):
        _key(key, me)


def _new_key(me: Viewer) -> None:
    form = st.form("new-key", border=False, clear_on_submit=True)
    with form, st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(words.KEY_NAME, placeholder=words.KEY_NAME_EXAMPLE, max_chars=100)
        made = st.form_submit_button(words.MAKE_KEY, type="primary", icon=":material/add:")
    if not made:
        return
    try:
        secret, _ = viewer.change(keys.create, user_id=me.user.id, name=name or "", actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[FRESH_KEY] = secret
    st.rerun()


def _key(key: ApiKey, me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"key-{key.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(key.name, width="content")
                if key.revoked_at:
                    st.badge(words.REVOKED, color="gray")
            used = words.last_used(present.when(key.last_used_at, me.zone)) if key.last_used_at else words.NEVER_USED
            st.caption(f"`{key.prefix}…` · {words.made(present.when(key.created_at, me.zone))} · {used}")
        if not key.revoked_at:
            with st.popover(words.REVOKE):
                st.write(words.REVOKE_HELP)
                if st.button(words.REVOKE_SURE, type="primary", key=f"revoke-{key.id}"):
                    viewer.change(keys.revoke, key.id, actor=me.actor)
                    st.rerun()
