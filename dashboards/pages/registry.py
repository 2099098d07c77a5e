"""The registry of pages: path, title, icon and required role."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

import streamlit as st

from dashboards import strings
from storage.domain.records import Role

RANK = {Role.READER: 0, Role.MEMBER: 1, Role.ADMIN: 2}


class Group(StrEnum):
    """The groups of the navigation, in its order."""

    OWN = "own"
    OPERATIONS = "operations"
    ACCOUNTS = "accounts"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSpec:
    """One page; `role` is the least privileged that may open it, None for everybody.

    `key` is that of its title in `strings.PAGE`.

    `show` names the function that draws it, below `dashboards.pages`; it is imported when somebody opens the page.
    """

    key: str
    path: str
    icon: str
    role: Role | None
    show: str
    group: Group = Group.OWN
    listed: bool = True

    @property
    def title(self) -> str:
        return strings.PAGE[self.key]

    def is_for(self, role: Role) -> bool:
        return self.role is None or RANK[role] >= RANK[self.role]

    def draw(self) -> None:
        module, _, name = self.show.partition(":")
        function: Callable[[], None] = getattr(import_module(f"dashboards.pages.{module}"), name)
        function()


def _spec(key: str, path: str, icon: str, role: Role | None, show: str, *, listed: bool = True) -> PageSpec:
    return PageSpec(key=key, path=path, icon=icon, role=role, show=show, listed=listed)


def _admin(key: str, path: str, icon: str, group: Group, show: str) -> PageSpec:
    return PageSpec(key=key, path=path, icon=icon, role=Role.ADMIN, show=show, group=group)


PAGES = {
    "jobs": _spec("jobs", "", "graphic_eq", Role.READER, "recording_list:own_page"),
    "upload": _spec("upload", "upload", "upload", Role.MEMBER, "upload_page:page"),
    "search": _spec("search", "search", "search", Role.READER, "search_page:page"),
    "job": _spec("job", "job", "description", Role.READER, "recording.recording_page:recording", listed=False),
    "settings": _spec("settings", "settings", "settings", Role.READER, "settings.settings_page:page"),
    "overview": _admin("overview", "overview", "monitoring", Group.OPERATIONS, "admin.overview:page"),
    "all_jobs": _admin(
        "all_jobs", "all-recordings", "library_music", Group.OPERATIONS, "recording_list:everybodys_page"
    ),
    "queues": _admin("queues", "queues", "low_priority", Group.OPERATIONS, "admin.queues:page"),
    "incoming": _admin("incoming", "incoming", "cloud_upload", Group.OPERATIONS, "admin.pending_uploads:page"),
    "retention": _admin("retention", "retention", "auto_delete", Group.OPERATIONS, "admin.retention_page:page"),
    "campaigns": _admin(
        "campaigns", "campaigns", "compare_arrows", Group.OPERATIONS, "admin.campaigns.campaigns_page:page"
    ),
    "people": _admin("people", "people", "group", Group.ACCOUNTS, "admin.people:page"),
    "site": _admin("site", "site", "tune", Group.ACCOUNTS, "admin.registration:page"),
    "audit": _admin("audit", "audit", "history", Group.ACCOUNTS, "admin.audit_log:page"),
    "security": _admin("security", "security", "shield", Group.ACCOUNTS, "admin.security_events:page"),
    "machines": _admin("machines", "machines", "memory", Group.PLATFORM, "admin.workers:page"),
    "system": _admin("system", "system", "vital_signs", Group.PLATFORM, "admin.system:page"),
    "performance": _admin("performance", "performance", "speed", Group.PLATFORM, "admin.performance:page"),
    "datasets": _admin("datasets", "datasets", "database", Group.PLATFORM, "admin.datasets.datasets_page:page"),
    "configuration": _admin(
        "configuration", "configuration", "settings_applications", Group.PLATFORM, "admin.configuration:page"
    ),
    "join": _spec("join", "join", "person_add", None, "login_forms:join_page", listed=False),
    "reset": _spec("reset", "reset", "lock_reset", None, "login_forms:reset_page", listed=False),
}
"""Every page by key, in the order of the navigation."""


def page(key: str) -> st.Page:
    """Return the page for Streamlit, to register, link or switch to it."""
    spec = PAGES[key]
    return st.Page(
        spec.draw,
        title=spec.title,
        icon=f":material/{spec.icon}:",
        url_path=spec.path,
        default=not spec.path,
        visibility="visible" if spec.listed else "hidden",
    )
