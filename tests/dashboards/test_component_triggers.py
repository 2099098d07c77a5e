"""What a component's trigger does when its turn comes."""

from typing import Any

from streamlit.testing.v1 import AppTest


def script(here: bool) -> None:
    import streamlit as st

    from dashboards import components

    if here:
        st.session_state["rows"] = {"want": {"page": 2}}
    st.session_state["told"] = []
    components._telling("rows", "want", st.session_state["told"].append)()


def told(*, here: bool) -> Any:
    at = AppTest.from_function(script, kwargs={"here": here}).run()
    assert not at.exception, at.exception
    return at.session_state["told"]


def test_its_value_is_passed_on() -> None:
    assert told(here=True) == [{"page": 2}]


def test_nothing_is_told_once_its_page_has_been_left() -> None:
    """The browser's next trigger may be under way while `switch_page` leaves: it must not break the new page."""
    assert told(here=False) == []
