"""A password of the reader's own, before anything else, where somebody else chose the first one."""

import streamlit as st

from dashboards import components, passwords, viewer

me = viewer.required()
with st.container(key="gate"):
    st.image(str(components.SVG_MARK), width=56)
    st.title("Choose your password", anchor=False)
    name = viewer.plain(me.user.name)
    st.caption(f"Welcome, {name}. The password you logged in with was set by someone else; only you know the new one.")
    passwords.form(me, button="Save and go on", first=True)
