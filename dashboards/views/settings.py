"""One's own settings: profile, defaults, vocabulary, password, browsers, keys, data."""

import streamlit as st

from dashboards import access, defaults, passwords, profile, taking_leave, viewer

me = viewer.required()
st.title("Settings", anchor=False)
names = ["Profile", "Password", "Browsers", "API keys", "Your data"]
if me.may_write:
    names[1:1] = ["Recordings", "Vocabulary"]
tabs = dict(zip(names, st.tabs(names, key="part", bind="query-params"), strict=True))
with tabs["Profile"], st.container(key="narrow"):
    profile.form(me)
if me.may_write:
    with tabs["Recordings"], st.container(key="narrow-jobs"):
        defaults.form(me)
    with tabs["Vocabulary"], st.container(key="narrow-words"):
        defaults.vocabulary_form(me)
with tabs["Password"], st.container(key="narrow-password"):
    passwords.form(me, button="Change password")
with tabs["Browsers"]:
    access.browsers(me)
with tabs["API keys"]:
    access.programs(me)
with tabs["Your data"], st.container(key="narrow-data"):
    taking_leave.show(me)
