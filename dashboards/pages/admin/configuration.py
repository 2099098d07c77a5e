"""All settings with their values, read-only, since they come from the environment."""

import html
from collections.abc import Iterator, Sequence

import streamlit as st
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from dashboards import strings
from dashboards.pages import viewer
from dashboards.runtime import context
from dashboards.strings import logs as words
from storage.domain.settings.environment import heading
from storage.domain.translation import gettext as _


def listing() -> None:
    """Show the settings, one table per concern."""
    viewer.required_admin()
    st.caption(words.CONFIGURATION_ABOUT)
    st.html("".join(map(_section, concerns())))  # in one element, which grows without moving others


def _section(concern: BaseSettings) -> str:
    """Return the heading and the table of a concern."""
    return f"<h2>{html.escape(_(heading(type(concern))))}</h2>{_table(list(rows(concern)))}"


def _table(settings: Sequence[dict[str, str]]) -> str:
    """Return a table whose descriptions wrap. On a phone, a setting is a block of its own."""
    head = "".join(f"<th scope='col'>{name}</th>" for name in settings[0])
    body = "".join(
        "<tr>" + "".join(f"<td data-label='{name}'>{html.escape(value)}</td>" for name, value in row.items()) + "</tr>"
        for row in settings
    )
    return f"<table class='settings'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def concerns() -> list[BaseSettings]:
    """Return the settings of each concern."""
    held = context.settings()
    names = [name for name, one in vars(type(held)).items() if not name.startswith("_") and hasattr(one, "func")]
    values = [getattr(held, name) for name in names]
    return [value for value in values if isinstance(value, BaseSettings)]


def rows(concern: BaseSettings) -> Iterator[dict[str, str]]:
    """Yield one row per setting; secrets are hidden."""
    for name, field in type(concern).model_fields.items():
        value = getattr(concern, name)
        shown = "" if value is None else words.HIDDEN if isinstance(value, SecretStr) else str(value)
        yield {
            words.SETTING: f"TRANSCRIBER_{name.upper()}",
            words.VALUE: shown,
            words.SET_BY: words.SET if name in concern.model_fields_set else words.DEFAULT,
            words.MEANING: _(field.description or ""),
        }


def page() -> None:
    """Show the configuration, without secrets, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["configuration"], anchor=False)
    listing()
