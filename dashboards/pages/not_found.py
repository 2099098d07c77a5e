"""The page at addresses where the reader has no other page."""

from urllib.parse import urlsplit

import streamlit as st

from dashboards import strings
from dashboards.pages import registry, viewer
from dashboards.runtime import security_log
from dashboards.runtime.site_paths import site_path
from dashboards.strings import recordings as words
from storage.domain.errors import NotAllowed
from storage.domain.records import Role


def page() -> None:
    """Say that there is nothing here, with a way on."""
    _record_refusal(viewer.required())
    st.title(strings.PAGE["nowhere"], anchor=False)
    st.write(words.NO_PAGE)
    st.page_link(registry.page("jobs"), label=words.BACK_TO_OWN, icon=":material/arrow_back:")


def asked_path() -> str:
    """Return the path of the page's address, without slashes at its ends."""
    return urlsplit(st.context.url or "").path.removeprefix(site_path("")).strip("/")


def _record_refusal(me: viewer.Viewer) -> None:
    """Record that somebody opened the address of a page for administrators."""
    asked = asked_path()
    if any(spec.path == asked and spec.role is Role.ADMIN for spec in registry.PAGES.values()):
        security_log.page_refused(me.actor, subject=f"/{asked}", code=NotAllowed.code)
