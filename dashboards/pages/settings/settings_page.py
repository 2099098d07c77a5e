"""The user's settings: profile, defaults, vocabulary, password, sessions, keys, webhooks, data."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboards.pages import drawn_tabs, viewer
from dashboards.pages.drawn_tabs import PART
from dashboards.pages.settings import account_access, account_data, defaults, password, profile, webhook_section
from dashboards.strings import accounts as words
from dashboards.strings import integrations
from storage.domain import translation


def page() -> None:
    """Show the settings, one tab per part."""
    me = viewer.required()
    st.title(words.SETTINGS, anchor=False)
    parts = _parts(me)
    with translation.speaking(translation.ENGLISH):
        english = list(_parts(me))
    if (part := st.query_params.get(PART)) in english and part not in parts:  # as links in mails have it
        st.session_state[PART] = list(parts)[english.index(part)]
    drawn_tabs.show("settings", parts)


def _parts(me: viewer.Viewer) -> dict[str, Callable[[], None]]:
    own = {
        words.RECORDINGS: _narrow("jobs", partial(defaults.form, me)),
        words.VOCABULARY: _narrow("words", partial(defaults.vocabulary_form, me)),
    }
    return {
        words.PROFILE: _narrow("profile", partial(profile.form, me)),
        **(own if me.may_write else {}),
        words.PASSWORD: _narrow("password", lambda: password.form(me, button=words.CHANGE_PASSWORD)),
        words.BROWSERS: partial(account_access.browsers, me),
        words.API_KEYS: partial(account_access.programs, me),
        integrations.WEBHOOKS: partial(webhook_section.listing, me),
        words.YOUR_DATA: _narrow("data", partial(account_data.show, me)),
    }


def _narrow(key: str, show: Callable[[], None]) -> Callable[[], None]:
    """Return what shows a form in a narrow column."""

    def shown() -> None:
        with st.container(key=f"narrow-{key}"):
            show()

    return shown
