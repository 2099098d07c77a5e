"""All users' webhooks, for administrators to view, disable and delete."""

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.admin.pager import Pager
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.services import webhook_management
from dashboards.strings import admin
from dashboards.strings import integrations as words
from storage.accounts import users, webhooks
from storage.accounts.webhooks import Webhook

PAGES: Pager[Webhook] = Pager(
    key="webhooks_before", mark=lambda hook: hook.id, labels=lambda: (words.NEWEST, words.OLDER)
)


@st.fragment
def listing() -> None:
    """List webhooks, newest first, in pages.

    Addresses are without their paths, which may have secrets in them.
    """
    me = viewer.required_admin()
    rows = context.current().limits.page_rows
    found = db.look(webhooks.page, before=PAGES.start, limit=rows + 1)
    if not found:
        st.info(words.NO_WEBHOOKS, icon=":material/webhook:")
    names = db.look(users.names_of, {hook.user_id for hook in found})
    for hook in found[:rows]:
        _row(hook, names.get(hook.user_id, admin.DELETED_USER), me)
    with st.container(horizontal=True, horizontal_alignment="right"):
        PAGES.buttons(found, rows)


def _row(hook: Webhook, owner: str, me: Viewer) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"all-webhook-{hook.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(hook.host, width="content")
                if not hook.enabled:
                    st.badge(words.DISABLED, color="gray")
                elif hook.failing_since:
                    st.badge(words.FAILING, color="orange")
            facts = [owner, formatting.when(hook.created_at, me.zone)]
            facts += [words.EVENT_LABELS[event] for event in hook.events]
            st.caption(viewer.plain(" · ".join([*facts, *([words.EVERYBODY] if hook.everybody else [])])))
        if st.button(words.DISABLE if hook.enabled else words.ENABLE, key=f"enable-everybodys-{hook.id}"):
            webhook_management.change(me.user, hook.id, enabled=not hook.enabled)
            st.rerun()
        with st.popover(words.DELETE):
            st.write(words.DELETE_HELP)
            if st.button(words.DELETE_SURE, type="primary", key=f"delete-everybodys-{hook.id}"):
                webhook_management.delete(me.user, hook.id)
                st.rerun()
