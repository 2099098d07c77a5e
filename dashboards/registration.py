"""The administrators' choice of who may make an account, and what the installation's settings add to it."""

import streamlit as st

from dashboards import context, strings, viewer
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
            "Who may make an account",
            modes,
            modes.index(now.registration),
            format_func=strings.REGISTRATION.__getitem__,
            captions=["With the role below", "By a link that works once", "Only administrators add people"],
        )
        role = st.radio(
            "Role of people who register themselves",
            roles,
            roles.index(now.role),
            format_func=strings.ROLE.__getitem__,
            horizontal=True,
        )
        if st.form_submit_button("Save", type="primary"):
            _save(me, Choices(registration=mode or now.registration, role=role or now.role))
    _elsewhere()


def _save(me: Viewer, wanted: Choices) -> None:
    try:
        viewer.change(choices.set_, wanted, actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
    else:
        st.toast("Saved.", icon=":material/check:")
        st.rerun()


def _elsewhere() -> None:
    """Say what comes from the environment and is changed there."""
    oidc, mail, web = context.settings().oidc, context.settings().mail, context.settings().web
    st.subheader("From the installation's settings", anchor=False)
    provider = f"{oidc.oidc_name} ({oidc.oidc_issuer})" if oidc.oidc_issuer else "none (TRANSCRIBER_OIDC_ISSUER)"
    server = f"{mail.smtp_host}:{mail.smtp_port}" if mail.smtp_host else "none (TRANSCRIBER_SMTP_HOST)"
    idle = f"{web.session_idle_minutes} minutes unused, {web.session_max_days} days in any case"
    for name, value in (("OpenID provider", provider), ("Mail server", server), ("A login ends after", idle)):
        st.markdown(f"**{name}:** {viewer.plain(value)}")
