"""All users' working share links, for administrators to view and revoke."""

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.admin.pager import Pager
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.services import sharing
from dashboards.strings import admin
from dashboards.strings import recordings as words
from storage.accounts import users
from storage.jobs.share_links import SharedRecording

PAGES: Pager[SharedRecording] = Pager(
    key="links_before", mark=lambda each: each.share.id, labels=lambda: (words.NEWEST_LINKS, words.OLDER_LINKS)
)


@st.fragment
def listing() -> None:
    """List links, newest first, in pages."""
    me = viewer.required_admin()
    rows = context.current().limits.page_rows
    found = sharing.everybodys(me.user, before=PAGES.start, limit=rows + 1)
    if not found:
        st.info(words.NO_LINKS, icon=":material/link:")
    people = {each.owner_id for each in found} | {_maker(each) for each in found}
    names = db.look(users.names_of, people)
    for each in found[:rows]:
        _row(each, names, me)
    with st.container(horizontal=True, horizontal_alignment="right"):
        PAGES.buttons(found, rows)


def _maker(shared: SharedRecording) -> str:
    return shared.share.made_by.removeprefix("user:")


def _row(shared: SharedRecording, names: dict[str, str], me: Viewer) -> None:
    share = shared.share
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"all-share-{share.id}"):
        with st.container(gap=None):
            st.text(shared.name)
            owner, maker = (names.get(ident, admin.DELETED_USER) for ident in (shared.owner_id, _maker(shared)))
            made, until = formatting.when(share.made_at, me.zone), formatting.until(share.expires_at, me.zone)
            facts = words.link(made, until, share.opened, locked=bool(share.password_hash))
            st.caption(f"{viewer.plain(words.whose_link(owner, maker))} · {facts}")
        if st.button(words.REVOKE, key=f"revoke-link-{share.id}"):
            sharing.end(me.user, share.job_id, share.id)
            st.rerun()
