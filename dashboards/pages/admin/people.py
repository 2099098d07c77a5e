"""Account administration; every change takes effect at once."""

from collections.abc import Callable

import streamlit as st

from dashboards import strings
from dashboards.pages import drawn_tabs, viewer
from dashboards.pages.admin import all_api_keys, all_share_links, all_webhooks, invite_people
from dashboards.pages.admin.pager import Pager
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db, notify
from dashboards.strings import accounts as words
from dashboards.strings import integrations, recordings
from storage.accounts import api_keys, profiles, quotas, sessions, users
from storage.domain.browser_names import address_of, browser_of
from storage.domain.errors import TranscriberError
from storage.domain.records import Role, User

SEARCH, PERSON = "people_search", "person"
GB = 10**9
PAGES: Pager[User] = Pager(
    key="people_after", mark=lambda user: user.name, labels=lambda: (words.FIRST_PAGE, words.NEXT_PAGE)
)


@st.fragment
def listing() -> None:
    """List accounts by name in pages, filtered by the search."""
    me = viewer.required_admin()
    search = st.text_input(
        words.SEARCH,
        placeholder=words.SEARCH_EXAMPLE,
        key=SEARCH,
        label_visibility="collapsed",
        icon=":material/search:",
        **PAGES.restart,
    )
    rows = context.current().limits.page_rows
    found = db.look(users.page, after=PAGES.start, search=search or "", limit=rows + 1)
    if not found:
        st.info(words.NOBODY_FITS)
    for user in found[:rows]:
        _row(user, me)
    with st.container(horizontal=True, horizontal_alignment="right"):
        PAGES.buttons(found, rows)


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
            known = [user.display_name, user.email, words.since(formatting.day(user.created_at, me.zone))]
            you = [words.YOU] if user.id == me.user.id else []
            st.caption(viewer.plain(" · ".join(one for one in [*known, *you] if one)))
        if st.button(words.MANAGE, key=f"manage-{user.id}"):
            st.query_params[PERSON] = user.id
            st.rerun()


def manage(user_id: str, me: Viewer) -> None:
    """Show one account with all actions."""
    if st.button(words.PEOPLE, icon=":material/arrow_back:", type="tertiary", key="back"):
        st.query_params.clear()
        st.rerun()
    try:
        user = db.look(users.get, user_id)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.title(viewer.plain(user.shown_name), anchor=False)
    facts(user, me)
    invite_people.show_handover()
    left, right = st.columns(2, gap="large")
    with left:
        _rights(user, me)
        _limits(user, me)
    with right:
        _way_in(user, me)
        _browsers(user, me)


def facts(user: User, me: Viewer) -> None:
    """Show the login name, the address, and the account's age."""
    known = [user.name, user.email, words.since(formatting.day(user.created_at, me.zone))]
    you = [words.YOU] if user.id == me.user.id else []
    off = [words.OFF] if user.disabled else []
    st.caption(viewer.plain(" · ".join(one for one in [*known, *you, *off] if one)))


def _rights(user: User, me: Viewer) -> None:
    st.header(words.ROLE_LABEL, anchor=False)
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
    st.header(words.LIMITS, anchor=False)
    used = db.look(quotas.usage, user.id)
    with st.form(f"limits-{user.id}", border=False):
        left, right = st.columns(2)
        hours = left.number_input(words.HOURS_A_MONTH, 0.0, None, user.quota_hours, 1.0, placeholder=words.NO_LIMIT)
        stored = None if user.quota_bytes is None else user.quota_bytes / GB
        size = right.number_input(words.GIGABYTES, 0.0, None, stored, 1.0, placeholder=words.NO_LIMIT)
        heard = (used.heard_s + used.coming_s) / 3600
        st.caption(words.used_so_far(heard, formatting.size(used.stored_bytes)))
        if st.form_submit_button(words.SET_LIMITS, key=f"set-limits-{user.id}"):
            size_bytes = None if size is None else round(size * GB)
            _try(
                lambda: db.change(profiles.set_quota, user.id, hours=hours, size_bytes=size_bytes, actor=me.actor),
                user,
            )


def _way_in(user: User, me: Viewer) -> None:
    st.header(words.WAY_IN, anchor=False)
    if user.id == me.user.id:
        st.write(words.WAY_IN_OF_ONESELF)
        return
    st.write(words.PASSWORD_LINK_HELP)
    if st.button(words.MAKE_PASSWORD_LINK, icon=":material/lock_reset:", key=f"reset-{user.id}"):
        _try(lambda: invite_people.offer_reset(user, me), user)
    if user.disabled:
        st.write(words.IS_DISABLED)
        if st.button(words.ENABLE, icon=":material/person_check:", key=f"enable-{user.id}"):
            _try(lambda: db.change(users.set_disabled, user.id, disabled=False, actor=me.actor), user)
        return
    st.write(words.DISABLE_HELP)
    if st.button(words.DISABLE, icon=":material/person_off:", key=f"disable-{user.id}"):
        _try(lambda: db.change(users.set_disabled, user.id, disabled=True, actor=me.actor), user)


def _browsers(user: User, me: Viewer) -> None:
    st.header(words.BROWSERS, anchor=False)
    found = db.look(sessions.list_of, user.id)
    if not found:
        st.write(words.NO_BROWSERS)
        return
    for session in found:
        seen = formatting.when(session.last_seen_at, me.zone)
        address = viewer.plain(address_of(session.client))
        st.markdown(f"**{browser_of(session.client)}** · {address} · {words.last_seen(seen)}")
    if st.button(words.END_ALL, key=f"end-all-{user.id}"):
        _try(lambda: db.change(sessions.end_all, user.id, actor=me.actor), user)


def _set_role(user: User, role: Role, me: Viewer) -> None:
    """Change the role, and close websockets with the old role's rights; they reconnect."""
    db.change(users.set_role, user.id, role=role, actor=me.actor)
    browsers, programs = db.look(sessions.list_of, user.id), db.look(api_keys.list_of, user.id)
    notify.kick([*(one.id for one in browsers), *(one.id for one in programs)])


def _try(work: Callable[[], object], user: User) -> None:
    """Apply a change, and close the open pages of ended sessions."""
    before = [one.id for one in db.look(sessions.list_of, user.id)]
    try:
        work()
    except TranscriberError as error:
        st.session_state.pop(invite_people.HANDOVER, None)
        viewer.refused(error)
        return
    left = {one.id for one in db.look(sessions.list_of, user.id)}
    notify.kick(ident for ident in before if ident not in left)
    st.rerun()


def page() -> None:
    """Show accounts, for administrators: people, invitations, API keys, share links, webhooks."""
    me = viewer.required_admin()
    if person := st.query_params.get(PERSON):
        manage(person, me)
        return
    st.title(strings.PAGE["people"], anchor=False)
    invite_people.show_handover()
    parts = {
        words.PEOPLE: listing,
        words.INVITE: lambda: _invitations(me),
        words.API_KEYS: all_api_keys.listing,
        recordings.ALL_LINKS: all_share_links.listing,
        integrations.ALL_WEBHOOKS: all_webhooks.listing,
    }
    drawn_tabs.show("people", parts)


def _invitations(me: Viewer) -> None:
    with st.container(key="narrow"):
        invite_people.by_link(me)
        with st.expander(words.WITHOUT_LINK):
            invite_people.by_password(me)
    st.header(words.WAITING, anchor=False)
    invite_people.pending()
