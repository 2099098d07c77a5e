"""All users' API keys, for administrators to view and revoke."""

import streamlit as st

from dashboards.pages import api_key_row, viewer
from dashboards.pages.admin.pager import Pager
from dashboards.runtime import context, db
from dashboards.strings import accounts as words
from storage.accounts import api_keys, users
from storage.domain.records import ApiKey

PAGES: Pager[ApiKey] = Pager(
    key="keys_before", mark=lambda key: key.id, labels=lambda: (words.NEWEST_KEYS, words.OLDER_KEYS)
)


@st.fragment
def listing() -> None:
    """List keys, newest first, in pages."""
    me = viewer.required_admin()
    api_key_row.show_fresh()
    only_valid = st.toggle(words.ONLY_VALID_KEYS, value=True, **PAGES.restart)
    rows = context.current().limits.page_rows
    found = db.look(api_keys.page, before=PAGES.start, only_valid=only_valid, limit=rows + 1)
    if not found:
        st.info(words.NO_KEYS, icon=":material/key:")
    names = db.look(users.names_of, {key.user_id for key in found})
    for key in found[:rows]:
        api_key_row.show(key, me, owner=names.get(key.user_id, words.DELETED_USER))
    with st.container(horizontal=True, horizontal_alignment="right"):
        PAGES.buttons(found, rows)
