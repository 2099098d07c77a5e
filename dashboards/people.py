"""The administrator's hands on accounts; every change ends what it makes invalid at once."""

import secrets
from collections.abc import Callable

import streamlit as st
from duckdb import DuckDBPyConnection

from dashboards import context, present, strings, viewer
from dashboards.viewer import Viewer
from storage import keys, sessions, users
from storage.errors import TranscriberError
from storage.records import Role, User

HANDOVER = "handover"
NAME, ROLE, REFUSAL = "person_name", "person_role", "person_refusal"


@st.dialog("Add a person")
def create() -> None:
    """Ask for name and role; the first password is made up, and shown once."""
    with st.form("person", border=False):
        st.text_input("Name", max_chars=64, autocomplete="off", key=NAME, help="What the person types to log in.")
        roles = [Role.MEMBER, Role.READER, Role.ADMIN]
        st.radio("Role", roles, format_func=strings.ROLE.__getitem__, horizontal=True, key=ROLE)
        st.caption(strings.ROLE_HELP)
        added = st.form_submit_button("Add", type="primary", on_click=_create)
    if refusal := st.session_state.pop(REFUSAL, None):
        viewer.refused(refusal)
    elif added:
        st.rerun()


def _create() -> None:
    me = viewer.signed_in()
    if me is None or not me.is_admin:
        return  # no longer an administrator: the page is drawn anew without this
    password = secrets.token_urlsafe(12)
    asked = {"name": st.session_state[NAME], "role": st.session_state[ROLE], "password": password}
    try:
        user = viewer.change(users.create, must_change=True, actor=me.actor, **asked)
    except TranscriberError as error:
        st.session_state[REFUSAL] = error
    else:
        st.session_state[HANDOVER] = (user.name, password)


def show_handover() -> None:
    """Show a first password once, until it has been noted."""
    if HANDOVER not in st.session_state:
        return
    name, password = st.session_state[HANDOVER]
    with st.container(border=True, key="handover"):
        st.markdown(f"First password for **{viewer.plain(name)}**. Hand it over now: it cannot be shown again.")
        st.code(password, language=None)
        st.caption("At the first login a password of one's own has to be chosen.")
        if st.button("Done", key="handed"):
            del st.session_state[HANDOVER]
            st.rerun()


@st.fragment
def listing() -> None:
    """List all accounts, each with what can be done to it."""
    me = viewer.required_admin()
    for user in viewer.look(users.list_all):
        _row(user, me)


def _row(user: User, me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"person-{user.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{viewer.plain(user.name)}**", width="content")
                st.badge(strings.ROLE[user.role], color="violet" if user.role is Role.ADMIN else "gray")
                if user.disabled:
                    st.badge("Disabled", color="red")
                elif user.must_change_password:
                    st.badge("Has not chosen a password yet", color="orange")
            st.caption(f"Since {present.day(user.created_at, me.zone)}" + (" · you" if user.id == me.user.id else ""))
        with st.popover("Manage", key=f"manage-{user.id}"):
            _manage(user, me)


def _manage(user: User, me: Viewer) -> None:
    role: Role | None = st.selectbox(
        "Role", list(Role), list(Role).index(user.role), format_func=strings.ROLE.__getitem__, key=f"role-{user.id}"
    )
    if role and role is not user.role and st.button("Change the role", key=f"set-role-{user.id}", width="stretch"):
        _try(lambda: _set_role(user, role, me), user)
    if user.id == me.user.id:
        st.caption("Your own password is changed under Account.")
        return
    if st.button("Reset the password", icon=":material/lock_reset:", key=f"reset-{user.id}", width="stretch"):
        password = secrets.token_urlsafe(12)
        st.session_state[HANDOVER] = (user.name, password)
        _try(lambda: _reset(user, password, me), user)
    if user.disabled:
        if st.button("Let in again", icon=":material/person_check:", key=f"enable-{user.id}", width="stretch"):
            _try(lambda: viewer.change(users.set_disabled, user.id, disabled=False, actor=me.actor), user)
    elif st.button("Disable", icon=":material/person_off:", key=f"disable-{user.id}", width="stretch"):
        _try(lambda: viewer.change(users.set_disabled, user.id, disabled=True, actor=me.actor), user)
    st.caption("Disabling logs the person out everywhere and stops their keys. Recordings stay.")


def _set_role(user: User, role: Role, me: Viewer) -> None:
    """Change the role, and shut what is open with the old one's rights; pages and programs connect again."""
    viewer.change(users.set_role, user.id, role=role, actor=me.actor)
    browsers, programs = viewer.look(sessions.list_of, user.id), viewer.look(keys.list_of, user.id)
    context.kick([*(one.id for one in browsers), *(one.id for one in programs)])


def _reset(user: User, password: str, me: Viewer) -> None:
    def work(con: DuckDBPyConnection) -> None:
        users.set_password(con, user.id, password=password, must_change=True, actor=me.actor)
        sessions.end_all(con, user.id, actor=me.actor)

    viewer.change(work)


def _try(work: Callable[[], object], user: User) -> None:
    """Do a change; sessions that it ended are shut out of their open pages."""
    before = [one.id for one in viewer.look(sessions.list_of, user.id)]
    try:
        work()
    except TranscriberError as error:
        st.session_state.pop(HANDOVER, None)
        viewer.refused(error)
        return
    left = {one.id for one in viewer.look(sessions.list_of, user.id)}
    context.kick(ident for ident in before if ident not in left)
    st.rerun()
