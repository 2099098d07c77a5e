"""The administrator's hands on accounts; every change ends what it makes invalid at once."""

from collections.abc import Callable

import streamlit as st

from dashboards import access, context, inviting, present, strings, viewer
from dashboards.strings import accounts as words
from dashboards.viewer import Viewer
from storage import keys, profiles, quotas, sessions, users
from storage.errors import TranscriberError
from storage.records import Role, User

PAGE_ROWS = 50
SEARCH, AFTER, PERSON = "people_search", "people_after", "person"
GB = 10**9


@st.fragment
def listing() -> None:
    """List accounts by name in pages, those that fit the search."""
    me = viewer.required_admin()
    search = st.text_input(
        words.SEARCH,
        placeholder=words.SEARCH_EXAMPLE,
        key=SEARCH,
        label_visibility="collapsed",
        icon=":material/search:",
        on_change=_turn_to,
        args=(None,),
    )
    after = st.session_state.get(AFTER)
    found = viewer.look(users.page, after=after, search=search or "", limit=PAGE_ROWS + 1)
    if not found:
        st.info(words.NOBODY_FITS)
    for user in found[:PAGE_ROWS]:
        _row(user, me)
    with st.container(horizontal=True, horizontal_alignment="right"):
        if after:
            st.button(words.FIRST_PAGE, icon=":material/first_page:", type="tertiary", on_click=_turn_to, args=(None,))
        if len(found) > PAGE_ROWS:
            last = found[PAGE_ROWS - 1].name
            st.button(
                words.NEXT_PAGE, icon=":material/chevron_right:", icon_position="right", on_click=_turn_to, args=(last,)
            )


def _turn_to(after: str | None) -> None:
    st.session_state[AFTER] = after


def _row(user: User, me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"person-{user.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{viewer.plain(user.name)}**", width="content")
                st.badge(strings.ROLE[user.role], color="violet" if user.role is Role.ADMIN else "gray")
                if user.disabled:
                    st.badge(words.DISABLED, color="red")
                elif user.must_change_password:
                    st.badge(words.NO_OWN_PASSWORD, color="orange")
            known = [user.display_name, user.email, words.since(present.day(user.created_at, me.zone))]
            you = [words.YOU] if user.id == me.user.id else []
            st.caption(viewer.plain(" · ".join(one for one in [*known, *you] if one)))
        if st.button(words.MANAGE, key=f"manage-{user.id}"):
            st.query_params[PERSON] = user.id
            st.rerun()


def manage(user_id: str, me: Viewer) -> None:
    """Show one account with all that can be done to it."""
    if st.button(words.PEOPLE, icon=":material/arrow_back:", type="tertiary", key="back"):
        st.query_params.clear()
        st.rerun()
    try:
        user = viewer.look(users.get, user_id)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.title(viewer.plain(user.shown_name), anchor=False)
    facts(user, me)
    inviting.show_handover()
    left, right = st.columns(2, gap="large")
    with left:
        _rights(user, me)
        _limits(user, me)
    with right:
        _way_in(user, me)
        _browsers(user, me)


def facts(user: User, me: Viewer) -> None:
    """Show the name for logging in, the address, and since when the account is there."""
    known = [user.name, user.email, words.since(present.day(user.created_at, me.zone))]
    you = [words.YOU] if user.id == me.user.id else []
    off = [words.OFF] if user.disabled else []
    st.caption(viewer.plain(" · ".join(one for one in [*known, *you, *off] if one)))


def _rights(user: User, me: Viewer) -> None:
    st.subheader(words.ROLE_LABEL, anchor=False)
    role: Role | None = st.selectbox(
        words.ROLE_LABEL,
        list(Role),
        list(Role).index(user.role),
        format_func=strings.ROLE.__getitem__,
        key=f"role-{user.id}",
        label_visibility="collapsed",
    )
    st.caption(strings.ROLE_HELP)
    if role and role is not user.role and st.button(words.SET_ROLE, key=f"set-role-{user.id}"):
        _try(lambda: _set_role(user, role, me), user)


def _limits(user: User, me: Viewer) -> None:
    st.subheader(words.LIMITS, anchor=False)
    used = viewer.look(quotas.usage, user.id)
    with st.form(f"limits-{user.id}", border=False):
        left, right = st.columns(2)
        hours = left.number_input(words.HOURS_A_MONTH, 0.0, None, user.quota_hours, 1.0, placeholder=words.NO_LIMIT)
        stored = None if user.quota_bytes is None else user.quota_bytes / GB
        size = right.number_input(words.GIGABYTES, 0.0, None, stored, 1.0, placeholder=words.NO_LIMIT)
        heard = (used.heard_s + used.coming_s) / 3600
        st.caption(words.used_so_far(heard, present.size(used.stored_bytes)))
        if st.form_submit_button(words.SET_LIMITS, key=f"set-limits-{user.id}"):
            size_bytes = None if size is None else round(size * GB)
            _try(
                lambda: viewer.change(profiles.set_quota, user.id, hours=hours, size_bytes=size_bytes, actor=me.actor),
                user,
            )


def _way_in(user: User, me: Viewer) -> None:
    st.subheader(words.WAY_IN, anchor=False)
    if user.id == me.user.id:
        st.write(words.WAY_IN_OF_ONESELF)
        return
    st.write(words.PASSWORD_LINK_HELP)
    if st.button(words.MAKE_PASSWORD_LINK, icon=":material/lock_reset:", key=f"reset-{user.id}"):
        _try(lambda: inviting.offer_reset(user, me), user)
    if user.disabled:
        st.write(words.IS_DISABLED)
        if st.button(words.ENABLE, icon=":material/person_check:", key=f"enable-{user.id}"):
            _try(lambda: viewer.change(users.set_disabled, user.id, disabled=False, actor=me.actor), user)
        return
    st.write(words.DISABLE_HELP)
    if st.button(words.DISABLE, icon=":material/person_off:", key=f"disable-{user.id}"):
        _try(lambda: viewer.change(users.set_disabled, user.id, disabled=True, actor=me.actor), user)


def _browsers(user: User, me: Viewer) -> None:
    st.subheader(words.BROWSERS, anchor=False)
    found = viewer.look(sessions.list_of, user.id)
    if not found:
        st.write(words.NO_BROWSERS)
        return
    for session in found:
        seen = present.when(session.last_seen_at, me.zone)
        address = viewer.plain(session.client.split(" ", 1)[0])
        st.markdown(f"**{access.device(session.client)}** · {address} · {words.last_seen(seen)}")
    if st.button(words.END_ALL, key=f"end-all-{user.id}"):
        _try(lambda: viewer.change(sessions.end_all, user.id, actor=me.actor), user)


def _set_role(user: User, role: Role, me: Viewer) -> None:
    """Change the role, and shut what is open with the old one's rights; pages and programs connect again."""
    viewer.change(users.set_role, user.id, role=role, actor=me.actor)
    browsers, programs = viewer.look(sessions.list_of, user.id), viewer.look(keys.list_of, user.id)
    context.kick([*(one.id for one in browsers), *(one.id for one in programs)])


def _try(work: Callable[[], object], user: User) -> None:
    """Do a change; sessions that it ended are shut out of their open pages."""
    before = [one.id for one in viewer.look(sessions.list_of, user.id)]
    try:
        work()
    except TranscriberError as error:
        st.session_state.pop(inviting.HANDOVER, None)
        viewer.refused(error)
        return
    left = {one.id for one in viewer.look(sessions.list_of, user.id)}
    context.kick(ident for ident in before if ident not in left)
    st.rerun()
