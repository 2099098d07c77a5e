"""The user's settings: profile, defaults, vocabulary, password, sessions, keys, webhooks, data."""

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.settings import account_access, account_data, defaults, password, profile, webhook_section
from dashboards.strings import accounts as words
from dashboards.strings import integrations
from storage.domain import translation

PART = "part"


def page() -> None:
    """Show the settings, one tab per part."""
    me = viewer.required()
    st.title(words.SETTINGS, anchor=False)
    names = _names(me)
    with translation.speaking(translation.ENGLISH):
        english = _names(me)
    if (part := st.query_params.get(PART)) in english and part not in names:  # as links in mails have it
        st.session_state[PART] = names[english.index(part)]
    tabs = dict(zip(names, st.tabs(names, key=PART, bind="query-params"), strict=True))
    with tabs[words.PROFILE], st.container(key="narrow"):
        profile.form(me)
    if me.may_write:
        with tabs[words.RECORDINGS], st.container(key="narrow-jobs"):
            defaults.form(me)
        with tabs[words.VOCABULARY], st.container(key="narrow-words"):
            defaults.vocabulary_form(me)
    with tabs[words.PASSWORD], st.container(key="narrow-password"):
        password.form(me, button=words.CHANGE_PASSWORD)
    with tabs[words.BROWSERS]:
        account_access.browsers(me)
    with tabs[words.API_KEYS]:
        account_access.programs(me)
    with tabs[integrations.WEBHOOKS]:
        webhook_section.listing(me)
    with tabs[words.YOUR_DATA], st.container(key="narrow-data"):
        account_data.show(me)


def _names(me: viewer.Viewer) -> list[str]:
    own = [words.RECORDINGS, words.VOCABULARY] if me.may_write else []
    account = [words.PASSWORD, words.BROWSERS, words.API_KEYS, integrations.WEBHOOKS, words.YOUR_DATA]
    return [words.PROFILE, *own, *account]
