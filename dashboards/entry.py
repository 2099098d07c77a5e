"""The forms for people who are not logged in: their fields, and the words around them."""

import streamlit as st

from dashboards import components, context, strings, viewer
from storage import choices, invitations, users
from storage.choices import Registration
from storage.errors import LinkSpent
from storage.users import MIN_PASSWORD_CHARS

PASSWORD_HINT = f"At least {MIN_PASSWORD_CHARS} characters; a few words in a row are strong and easy to keep in mind."
NAME = {
    "name": "name",
    "label": "Name",
    "autocomplete": "username",
    "autocapitalize": "none",
    "spellcheck": "false",
    "required": "",
}
PASSWORD = {"name": "password", "type": "password", "required": ""}
OLD_PASSWORD = PASSWORD | {"label": "Password", "autocomplete": "current-password"}
NEW_PASSWORD = PASSWORD | {
    "label": "New password",
    "autocomplete": "new-password",
    "minlength": str(MIN_PASSWORD_CHARS),
    "hint": PASSWORD_HINT,
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
    provider = f"Log in with {oidc.oidc_name}" if oidc.oidc_issuer else None
    components.login("/auth/session", fields=[NAME, OLD_PASSWORD], text=strings.LOGIN, provider=provider)
    help_line = "Forgotten password? An administrator can give you a link to a new one."
    if viewer.look(choices.of).registration is Registration.OPEN:
        st.page_link("views/join.py", label="Create an account", icon=":material/person_add:")
        st.caption(help_line)
    else:
        st.caption(f"No account? Ask your administrator for an invitation. {help_line}")


def join() -> None:
    """Ask for a new account's name and password, where registering is open or the link is an invitation."""
    token, choice = st.query_params.get("token", ""), viewer.look(choices.of)
    email = ""
    if choice.registration is Registration.CLOSED or (not token and choice.registration is not Registration.OPEN):
        heading("Accounts are given out here", "Nobody can register without an invitation at the moment.")
        st.write("Ask an administrator for an account or for an invitation link.")
        back()
        return
    if token:
        try:
            email = viewer.look(invitations.find, token).email or ""
        except LinkSpent as error:
            spent("Invitation", error)
            return
    heading("Create your account", "You have been invited." if token else f"for {strings.APP}")
    mail = {"name": "email", "type": "email", "label": "E-mail (optional)", "autocomplete": "email", "value": email}
    fields = [NAME, mail, NEW_PASSWORD, {"name": "token", "type": "hidden", "value": token}]
    text = strings.LOGIN | {"submit": "Create account"}
    components.login("/auth/register", fields=fields, text=text, leave_to="/")
    back()


def reset() -> None:
    """Ask for a new password, where the link is still good for one."""
    token = st.query_params.get("token", "")
    try:
        link = viewer.look(invitations.find, token, reset=True)
    except LinkSpent as error:
        spent("New password", error)
        return
    name = viewer.look(users.get, str(link.user_id)).name
    heading("Choose a new password", f"for {viewer.plain(name)}")
    username = NAME | {"type": "hidden", "value": name}
    fields = [username, NEW_PASSWORD, {"name": "token", "type": "hidden", "value": token}]
    components.login("/auth/reset", fields=fields, text=strings.LOGIN | {"submit": "Save and log in"}, leave_to="/")


def spent(title: str, error: LinkSpent) -> None:
    """Say that a link is good for nothing any more."""
    heading(title, "This link does not work any more.")
    viewer.refused(error)
    back()


def back() -> None:
    """Lead to the log-in form, or to the recordings of who is logged in."""
    if viewer.signed_in():
        st.page_link("views/jobs.py", label="Go to your recordings", icon=":material/arrow_back:")
    else:
        login = st.Page("views/login.py", title="Log in", default=True)
        st.page_link(login, label="Go to the login", icon=":material/arrow_back:")
