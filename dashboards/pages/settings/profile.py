"""The user's display name, e-mail notifications, theme, language and usage."""

from dataclasses import replace

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import accounts as words
from storage.accounts import preferences, profiles, quotas
from storage.accounts.preferences import Theme
from storage.domain.records import User
from storage.domain.translation import LANGUAGES


def form(me: Viewer) -> None:
    """Ask for name, address, notifications, theme and language."""
    chosen = db.look(preferences.of, me.user.id)
    with st.form("profile", border=False):
        st.text_input(words.NAME_TO_LOG_IN, me.user.name, disabled=True)
        shown = st.text_input(words.NAME_SHOWN, me.user.display_name or "", max_chars=64, placeholder=me.user.name)
        email = st.text_input(words.EMAIL, me.user.email or "", max_chars=320, autocomplete="email")
        ready, failed = chosen.mail_when_ready, chosen.mail_when_failed
        if context.settings().mail.smtp_host:
            ready = st.checkbox(words.MAIL_WHEN_READY, ready)
            failed = st.checkbox(words.MAIL_WHEN_FAILED, failed)
        themes = {Theme.SYSTEM: words.THEME_SYSTEM, Theme.LIGHT: words.THEME_LIGHT, Theme.DARK: words.THEME_DARK}
        theme = st.radio(
            words.THEME, list(themes), list(themes).index(chosen.theme), format_func=themes.__getitem__, horizontal=True
        )
        languages = {None: words.LANGUAGE_OF_BROWSER} | LANGUAGES
        place = list(languages).index(chosen.pages_language) if chosen.pages_language in languages else 0
        language = st.selectbox(words.LANGUAGE, list(languages), place, format_func=languages.__getitem__)
        saved = st.form_submit_button(words.SAVE, type="primary")
    if saved:
        look = replace(chosen, theme=theme or Theme.SYSTEM, pages_language=language)
        wanted = replace(look, mail_when_ready=ready, mail_when_failed=failed)
        _save(me, shown or "", email or "", wanted)
    used(me.user)


def _save(me: Viewer, shown: str, email: str, wanted: preferences.Preferences) -> None:
    if (wanted.mail_when_ready or wanted.mail_when_failed) and not email.strip():
        st.error(words.MAIL_TO_NOBODY, icon=":material/error:")
        return
    with viewer.saving(words.SAVED):
        db.change(profiles.set_profile, me.user.id, display_name=shown, email=email, actor=me.actor)
        db.change(preferences.set_, me.user.id, wanted, actor=me.actor)


def used(user: User) -> None:
    """Show what the user has used of the limits."""
    if user.quota_hours is None and user.quota_bytes is None:
        return
    usage = db.look(quotas.usage, user.id)
    if user.quota_hours is not None:
        hours = (usage.heard_s + usage.coming_s) / 3600
        said = words.hours_used(hours, user.quota_hours)
        st.progress(min(1.0, hours / user.quota_hours) if user.quota_hours else 1.0, said)
    if user.quota_bytes is not None:
        said = words.room_used(formatting.size(usage.stored_bytes), formatting.size(user.quota_bytes))
        st.progress(min(1.0, usage.stored_bytes / user.quota_bytes) if user.quota_bytes else 1.0, said)
