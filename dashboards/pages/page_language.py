"""The language of a session's pages: the one in the reader's settings, or the browser's."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from storage.domain import translation

KEY = "page_language"


def begin(chosen: str | None) -> None:
    """Speak the chosen language in this session, or the one that its browser asks for."""
    asked = st.context.headers.get("Accept-Language") or st.context.locale
    st.session_state[KEY] = code = chosen or translation.wanted(asked)
    translation.use(code)


def of_this_session() -> str | None:
    """Return the session's language, for a fragment that runs alone; None without a session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    code: str | None = st.session_state.get(KEY)
    return code


translation.otherwise(of_this_session)
