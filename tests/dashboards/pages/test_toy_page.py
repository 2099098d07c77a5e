"""The recipe for a page: a function and a line in the registry."""

import sys
from types import ModuleType

import pytest
import streamlit as st

from dashboards import strings
from dashboards.pages.registry import PAGES, PageSpec
from storage.domain.records import Role
from tests.dashboards.desk import Desk, words


def test_a_page_is_a_function_and_a_line_in_the_registry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ModuleType("dashboards.pages.toy")
    vars(toy)["page"] = lambda: st.write("Nothing but a toy.")
    monkeypatch.setitem(sys.modules, toy.__name__, toy)
    monkeypatch.setitem(strings.PAGE, "toy", "Toy")
    monkeypatch.setitem(PAGES, "toy", PageSpec(key="toy", path="toy", icon="toys", role=Role.ADMIN, show="toy:page"))
    assert "Nothing but a toy." in words(desk.page("toy", desk.user("root", Role.ADMIN)))
    assert not PAGES["toy"].is_for(Role.MEMBER)
