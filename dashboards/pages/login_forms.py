"""The forms for visitors who are not logged in: login, registration, new password."""

import streamlit as st

from dashboards import components, strings
from dashboards.pages import registry, viewer
from dashboards.runtime import context, db
from dashboards.strings import accounts as words
from storage.accounts import invitations, registration_policy, users
from storage.accounts.credential_rules import MIN_PASSWORD_CHARS
from storage.accounts.registration_policy import Registration
from storage.domain.errors import LinkSpent

NAME = {"name": "name", "autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "required": ""}
PASSWORD = {"name": "password", "type": "password", "required": ""}


def name_field() -> dict[str, str]:
    """Return the field for a user's name."""
    return NAME | {"label": words.NAME}


def new_password() -> dict[str, str]:
    """Return the field for a password that is chosen here."""
    return PASSWORD | {
        "label": words.NEW_PASSWORD,
        "autocomplete": "new-password",
        "minlength": str(MIN_PASSWORD_CHARS),
        "hint": words.password_help(MIN_PASSWORD_CHARS),
    }


def heading(title: str, said: str) -> None:
    """Show the mark, a title, and a line below it."""
    components.mark()
    st.title(title, anchor=False)
    st.caption(said)


def log_in() -> None:
    """Show the login form, or a link to the provider."""
    if refusal := strings.SIGN_IN_REFUSED.get(st.query_params.get("sign_in", "")):
        st.error(refusal, icon=":material/error:")
    oidc = context.settings().oidc
    provider = words.log_in_with(oidc.oidc_name) if oidc.oidc_issuer else None
    password = PASSWORD | {"label": words.PASSWORD, "autocomplete": "current-password"}
    components.login("/auth/session", fields=[name_field(), password], text=strings.LOGIN, provider=provider)
    if db.look(registration_policy.of).registration is Registration.OPEN:
        st.page_link(registry.page("join"), label=words.TO_JOIN, icon=":material/person_add:")
        st.caption(words.FORGOTTEN)
    else:
        st.caption(f"{words.NO_ACCOUNT} {words.FORGOTTEN}")


def join() -> None:
    """Show the registration form, if registration is open or the link is an invitation."""
    token, choice = st.query_params.get("token", ""), db.look(registration_policy.of)
    email = ""
    if choice.registration is Registration.CLOSED or (not token and choice.registration is not Registration.OPEN):
        heading(words.NO_JOINING, words.NO_JOINING_WHY)
        st.write(words.NO_JOINING_HELP)
        back()
        return
    if token:
        try:
            email = db.look(invitations.find, token).email or ""
        except LinkSpent as error:
            spent(words.INVITATION, error)
            return
    heading(words.JOIN, words.JOIN_INVITED if token else words.JOIN_WHERE)
    mail = {"name": "email", "type": "email", "label": words.EMAIL_IF_ANY, "autocomplete": "email", "value": email}
    fields = [name_field(), mail, new_password(), {"name": "token", "type": "hidden", "value": token}]
    text = strings.LOGIN | {"submit": words.JOIN_SUBMIT}
    components.login("/auth/register", fields=fields, text=text, leave_to="/")
    back()


def reset() -> None:
    """Show the new password form, if the link is still valid."""
    token = st.query_params.get("token", "")
    try:
        link = db.look(invitations.find, token, reset=True)
    except LinkSpent as error:
        spent(words.NEW_PASSWORD, error)
        return
    name = db.look(users.get, str(link.user_id)).name
    heading(words.RESET, words.reset_for(viewer.plain(name)))
    username = name_field() | {"type": "hidden", "value": name}
    fields = [username, new_password(), {"name": "token", "type": "hidden", "value": token}]
    components.login("/auth/reset", fields=fields, text=strings.LOGIN | {"submit": words.RESET_SUBMIT}, leave_to="/")


def spent(title: str, error: LinkSpent) -> None:
    """Show that a link is no longer valid."""
    heading(title, words.LINK_SPENT)
    viewer.refused(error)
    back()


def back() -> None:
    """Link to the login form, or to the recordings of a logged-in user."""
    if viewer.signed_in():
        st.page_link(registry.page("jobs"), label=words.TO_RECORDINGS, icon=":material/arrow_back:")
    else:
        login = st.Page(login_page, title=words.LOG_IN, url_path="", default=True)
        st.page_link(login, label=words.TO_LOG_IN, icon=":material/arrow_back:")


def login_page() -> None:
    """Show the login form under every path, so that deep links survive the login."""
    with st.container(key="gate"):
        heading(words.LOG_IN, words.LOG_IN_WHERE)
        log_in()


def join_page() -> None:
    """Show the registration page."""
    with st.container(key="gate"):
        join()


def reset_page() -> None:
    """Show the page for a new password, opened by a link."""
    with st.container(key="gate"):
        reset()
