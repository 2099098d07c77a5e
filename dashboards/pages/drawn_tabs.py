"""Tabs that are drawn once they are opened.

Eight forms at once take a browser more than twice the time of one.
"""

from collections.abc import Callable, Mapping

import streamlit as st

PART = "part"


def show(page: str, parts: Mapping[str, Callable[[], None]]) -> None:
    """Show a tab for each part of a page; the address names the open one.

    A tab that was open stays drawn, so that nothing is lost that was typed there.
    """
    drawn: set[str] = st.session_state.setdefault(f"drawn-{page}", set())
    for name, tab in zip(parts, st.tabs(list(parts), key=PART, bind="query-params"), strict=True):
        if tab.open:
            drawn.add(name)
        if name in drawn:
            with tab:
                parts[name]()
