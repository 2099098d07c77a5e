"""The user's webhooks: create, test, rotate and delete them; their last deliveries."""

from datetime import timedelta
from typing import Literal

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.services import webhook_management
from dashboards.strings import integrations as words
from storage.accounts import webhook_deliveries, webhooks
from storage.accounts.webhook_deliveries import Delivery, DeliveryState
from storage.accounts.webhooks import Webhook, WebhookEvent
from storage.domain.errors import TranscriberError
from storage.domain.network.outgoing_targets import MAX_URL_CHARS

FRESH_SECRET = "fresh_webhook_secret"  # noqa: S105 - the name of a place
OVERLAP = timedelta(days=1)
SHOWN_DELIVERIES = 10
USUAL = [event for event in WebhookEvent if event is not WebhookEvent.TRANSCRIPT_CHANGED]
COLORS: dict[DeliveryState, Literal["orange", "green", "red"]] = {
    DeliveryState.WAITING: "orange",
    DeliveryState.DELIVERED: "green",
    DeliveryState.FAILED: "red",
}


@st.fragment
def listing(me: Viewer) -> None:
    """List the user's webhooks; a new secret is shown once."""
    st.write(words.LEAD)
    _show_fresh()
    if me.may_write:
        _form(me)
    for hook in db.look(webhooks.page, user_id=me.user.id, limit=webhooks.MOST):
        _show(hook, me)


def _show_fresh() -> None:
    fresh = st.session_state.get(FRESH_SECRET)
    if not fresh:
        return
    st.success(words.NEW_SECRET, icon=":material/key:")
    st.code(fresh, language=None)
    if st.button(words.SECRET_NOTED, key="webhook-copied"):
        del st.session_state[FRESH_SECRET]
        st.rerun()


def _form(me: Viewer) -> None:
    with st.form("new-webhook", border=False, clear_on_submit=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            url = st.text_input(words.URL, placeholder=words.URL_EXAMPLE, max_chars=MAX_URL_CHARS)
            made = st.form_submit_button(words.MAKE, type="primary", icon=":material/add:")
        events = st.pills(
            words.EVENTS,
            list(WebhookEvent),
            selection_mode="multi",
            default=USUAL,
            format_func=words.EVENT_LABELS.__getitem__,
        )
        everybody = me.is_admin and st.checkbox(words.EVERYBODY)
    if not made:
        return
    try:
        secret, _ = webhook_management.create(me.user, url or "", events, everybody=everybody)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[FRESH_SECRET] = secret.get_secret_value()
    st.rerun()


def _show(hook: Webhook, me: Viewer) -> None:
    with st.container(border=True, key=f"webhook-{hook.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(gap=None):
                _facts(hook)
            if me.may_write:
                _actions(hook, me)
        with st.expander(words.DELIVERIES):
            _deliveries(hook, me)


def _facts(hook: Webhook) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(hook.url, width="content")
        if not hook.enabled:
            st.badge(words.DISABLED, color="gray")
        elif hook.failing_since:
            st.badge(words.FAILING, color="orange")
    facts = [words.EVENT_LABELS[event] for event in hook.events]
    st.caption(" · ".join([*facts, *([words.EVERYBODY] if hook.everybody else [])]))
    if hook.disabled_because and not hook.enabled:
        st.warning(words.BECAUSE[hook.disabled_because], icon=":material/warning:")


def _actions(hook: Webhook, me: Viewer) -> None:
    if hook.enabled and st.button(words.TEST, key=f"test-{hook.id}"):
        webhook_management.send_test(me.user, hook.id)
        st.toast(words.TEST_SENT)
    if st.button(words.DISABLE if hook.enabled else words.ENABLE, key=f"enable-{hook.id}"):
        webhook_management.change(me.user, hook.id, enabled=not hook.enabled)
        st.rerun()
    with st.popover(words.ROTATE):
        st.write(words.ROTATE_HELP)
        if st.button(words.ROTATE_SURE, type="primary", key=f"rotate-webhook-{hook.id}"):
            secret, _ = webhook_management.rotate(me.user, hook.id, overlap=OVERLAP)
            st.session_state[FRESH_SECRET] = secret.get_secret_value()
            st.rerun()
    with st.popover(words.DELETE):
        st.write(words.DELETE_HELP)
        if st.button(words.DELETE_SURE, type="primary", key=f"delete-{hook.id}"):
            webhook_management.delete(me.user, hook.id)
            st.rerun()


def _deliveries(hook: Webhook, me: Viewer) -> None:
    found = db.look(webhook_deliveries.page, hook.id, limit=SHOWN_DELIVERIES)
    if not found:
        st.caption(words.NO_DELIVERIES)
    for delivery in found:
        _delivery(delivery, hook, me)
    st.button(words.REFRESH, icon=":material/refresh:", key=f"refresh-{hook.id}")


def _delivery(delivery: Delivery, hook: Webhook, me: Viewer) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"delivery-{delivery.id}"):
        st.badge(words.STATES[delivery.state], color=COLORS[delivery.state])
        said = [f"`{delivery.event}`", formatting.when(delivery.created_at, me.zone)]
        if last := delivery.last:
            how = words.attempt(last.status, last.error, last.duration_ms)
            said += [words.attempts(delivery.attempts), viewer.plain(how)]
        st.caption(" · ".join(said))
        if me.may_write and hook.enabled and st.button(words.REPLAY, key=f"replay-{delivery.id}"):
            webhook_management.replay(me.user, hook.id, delivery.id)
            st.rerun()
