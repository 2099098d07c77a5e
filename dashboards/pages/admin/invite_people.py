"""Invitation links, password links, and accounts created by an administrator."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from dashboards import strings
from dashboards.clients import smtp_client
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import accounts as words
from storage.accounts import invitations, users
from storage.accounts.invitations import Invitation
from storage.domain.errors import TranscriberError
from storage.domain.records import Role, User

HANDOVER = "handover"
ROLES = [Role.MEMBER, Role.READER, Role.ADMIN]
LASTING = [1, 7, 30]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A secret that is shown once to be handed over, or mailed to an address."""

    title: str
    secret: str
    caption: str
    email: str | None = None
    subject: str = ""


def by_link(me: Viewer) -> None:
    """Ask for role, address and days, and show the invitation link once."""
    with st.form("invite", border=False):
        email = st.text_input(words.EMAIL_IF_ANY, max_chars=320, autocomplete="off")
        role = st.radio(words.ROLE_LABEL, ROLES, format_func=strings.ROLE.__getitem__, horizontal=True)
        st.caption(strings.ROLE_HELP)
        days = st.selectbox(words.LINK_LASTS, LASTING, 1, format_func=words.days)
        if not st.form_submit_button(words.MAKE_INVITATION, type="primary"):
            return
    try:
        token, invitation = db.change(
            invitations.invite, role=role or Role.MEMBER, email=email, lasts=timedelta(days=days or 7), actor=me.actor
        )
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[HANDOVER] = Handover(
        title=words.invitation_as(strings.ROLE[invitation.role].lower()),
        secret=f"{base()}/join?token={token}",
        caption=words.once_until(formatting.exactly(invitation.expires_at, me.zone)),
        email=invitation.email,
        subject=words.INVITATION_SUBJECT,
    )
    st.rerun()


def by_password(me: Viewer) -> None:
    """Ask for name and role, and show the generated first password once."""
    with st.form("person", border=False, clear_on_submit=True):
        name = st.text_input(words.NAME, max_chars=64, autocomplete="off", help=words.NAME_HELP)
        role = st.radio(words.ROLE_LABEL, ROLES, format_func=strings.ROLE.__getitem__, horizontal=True)
        if not st.form_submit_button(words.ADD):
            return
    password = secrets.token_urlsafe(12)
    wanted = role or Role.MEMBER
    try:
        user = db.change(
            users.create, name=name or "", password=password, role=wanted, must_change=True, actor=me.actor
        )
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[HANDOVER] = Handover(
        title=words.first_password_for(user.name), secret=password, caption=words.FIRST_PASSWORD_ONCE
    )
    st.rerun()


def offer_reset(user: User, me: Viewer) -> None:
    """Create a link with which the user chooses a new password."""
    token, link = db.change(invitations.offer_reset, user.id, actor=me.actor)
    st.session_state[HANDOVER] = Handover(
        title=words.password_link_for(user.name),
        secret=f"{base()}/reset?token={token}",
        caption=f"{words.once_until(formatting.exactly(link.expires_at, me.zone))} {words.OLD_PASSWORD_STAYS}",
        email=user.email,
        subject=words.PASSWORD_SUBJECT,
    )


def show_handover() -> None:
    """Show the created secret once, until it is dismissed."""
    made: Handover | None = st.session_state.get(HANDOVER)
    if made is None:
        return
    with st.container(border=True, key="handover-box"):
        st.markdown(f"**{viewer.plain(made.title)}.** {words.HAND_OVER}")
        st.code(made.secret, language=None, wrap_lines=True)
        st.caption(made.caption)
        with st.container(horizontal=True):
            if st.button(words.HANDED_OVER, key="handed"):
                del st.session_state[HANDOVER]
                st.rerun()
            if made.email and context.settings().mail.smtp_host:
                _by_mail(made, made.email)


def _by_mail(made: Handover, email: str) -> None:
    if not st.button(words.send_to(viewer.plain(email)), icon=":material/mail:", key="handed-by-mail"):
        return
    viewer.required_admin()
    text = f"{made.title}:\n\n{made.secret}\n\n{made.caption}\n"
    try:
        smtp_client.send(context.settings().mail, to=email, subject=made.subject, text=text)
    except TranscriberError as error:
        viewer.refused(error)
    else:
        st.success(words.SENT, icon=":material/check:")


@st.fragment
def pending() -> None:
    """List the open invitations, each with a button to revoke it."""
    me = viewer.required_admin()
    found = db.look(invitations.list_open)
    if not found:
        st.info(words.NOBODY_WAITS, icon=":material/mail:")
    names = db.look(users.names_of, [one.made_by.removeprefix("user:") for one in found])
    for one in found:
        _invitation(one, me, names.get(one.made_by.removeprefix("user:"), one.made_by))


def _invitation(one: Invitation, me: Viewer, by: str) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"invitation-{one.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(one.email or words.WHOEVER, width="content")
                st.badge(strings.ROLE[one.role], color="gray")
            made, until = formatting.when(one.created_at, me.zone), formatting.exactly(one.expires_at, me.zone)
            st.caption(words.invited_by(viewer.plain(by), made, until))
        if st.button(words.WITHDRAW, key=f"withdraw-{one.id}"):
            db.change(invitations.revoke, one.id, actor=me.actor)
            st.rerun()


def base() -> str:
    """Return the address of this page, or the public address in the settings."""
    here = re.sub(r"(https?://[^/]+).*", r"\1", st.context.url or "")
    return (context.settings().web.public_url or here or context.settings().web.base_url).rstrip("/")
