"""Unfinished uploads: owner, size and age, with a button to delete them."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import admin as words
from storage.accounts import users
from storage.domain.translation import number
from storage.files import direct_parts
from storage.files.upload_store import ABANDONED_AFTER_S, Upload
from storage.ledger import audit

EVERY_S = 5.0
SHOWN = 100


@st.fragment(run_every=EVERY_S)
def listing() -> None:
    """Show every unfinished upload, and below those that are complete but no recordings yet.

    Parts of one file are listed separately.
    """
    me = viewer.required_admin()
    shelf = context.current().shelf
    st.caption(words.abandoned_after(ABANDONED_AFTER_S / 3600))
    found = sorted((upload for upload in shelf.all() if not upload.settled), key=shelf.touched_s, reverse=True)
    coming = [upload for upload in found if shelf.unfinished(upload)]
    received = [upload for upload in found if not shelf.unfinished(upload)]
    people = {user.id: user.name for user in db.look(users.list_all)}
    if coming:
        _figures(coming)
    else:
        st.info(words.NO_UPLOADS, icon=":material/cloud_done:")
    for upload in coming[:SHOWN]:
        _upload(upload, people.get(upload.owner_id, words.DELETED_USER), me)
    if received:
        st.header(words.RECEIVED, anchor=False)
        st.caption(words.RECEIVED_ABOUT)
    for upload in received[:SHOWN]:
        _upload(upload, people.get(upload.owner_id, words.DELETED_USER), me)


def _figures(coming: Sequence[Upload]) -> None:
    shelf = context.current().shelf
    missing = sum(max(0, upload.length_bytes - shelf.offset(upload)) for upload in coming)
    left, right = st.columns(2)
    left.metric(words.OPEN_UPLOADS, number(len(coming)), border=True)
    right.metric(words.TO_COME, formatting.size(missing), border=True, help=words.TO_COME_HELP)


def _upload(upload: Upload, owner: str, me: viewer.Viewer) -> None:
    shelf = context.current().shelf
    have = shelf.offset(upload)
    name = viewer.plain(upload.name or (words.PART if upload.partial else words.UNNAMED))
    touched = formatting.when(datetime.fromtimestamp(shelf.touched_s(upload), UTC), me.zone)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"upload-{upload.id}"):
        with st.container(gap="small"):
            st.markdown(f"**{name}**")
            share = min(1.0, have / upload.length_bytes) if upload.length_bytes else 0.0
            whole = words.LENGTH_UNKNOWN if upload.deferred else formatting.size(upload.length_bytes)
            told = words.out_of(formatting.size(have), whole)
            st.progress(share, text=words.upload(told, viewer.plain(owner), touched))
        with st.popover(words.THROW_AWAY):
            st.write(words.THROW_AWAY_ABOUT)
            if st.button(words.THROW_AWAY_SURE, type="primary", key=f"delete-upload-{upload.id}"):
                direct_parts.remove(shelf, upload, context.current().direct_parts)
                detail = {"name": upload.name, "bytes": have, "owner": upload.owner_id}
                db.change(audit.record, actor=me.actor, action="upload.delete", subject=upload.id, detail=detail)
                st.rerun(scope="fragment")


def page() -> None:
    """Show unfinished and abandoned uploads, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["incoming"], anchor=False)
    listing()
