"""Who a recording is shared with: colleagues, and everybody with a link."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.runtime.site_paths import site_path
from dashboards.services import job_access, sharing
from dashboards.strings import recordings as words
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.job_actions import JobAction
from storage.domain.records import Job
from storage.domain.translation import gettext as _
from storage.jobs import share_links
from storage.jobs.share_links import Share

FRESH = "fresh_share"
GRANTED = "colleagues_granted"


def panel(job: Job, me: Viewer) -> None:
    """Let the owner share the recording, and list its links."""
    if not job_access.may(me.user, JobAction.SHARE, job):
        return
    found = db.look(share_links.list_of, job.id)
    working = [share for share in found if not share.over(utc_now())]
    st.header(words.SHARE, anchor=False)
    _colleagues(job, me)
    st.caption(strings.LINK_TO_RECORDING["lead"])
    fresh = st.session_state.get(FRESH)
    if fresh and fresh[0] == job.id:
        st.success(strings.LINK_TO_RECORDING["fresh"], icon=":material/link:")
        st.code(fresh[1], language=None, wrap_lines=True)
    with st.popover(words.MAKE_LINK, icon=":material/add_link:"), st.form("share", border=False):
        _form(job, me)
    for share in working:
        _link(job, share, me)
    if len(found) > len(working):
        st.caption(words.links_over(len(found) - len(working)))


def _colleagues(job: Job, me: Viewer) -> None:
    st.caption(words.COLLEAGUES_HELP)
    granted = st.session_state.setdefault(GRANTED, 0)  # a new form once somebody was added; a refused name stays

    def grant() -> None:
        sharing.let(me.user, job.id, name, may_edit=may_edit)
        st.session_state[GRANTED] = granted + 1

    with (
        st.popover(_(JobAction.GRANT.spec.label), icon=":material/person_add:"),
        st.form(f"colleague-{granted}", border=False),
    ):
        name = st.text_input(words.COLLEAGUE, max_chars=64)
        may_edit = st.selectbox(words.COLLEAGUE_RIGHT, list(words.RIGHTS), format_func=words.RIGHTS.__getitem__)
        if st.form_submit_button(words.SHARE, type="primary"):
            _attempt(grant)
    for one in sharing.colleagues(me.user, job.id):
        with st.container(horizontal=True, vertical_alignment="center", key=f"colleague-{one.user_id}"):
            st.markdown(words.colleague(viewer.plain(one.name), may_edit=one.may_edit), width="content")
            if st.button(words.END_SHARING, type="tertiary", key=f"end-colleague-{one.user_id}"):
                _attempt(partial(sharing.end_for, me.user, job.id, one.name))


def _attempt(change: Callable[[], object]) -> None:
    """Make a change and draw the page again, or show why it was refused."""
    try:
        change()
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.rerun()


def _form(job: Job, me: Viewer) -> None:
    lasts = st.selectbox(words.LINK_LASTS, list(words.LASTS), index=1, format_func=words.LASTS.__getitem__)
    password = st.text_input(words.LINK_LOCK, type="password", max_chars=share_links.MAX_PASSWORD_CHARS)
    if not st.form_submit_button(words.MAKE_THE_LINK, type="primary"):
        return
    try:
        path = sharing.share(me.user, job.id, lasts=timedelta(days=lasts), password=password or None)
    except TranscriberError as error:
        viewer.refused(error)
        return
    address = re.sub(r"(https?://[^/]+).*", r"\1", st.context.url or "")
    st.session_state[FRESH] = (job.id, f"{address}{site_path(path)}")
    st.rerun()


def _link(job: Job, share: Share, me: Viewer) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"share-{share.id}"):
        until = formatting.until(share.expires_at, me.zone)
        made = formatting.when(share.made_at, me.zone)
        st.caption(words.link(made, until, share.opened, locked=bool(share.password_hash)))
        if st.button(words.REVOKE, type="tertiary", key=f"end-share-{share.id}"):
            st.session_state.pop(FRESH, None)
            _attempt(partial(sharing.revoke, me.user, job.id, share.id))
