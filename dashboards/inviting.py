"""How people are let in by an administrator: invitation links, password links, and accounts made for them."""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from dashboards import context, postman, present, strings, viewer
from dashboards.viewer import Viewer
from storage import invitations, users
from storage.errors import TranscriberError
from storage.invitations import Invitation
from storage.records import Role, User

HANDOVER = "handover"
ROLES = [Role.MEMBER, Role.READER, Role.ADMIN]
LASTING = {1: "1 day", 7: "7 days", 30: "30 days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What is shown once, to be handed over; with an address it can be sent there."""

    title: str
    secret: str
    caption: str
    email: str | None = None
    subject: str = ""


def by_link(me: Viewer) -> None:
    """Ask for role, address and days; the link is shown once."""
    with st.form("invite", border=False):
        email = st.text_input("E-mail (optional)", max_chars=320, autocomplete="off")
        role = st.radio("Role", ROLES, format_func=strings.ROLE.__getitem__, horizontal=True)
        st.caption(strings.ROLE_HELP)
        days = st.selectbox("The link works for", list(LASTING), 1, format_func=LASTING.__getitem__)
        if not st.form_submit_button("Make an invitation link", type="primary"):
            return
    try:
        token, invitation = viewer.change(
            invitations.invite, role=role or Role.MEMBER, email=email, lasts=timedelta(days=days or 7), actor=me.actor
        )
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.session_state[HANDOVER] = Handover(
        title=f"Invitation as {strings.ROLE[invitation.role].lower()}",
        secret=f"{base()}/join?token={token}",
        caption=f"It works once, until {present.exactly(invitation.expires_at, me.zone)}.",
        email=invitation.email,
        subject=f"Your invitation to {strings.APP}",
    )
    st.rerun()


def by_password(me: Viewer) -> None:
    """Ask for name and role; the first password is made up, and shown once."""
    with st.form("person", border=False, clear_on_submit=True):
        name = st.text_input("Name", max_chars=64, autocomplete="off", help="What the person types to log in.")
        role = st.radio("Role", ROLES, format_func=strings.ROLE.__getitem__, horizontal=True)
        if not st.form_submit_button("Add"):
            return
    password = secrets.token_urlsafe(12)
    wanted = role or Role.MEMBER
    try:
        user = viewer.change(
            users.create, name=name or "", password=password, role=wanted, must_change=True, actor=me.actor
        )
    except TranscriberError as error:
        viewer.refused(error)
        return
    caption = "At the first login a password of one's own has to be chosen."
    st.session_state[HANDOVER] = Handover(title=f"First password for {user.name}", secret=password, caption=caption)
    st.rerun()


def offer_reset(user: User, me: Viewer) -> None:
    """Make a link with which the user chooses a new password."""
    token, link = viewer.change(invitations.offer_reset, user.id, actor=me.actor)
    st.session_state[HANDOVER] = Handover(
        title=f"Password link for {user.name}",
        secret=f"{base()}/reset?token={token}",
        caption=f"It works once, until {present.exactly(link.expires_at, me.zone)}. The old password works until then.",
        email=user.email,
        subject=f"Your password for {strings.APP}",
    )


def show_handover() -> None:
    """Show what was made, once, until it has been noted."""
    made: Handover | None = st.session_state.get(HANDOVER)
    if made is None:
        return
    with st.container(border=True, key="handover-box"):
        st.markdown(f"**{viewer.plain(made.title)}.** Hand it over now: it cannot be shown again.")
        st.code(made.secret, language=None, wrap_lines=True)
        st.caption(made.caption)
        with st.container(horizontal=True):
            if st.button("Done", key="handed"):
                del st.session_state[HANDOVER]
                st.rerun()
            if made.email and context.settings().mail.smtp_host:
                _by_mail(made, made.email)


def _by_mail(made: Handover, email: str) -> None:
    if not st.button(f"Send it to {viewer.plain(email)}", icon=":material/mail:", key="handed-by-mail"):
        return
    viewer.required_admin()
    text = f"{made.title}:\n\n{made.secret}\n\n{made.caption}\n"
    try:
        postman.send(context.settings().mail, to=email, subject=made.subject, text=text)
    except TranscriberError as error:
        viewer.refused(error)
    else:
        st.success("Sent.", icon=":material/check:")


@st.fragment
def pending() -> None:
    """List the invitations that can still be used, each with a way to withdraw it."""
    me = viewer.required_admin()
    found = viewer.look(invitations.list_open)
    if not found:
        st.info("No invitation is waiting. The form above makes a link for one person.", icon=":material/mail:")
    names = viewer.look(users.names_of, [one.made_by.removeprefix("user:") for one in found])
    for one in found:
        _invitation(one, me, names.get(one.made_by.removeprefix("user:"), one.made_by))


def _invitation(one: Invitation, me: Viewer, by: str) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"invitation-{one.id}"):
        with st.container(gap=None):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(one.email or "Whoever has the link", width="content")
                st.badge(strings.ROLE[one.role], color="gray")
            until = present.exactly(one.expires_at, me.zone)
            st.caption(f"Made by {viewer.plain(by)} {present.when(one.created_at, me.zone)} · works until {until}")
        if st.button("Withdraw", key=f"withdraw-{one.id}"):
            viewer.change(invitations.revoke, one.id, actor=me.actor)
            st.rerun()


def base() -> str:
    """Return the address that this page was opened at, or the public one from the settings."""
    here = re.sub(r"(https?://[^/]+).*", r"\1", st.context.url or "")
    return (context.settings().web.public_url or here or context.settings().web.base_url).rstrip("/")
