"""How one is shown, where mail goes and when, how the pages look, and what one has used."""

from dataclasses import replace

import streamlit as st

from dashboards import context, present, viewer
from dashboards.viewer import Viewer
from storage import preferences, profiles, quotas
from storage.errors import TranscriberError
from storage.preferences import Theme
from storage.records import User

THEMES = {Theme.SYSTEM: "As the device", Theme.LIGHT: "Light", Theme.DARK: "Dark"}


def form(me: Viewer) -> None:
    """Ask for name, address, notifications and theme."""
    chosen = viewer.look(preferences.of, me.user.id)
    with st.form("profile", border=False):
        st.text_input("Name for logging in", me.user.name, disabled=True)
        shown = st.text_input(
            "Name that others see", me.user.display_name or "", max_chars=64, placeholder=me.user.name
        )
        email = st.text_input("E-mail", me.user.email or "", max_chars=320, autocomplete="email")
        ready, failed = chosen.mail_when_ready, chosen.mail_when_failed
        if context.settings().mail.smtp_host:
            ready = st.checkbox("Write to me when a recording is ready", ready)
            failed = st.checkbox("Write to me when a recording has failed", failed)
        themes = list(THEMES)
        theme = st.radio("Colours", themes, themes.index(chosen.theme), format_func=THEMES.__getitem__, horizontal=True)
        saved = st.form_submit_button("Save", type="primary")
    if saved:
        wanted = replace(chosen, mail_when_ready=ready, mail_when_failed=failed, theme=theme or Theme.SYSTEM)
        _save(me, shown or "", email or "", wanted)
    used(me.user)


def _save(me: Viewer, shown: str, email: str, wanted: preferences.Preferences) -> None:
    if (wanted.mail_when_ready or wanted.mail_when_failed) and not email.strip():
        st.error("To get mail, fill in the address that it should go to.", icon=":material/error:")
        return
    try:
        viewer.change(profiles.set_profile, me.user.id, display_name=shown, email=email, actor=me.actor)
        viewer.change(preferences.set_, me.user.id, wanted, actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.toast("Saved.", icon=":material/check:")
    st.rerun()


def used(user: User) -> None:
    """Show what the user has used of what an administrator allows."""
    if user.quota_hours is None and user.quota_bytes is None:
        return
    usage = viewer.look(quotas.usage, user.id)
    if user.quota_hours is not None:
        hours = (usage.heard_s + usage.coming_s) / 3600
        words = f"{hours:.1f} of {user.quota_hours:g} hours this month"
        st.progress(min(1.0, hours / user.quota_hours) if user.quota_hours else 1.0, words)
    if user.quota_bytes is not None:
        words = f"{present.size(usage.stored_bytes)} of {present.size(user.quota_bytes)} stored"
        st.progress(min(1.0, usage.stored_bytes / user.quota_bytes) if user.quota_bytes else 1.0, words)
