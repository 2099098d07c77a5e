"""The page script: which pages there are for whom; everything else is in `views/`."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboards import components, context, strings, viewer
from dashboards.strings import recordings as words
from dashboards.viewer import Viewer
from storage import preferences

OWN = {
    "views/jobs.py": ("", strings.PAGE["jobs"], "graphic_eq"),
    "views/upload.py": ("upload", strings.PAGE["upload"], "upload"),
    "views/search.py": ("search", strings.PAGE["search"], "search"),
}
SINGLE = {
    "views/job.py": ("job", strings.PAGE["job"], "description"),
    "views/settings.py": ("settings", strings.PAGE["settings"], "settings"),
}
ADMIN = {
    "views/overview.py": ("overview", strings.PAGE["overview"], "monitoring"),
    "views/all_jobs.py": ("all-recordings", strings.PAGE["all_jobs"], "library_music"),
    "views/people.py": ("people", strings.PAGE["people"], "group"),
    "views/machines.py": ("machines", strings.PAGE["machines"], "memory"),
    "views/queues.py": ("queues", strings.PAGE["queues"], "low_priority"),
    "views/incoming.py": ("incoming", strings.PAGE["incoming"], "cloud_upload"),
    "views/system.py": ("system", strings.PAGE["system"], "vital_signs"),
    "views/performance.py": ("performance", strings.PAGE["performance"], "speed"),
    "views/audit.py": ("audit", strings.PAGE["audit"], "history"),
    "views/site.py": ("site", strings.PAGE["site"], "tune"),
    "views/configuration.py": ("configuration", strings.PAGE["configuration"], "settings_applications"),
}
OUTSIDE = {
    "views/join.py": ("join", strings.PAGE["join"], "person_add"),
    "views/reset.py": ("reset", strings.PAGE["reset"], "lock_reset"),
}
HIDDEN = {"views/job.py", *OUTSIDE}
EVERY_PATH = [path for pages in (OWN, SINGLE, ADMIN) for path, _, _ in pages.values()]


def main() -> None:
    """Show the one page that the reader may see now: the login, a new password, or what was asked for."""
    st.set_page_config(page_title=strings.APP, page_icon=str(components.SVG_MARK), layout="wide")
    st.html(components.STYLE)
    me = viewer.signed_in()
    if me is None:
        only("views/login.py", strings.PAGE["login"], beside=[page(OUTSIDE, view) for view in OUTSIDE])
    elif me.user.must_change_password:
        only("views/first_password.py", strings.PAGE["first_password"])
    else:
        signed_in(me)


def only(view: str, title: str, beside: Sequence[st.Page] = ()) -> None:
    """Show one page under every path, so that a deep link is still there afterwards, but for those `beside` it."""
    pages = [st.Page(view, title=title, url_path=path, default=not path) for path in EVERY_PATH]
    st.navigation([*pages, *beside], position="hidden").run()


def signed_in(me: Viewer) -> None:
    """Show the app: navigation by role, and the foot of the sidebar."""
    own = [view for view in OWN if me.may_write or view != "views/upload.py"]
    sections = {"": [page(OWN, view) for view in own] + [page(SINGLE, view) for view in SINGLE]}
    sections[""] += [page(OUTSIDE, view) for view in OUTSIDE]
    if me.is_admin:
        sections[words.ADMINISTRATION] = [page(ADMIN, view) for view in ADMIN]
    st.logo(str(components.SVG_MARK), size="large")
    shown = st.navigation(sections, expanded=True)
    with st.sidebar, st.container(key="foot"):
        facts = session_facts(me)
        if job_id := components.session(facts):
            st.switch_page("views/job.py", query_params={"id": job_id})
        if components.dock(facts, name=me.user.shown_name, role=strings.ROLE[me.user.role]):
            st.switch_page("views/upload.py")
    shown.run()


def session_facts(me: Viewer) -> dict[str, Any]:
    """Return what the browser needs to watch over the login, tell of recordings, and dress the pages."""
    idle_s = 60 * context.settings().web.session_idle_minutes
    return {
        "me": me.user.id,
        "name": me.user.name,
        "everybody": me.is_admin,
        "heard": context.current().bus.count(None if me.is_admin else me.user.id),
        "warn_s": min(300, idle_s // 2),
        "theme": viewer.look(preferences.of, me.user.id).theme.title(),
        "paths": [*EVERY_PATH, *(path for path, _, _ in OUTSIDE.values())],
    }


def page(pages: dict[str, tuple[str, str, str]], view: str) -> st.Page:
    """Describe one page; some are reached from a list or by a link alone."""
    path, title, icon = pages[view]
    return st.Page(
        view,
        title=title,
        icon=f":material/{icon}:",
        url_path=path or None,
        default=not path,
        visibility="hidden" if view in HIDDEN else "visible",
    )


main()
