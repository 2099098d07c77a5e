"""The links to a recording: make one, see how often each was opened, end them."""

import re
from datetime import timedelta

import streamlit as st

from dashboards import present, strings, viewer
from dashboards.shared import PREFIX
from dashboards.viewer import Viewer
from storage import shares
from storage.clock import utc_now
from storage.errors import TranscriberError
from storage.records import Job
from storage.shares import Share

FRESH = "fresh_share"
LASTS = {"1 day": 1, "7 days": 7, "30 days": 30, "90 days": 90, "1 year": 365}


def panel(job: Job, me: Viewer) -> None:
    """Let the owner share the recording, and list the links that there are."""
    if not me.may_write:
        return
    found = viewer.look(shares.list_of, job.id)
    working = [share for share in found if not share.over(utc_now())]
    st.subheader("Share", anchor=False)
    st.caption(strings.LINK_TO_RECORDING["lead"])
    fresh = st.session_state.get(FRESH)
    if fresh and fresh[0] == job.id:
        st.success(strings.LINK_TO_RECORDING["fresh"], icon=":material/link:")
        st.code(fresh[1], language=None, wrap_lines=True)
    with st.popover("Make a link", icon=":material/add_link:"), st.form("share", border=False):
        _form(job, me)
    for share in working:
        _link(job, share, me)
    if len(found) > len(working):
        over = len(found) - len(working)
        st.caption(f"{over} earlier {'link has' if over == 1 else 'links have'} expired or been revoked.")


def _form(job: Job, me: Viewer) -> None:
    lasts = st.selectbox("Works for", list(LASTS), index=1)
    password = st.text_input("Password (optional)", type="password", max_chars=shares.MAX_PASSWORD_CHARS)
    if not st.form_submit_button("Make the link", type="primary"):
        return
    try:
        token, _ = viewer.change(
            shares.create, job.id, lasts=timedelta(days=LASTS[lasts]), password=password or None, actor=me.actor
        )
    except TranscriberError as error:
        viewer.refused(error)
        return
    address = re.sub(r"(https?://[^/]+).*", r"\1", st.context.url or "")
    st.session_state[FRESH] = (job.id, f"{address}{PREFIX}{token}")
    st.rerun()


def _link(job: Job, share: Share, me: Viewer) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"share-{share.id}"):
        until = present.exactly(share.expires_at, me.zone).rsplit(":", 1)[0]
        times = "not opened yet" if not share.opened else f"opened {share.opened}×"
        lock = " · with password" if share.password_hash else ""
        made = present.when(share.made_at, me.zone)
        st.caption(f"Made {made} · until {until} · {times}{lock}")
        if st.button("Revoke", type="tertiary", key=f"end-share-{share.id}"):
            viewer.change(shares.revoke, job.id, share.id, actor=me.actor)
            st.session_state.pop(FRESH, None)
            st.rerun()
