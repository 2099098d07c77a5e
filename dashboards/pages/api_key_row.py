"""An API key in a list, with buttons to rotate and revoke it."""

from datetime import timedelta

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.services import key_management
from dashboards.strings import accounts as words
from storage.accounts import api_key_usage
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.records import ApiKey
from storage.domain.translation import gettext as _

FRESH_KEY = "fresh_key"
OVERLAPS = (timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))


def show_fresh() -> None:
    """Show the secret of a new or rotated key, until the reader has noted it."""
    fresh = st.session_state.get(FRESH_KEY)
    if not fresh:
        return
    st.success(words.NEW_KEY, icon=":material/key:")
    st.code(fresh, language=None)
    if st.button(words.NEW_KEY_NOTED, key="copied"):
        del st.session_state[FRESH_KEY]
        st.rerun()


def show(key: ApiKey, me: Viewer, *, owner: str | None = None) -> None:
    """Show the key, with its owner in a list of everybody's.

    Revoking it closes its open websockets.
    """
    part = "key" if owner is None else "all-key"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"{part}-{key.id}"):
        with st.container(gap=None):
            _facts(key, me, owner)
        if key.is_valid(utc_now()) and me.may_write:
            with st.popover(words.ROTATE):
                _rotate(key, me)
        if not key.revoked_at:
            with st.popover(words.REVOKE):
                st.write(words.REVOKE_HELP)
                if st.button(words.REVOKE_SURE, type="primary", key=f"revoke-{key.id}"):
                    key_management.revoke(me.user, key.id)
                    st.rerun()


def _facts(key: ApiKey, me: Viewer, owner: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(key.name, width="content")
        if key.revoked_at:
            st.badge(words.REVOKED, color="gray")
        elif not key.is_valid(utc_now()):
            st.badge(words.EXPIRED, color="gray")
    used = words.last_used(formatting.when(key.last_used_at, me.zone)) if key.last_used_at else words.NEVER_USED
    made = words.made(formatting.when(key.created_at, me.zone))
    facts = [viewer.plain(owner or ""), f"`{key.prefix}…`", made, used]
    st.caption(" · ".join(fact for fact in facts if fact))
    grant = key.grant
    limits = [", ".join(_(scope.spec.label) for scope in grant.scopes)]
    if grant.expires_at:
        limits.append(words.expires(formatting.when(grant.expires_at, me.zone)))
    if grant.networks:
        limits.append(words.only_from(viewer.plain(grant.networks)))
    if grant.quota_hours is not None:
        limits.append(words.hours_a_month(grant.quota_hours))
    if grant.requests_per_hour is not None:
        limits.append(words.requests_an_hour(grant.requests_per_hour))
    if key.previous_until and key.previous_until > utc_now():
        limits.append(words.previous_until(formatting.when(key.previous_until, me.zone)))
    st.caption(" · ".join(limits))
    for month in db.look(api_key_usage.months_of, key.id, limit=1):
        st.caption(words.key_use(month.month, month.requests, month.recordings, month.heard_s / 3600))


def _rotate(key: ApiKey, me: Viewer) -> None:
    st.write(words.ROTATE_HELP)
    overlap = st.selectbox(
        words.OVERLAP, OVERLAPS, index=2, format_func=lambda one: words.OVERLAP_OF[one], key=f"overlap-{key.id}"
    )
    if not st.button(words.ROTATE_SURE, type="primary", key=f"rotate-{key.id}"):
        return
    try:
        secret, _ = key_management.rotate(me.user, key.id, overlap=overlap)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[FRESH_KEY] = secret
    st.rerun()
