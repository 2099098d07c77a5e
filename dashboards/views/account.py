"""One's own account: password, signed-in browsers, keys for programs."""

import streamlit as st

from dashboards import access, passwords, viewer

me = viewer.required()
st.title("Account", anchor=False)
password, browsers, programs = st.tabs(["Password", "Browsers", "API keys"], key="part", bind="query-params")
with password, st.container(key="narrow"):
    passwords.form(me, button="Change password")
with browsers:
    access.browsers(me)
with programs:
    access.programs(me)
