"""The registration policy, and the related settings of the installation."""

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.runtime import context, db
from dashboards.strings import accounts as words
from storage.accounts import registration_policy
from storage.accounts.registration_policy import Registration, RegistrationPolicy
from storage.domain.records import Role


def form(me: Viewer) -> None:
    """Ask who may register, and with which role."""
    now = db.look(registration_policy.of)
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
            _save(me, RegistrationPolicy(registration=mode or now.registration, role=role or now.role))
    _elsewhere()


def _save(me: Viewer, wanted: RegistrationPolicy) -> None:
    with viewer.saving(words.SAVED):
        db.change(registration_policy.set_, wanted, actor=me.actor)


def _elsewhere() -> None:
    """Show the settings that come from the environment."""
    oidc, mail, web = context.settings().oidc, context.settings().mail, context.settings().web
    st.header(words.FROM_SETTINGS, anchor=False)
    provider = f"{oidc.oidc_name} ({oidc.oidc_issuer})" if oidc.oidc_issuer else words.NO_PROVIDER
    server = f"{mail.smtp_host}:{mail.smtp_port}" if mail.smtp_host else words.NO_MAIL_SERVER
    idle = words.login_lasts(web.session_idle_minutes, web.session_max_days)
    for name, value in ((words.PROVIDER, provider), (words.MAIL_SERVER, server), (words.LOGIN_ENDS, idle)):
        st.markdown(f"**{name}:** {viewer.plain(value)}")


def page() -> None:
    """Show who may log in and register, for administrators."""
    me = viewer.required_admin()
    st.title(words.ACCESS, anchor=False)
    with st.container(key="narrow"):
        form(me)
