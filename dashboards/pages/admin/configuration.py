"""Every setting with its value and whether somebody has set it; read-only, since it comes from the environment."""

from collections.abc import Iterator

import streamlit as st
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from dashboards import context, viewer
from dashboards.strings import admin as words


def listing() -> None:
    """Show the settings, one table a concern."""
    viewer.required_admin()
    st.caption(words.CONFIGURATION_ABOUT)
    for concern in concerns():
        title = (type(concern).__doc__ or "").strip().splitlines()[0].rstrip(".")
        st.subheader(title.partition(":")[0], anchor=False)
        st.dataframe(list(rows(concern)), hide_index=True, height="content", column_config=_COLUMNS)


_COLUMNS = {
    words.SETTING: st.column_config.TextColumn(width="medium"),
    words.VALUE: st.column_config.TextColumn(width="medium"),
    words.SET: st.column_config.CheckboxColumn(width="small", help=words.SET_HELP),
    words.MEANING: st.column_config.TextColumn(width="large"),
}


def concerns() -> list[BaseSettings]:
    """Return the settings of each concern as the process reads them."""
    held = context.settings()
    names = [name for name, one in vars(type(held)).items() if not name.startswith("_") and hasattr(one, "func")]
    values = [getattr(held, name) for name in names]
    return [value for value in values if isinstance(value, BaseSettings)]


def rows(concern: BaseSettings) -> Iterator[dict[str, object]]:
    """Yield one row a setting; what is secret is hidden."""
    for name, field in type(concern).model_fields.items():
        value = getattr(concern, name)
        shown = "" if value is None else words.HIDDEN if isinstance(value, SecretStr) else str(value)
        yield {
            words.SETTING: f"TRANSCRIBER_{name.upper()}",
            words.VALUE: shown,
            words.SET: name in concern.model_fields_set,
            words.MEANING: field.description or "",
        }
