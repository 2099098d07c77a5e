"""The forms for people who are not logged in: their fields, and the words around them."""

import streamlit as st

from dashboards import components, context, strings, viewer
from dashboards.strings import accounts as words
from storage import choices, invitations, users
from storage.choices import Registration
from storage.errors import LinkSpent
from storage.users import MIN_PASSWORD_CHARS

NAME = {
    "name": "name",
    "label": words.NAME,
    "autocomplete": "username",
    "autocapitalize": "none",
    "spellcheck": "false",
    "required": "",
}
PASSWORD = {"name": "password", "type": "password", "required": ""}
OLD_PASSWORD = PASSWORD | {"label": words.PASSWORD, "autocomplete": "current-password"}
NEW_PASSWORD = PASSWORD | {
    "label": words.NEW_PASSWORD,
    "autocomplete": "new-password",
    "minlength": str(MIN_PASSWORD_CHARS),
    "hint": words.password_help(MIN_PASSWORD_CHARS),
}


def heading(title: str, said: str) -> None:
    """Show the mark, what this is, and a line below it."""
    components.mark()
    st.title(title, anchor=False)
    st.caption(said)


def log_in() -> None:
    """Ask for name and password, or lead to the provider."""
    if refusal := strings.SIGN_IN_REFUSED.get(st.query_params.get("sign_in", "")):
        st.error(refusal, icon=":material/error:")
    oidc = context.settings().oidc
    provider = words.log_in_with(oidc.oidc_name) if oidc.oidc_issuer else None
    components.login("/auth/session", fields=[NAME, OLD_PASSWORD], text=strings.LOGIN, provider=provider)
    if viewer.look(choices.of).registration is Registration.OPEN:
        st.page_link("views/join.py", label=words.TO_JOIN, icon=":material/person_add:")
        st.caption(words.FORGOTTEN)
    else:
        st.caption(f"{words.NO_ACCOUNT} {words.FORGOTTEN}")


def join() -> None:
    """Ask for a new account's name and password, where registering is open or the link is an invitation."""
    token, choice = st.query_params.get("token", ""), viewer.look(choices.of)
    email = ""
    if choice.registration is Registration.CLOSED or (not token and choice.registration is not Registration.OPEN):
        heading(words.NO_JOINING, words.NO_JOINING_WHY)
        st.write(words.NO_JOINING_HELP)
        back()
        return
    if token:
        try:
            email = viewer.look(invitations.find, token).email or ""
        except LinkSpent as error:
            spent(words.INVITATION, error)
            return
    heading(words.JOIN, words.JOIN_INVITED if token else words.JOIN_WHERE)
    mail = {"name": "email", "type": "email", "label": words.EMAIL_IF_ANY, "autocomplete": "email", "value": email}
    fields = [NAME, mail, NEW_PASSWORD, {"name": "token", "type": "hidden", "value": token}]
    text = strings.LOGIN | {"submit": words.JOIN_SUBMIT}
    components.login("/auth/register", fields=fields, text=text, leave_to="/")
    back()


def reset() -> None:
    """Ask for a new password, where the link is still good for one."""
    token = st.query_params.get("token", "")
    try:
        link = viewer.look(invitations.find, token, reset=True)
    except LinkSpent as error:
        spent(words.NEW_PASSWORD, error)
        return
    name = viewer.look(users.get, str(link.user_id)).name
    heading(words.RESET, words.reset_for(viewer.plain(name)))
    username = NAME | {"type": "hidden", "value": name}
    fields = [username, NEW_PASSWORD, {"name": "token", "type": "hidden", "value": token}]
    components.login("/auth/reset", fields=fields, text=strings.LOGIN | {"submit": words.RESET_SUBMIT}, leave_to="/")


def spent(title: str, error: LinkSpent) -> None:
    """Say that a link is good for nothing any more."""
    heading(title, words.LINK_SPENT)
    viewer.refused(error)
    back()


def back() -> None:
    """Lead to the log-in form, or to the recordings of who is logged in."""
    if viewer.signed_in():
        st.page_link("views/jobs.py", label=words.TO_RECORDINGS, icon=":material/arrow_back:")
    else:
        login = st.Page("views/login.py", title=words.LOG_IN, default=True)
        st.page_link(login, label=words.TO_LOG_IN, icon=":material/arrow_back:")
