"""Page script: registers the pages that the reader may open, and draws the current one."""

from collections.abc import Callable, Sequence

import streamlit as st

from dashboards import components, strings
from dashboards.components.contracts import SessionData
from dashboards.pages import (
    login_forms,
    maintenance_notice,
    new_browser_notice,
    not_found,
    page_language,
    registry,
    viewer,
)
from dashboards.pages.settings import password
from dashboards.pages.viewer import Viewer
from dashboards.runtime import context, db
from storage.accounts import preferences
from storage.accounts.preferences import Preferences
from storage.domain import translation

SIGNED_IN = [key for key, spec in registry.PAGES.items() if spec.role is not None]
OUTSIDE = [key for key, spec in registry.PAGES.items() if spec.role is None]
EVERY_PATH = [registry.PAGES[key].path for key in SIGNED_IN]


def main() -> None:
    """Show the login, the password form or the requested page."""
    st.set_page_config(page_title=strings.APP, page_icon=str(components.SVG_MARK), layout="wide")
    me = viewer.signed_in()
    chosen = db.look(preferences.of, me.user.id) if me else preferences.Preferences()
    page_language.begin(chosen.pages_language)
    if me is None:
        only(login_forms.login_page, strings.PAGE["login"], beside=OUTSIDE)
    elif me.user.must_change_password:
        only(password.first_page, strings.PAGE["first_password"])
    else:
        signed_in(me, chosen)


def only(show: Callable[[], None], title: str, beside: Sequence[str] = ()) -> None:
    """Show one page under every path except those `beside` it, to preserve deep links."""
    pages = [st.Page(show, title=title, url_path=path, default=not path) for path in EVERY_PATH]
    st.navigation([*pages, *map(registry.page, beside)], position="hidden").run()


def signed_in(me: Viewer, chosen: Preferences) -> None:
    """Show the app: navigation by role, and the sidebar's footer."""
    mine = [key for key, spec in registry.PAGES.items() if spec.is_for(me.user.role)]
    sections: dict[str, list[st.Page]] = {"": []}
    for key in mine:
        sections.setdefault(strings.GROUP[registry.PAGES[key].group], []).append(registry.page(key))
    sections[""] += nowhere([registry.PAGES[key].path for key in mine])
    st.logo(str(components.SVG_MARK), size="large")
    shown = st.navigation(sections, expanded=True)
    with st.sidebar, st.container(key="foot"):
        facts = session_facts(me, chosen)
        if job_id := components.session(facts):
            st.switch_page(registry.page("job"), query_params={"id": job_id})
        if components.dock(facts, name=me.user.shown_name, role=strings.ROLE[me.user.role]):
            st.switch_page(registry.page("upload"))
    maintenance_notice.show(me)
    new_browser_notice.show(me)
    shown.run()


def nowhere(paths: Sequence[str]) -> list[st.Page]:
    """Return a page for an address that no other page has."""
    asked = not_found.asked_path()
    if asked in paths or "/" in asked:
        return []
    return [st.Page(not_found.page, title=strings.PAGE["nowhere"], url_path=asked, visibility="hidden")]


def session_facts(me: Viewer, chosen: Preferences) -> SessionData:
    """Return the data for session warnings, notifications, language and theme."""
    idle_s = 60 * context.settings().web.session_idle_minutes
    return {
        "me": me.user.id,
        "name": me.user.name,
        "everybody": me.is_admin,
        "events_seen": context.current().bus.count(None if me.is_admin else me.user.id),
        "warn_s": min(300, idle_s // 2),
        "theme": chosen.theme.title(),
        "language": translation.language(),
        "paths": [spec.path for spec in registry.PAGES.values()],
    }


main()
