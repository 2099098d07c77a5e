"""The administrators' choice of who may make an account, and what the installation's settings add to it."""

import streamlit as st

from dashboards import context, strings, viewer
from dashboards.strings import accounts as words
from dashboards.viewer import Viewer
from storage import choices
from storage.choices import Choices, Registration
from storage.errors import TranscriberError
from storage.records import Role


def form(me: Viewer) -> None:
    """Ask who may register, and with which role."""
    now = viewer.look(choices.of)
    modes, roles = list(Registration), [Role.MEMBER, Role.READER]
    with st.form("registration", border=False):
        mode = st.radio(
            words.WHO_MAY_JOIN,
            modes,
            modes.index(now.registration),
            format_func=strings.REGISTRATION.__getitem__,
            captions=words.WHO_MAY_JOIN_HELP,
        )
        role = st.radio(
            words.ROLE_OF_NEW,
            roles,
            roles.index(now.role),
            format_func=strings.ROLE.__getitem__,
            horizontal=True,
        )
        if st.form_submit_button(words.SAVE, type="primary"):
            _save(me, Choices(registration=mode or now.registration, role=role or now.role))
    _elsewhere()


def _save(me: Viewer, wanted: Choices) -> None:
    try:
        viewer.change(choices.set_, wanted, actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
    else:
        st.toast(words.SAVED, icon=":material/check:")
        st.rerun()


def _elsewhere() -> None:
    """Say what comes from the environment and is changed there."""
    oidc, mail, web = context.settings().oidc, context.settings().mail, context.settings().web
    st.subheader(words.FROM_SETTINGS, anchor=False)
    provider = f"{oidc.oidc_name} ({oidc.oidc_issuer})" if oidc.oidc_issuer else words.NO_PROVIDER
    server = f"{mail.smtp_host}:{mail.smtp_port}" if mail.smtp_host else words.NO_MAIL_SERVER
    idle = words.login_lasts(web.session_idle_minutes, web.session_max_days)
    for name, value in ((words.PROVIDER, provider), (words.MAIL_SERVER, server), (words.LOGIN_ENDS, idle)):
        st.markdown(f"**{name}:** {viewer.plain(value)}")
