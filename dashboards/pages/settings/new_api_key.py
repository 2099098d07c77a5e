"""The form that creates an API key."""

from datetime import timedelta

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.api_key_row import FRESH_KEY
from dashboards.pages.viewer import Viewer
from dashboards.services import key_management
from dashboards.strings import accounts as words
from storage.accounts import api_keys
from storage.domain.clock import utc_now
from storage.domain.errors import TranscriberError
from storage.domain.records import KeyGrant
from storage.domain.scopes import Scope
from storage.domain.translation import gettext as _

USUAL = [scope for scope in Scope if scope is not Scope.ADMIN]


def form(me: Viewer) -> None:
    """Offer to create a key, which is then shown once."""
    with st.form("new-key", border=False, clear_on_submit=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input(words.KEY_NAME, placeholder=words.KEY_NAME_EXAMPLE, max_chars=100)
            made = st.form_submit_button(words.MAKE_KEY, type="primary", icon=":material/add:")
        with st.expander(words.KEY_LIMITS):
            grant = _grant()
    if not made:
        return
    try:
        secret, _ = key_management.create(me.user, name or "", grant)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[FRESH_KEY] = secret
    st.rerun()


def _grant() -> KeyGrant:
    scopes = st.pills(
        words.SCOPES,
        list(Scope),
        selection_mode="multi",
        default=USUAL,
        format_func=lambda scope: _(scope.spec.label),
        help="\n".join(f"- {_(scope.spec.label)}: {_(scope.spec.about)}" for scope in Scope),
    )
    lasts = st.selectbox(words.KEY_LASTS, list(words.KEY_LASTS_DAYS), format_func=words.KEY_LASTS_DAYS.__getitem__)
    networks = st.text_input(words.KEY_NETWORKS, placeholder=words.KEY_NETWORKS_EXAMPLE, max_chars=2000)
    hours = st.number_input(words.HOURS_A_MONTH, 0.0, None, None, 1.0, placeholder=words.NO_LIMIT)
    most = api_keys.MOST_REQUESTS_PER_HOUR
    requests = st.number_input(words.REQUESTS_AN_HOUR, 1, most, None, placeholder=words.NO_LIMIT)
    return KeyGrant(
        scopes=tuple(scopes),
        expires_at=utc_now() + timedelta(days=lasts) if lasts else None,
        networks=networks or "",
        quota_hours=hours,
        requests_per_hour=requests,
    )
