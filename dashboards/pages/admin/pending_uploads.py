"""Uploads that have become no job yet: whose, how far, since when; and a way to throw one away."""

from datetime import UTC, datetime

import streamlit as st

from dashboards import context, present, viewer
from dashboards.landing import ABANDONED_AFTER_S
from dashboards.shelf import Upload
from dashboards.strings import admin as words
from storage import audit, users

EVERY_S = 5.0
SHOWN = 100


@st.fragment(run_every=EVERY_S)
def listing() -> None:
    """Show every upload that is not settled, the parts of one file apart."""
    me = viewer.required_admin()
    shelf = context.current().shelf
    st.caption(words.abandoned_after(ABANDONED_AFTER_S / 3600))
    open_ones = [upload for upload in shelf.all() if not upload.settled]
    if not open_ones:
        st.info(words.NO_UPLOADS, icon=":material/cloud_done:")
        return
    coming = sum(max(0, upload.length_bytes - shelf.offset(upload)) for upload in open_ones if not upload.parts)
    left, right = st.columns(2)
    left.metric(words.OPEN_UPLOADS, f"{len(open_ones):,}", border=True)
    right.metric(words.TO_COME, present.size(coming), border=True, help=words.TO_COME_HELP)
    people = {user.id: user.name for user in viewer.look(users.list_all)}
    for upload in sorted(open_ones, key=shelf.touched_s, reverse=True)[:SHOWN]:
        _upload(upload, people.get(upload.owner_id, words.DELETED_USER), me)


def _upload(upload: Upload, owner: str, me: viewer.Viewer) -> None:
    shelf = context.current().shelf
    have = shelf.offset(upload)
    name = viewer.plain(upload.name or (words.PART if upload.partial else words.UNNAMED))
    touched = present.when(datetime.fromtimestamp(shelf.touched_s(upload), UTC), me.zone)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"upload-{upload.id}"):
        with st.container(gap="small"):
            st.markdown(f"**{name}**")
            share = min(1.0, have / upload.length_bytes)
            told = words.out_of(present.size(have), present.size(upload.length_bytes))
            st.progress(share, text=words.upload(told, viewer.plain(owner), touched))
        with st.popover(words.THROW_AWAY):
            st.write(words.THROW_AWAY_ABOUT)
            if st.button(words.THROW_AWAY_SURE, type="primary", key=f"delete-upload-{upload.id}"):
                shelf.remove(upload.id)
                detail = {"name": upload.name, "bytes": have, "owner": upload.owner_id}
                viewer.change(audit.record, actor=me.actor, action="upload.delete", subject=upload.id, detail=detail)
                st.rerun(scope="fragment")
