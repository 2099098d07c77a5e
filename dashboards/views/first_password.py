"""A password of the reader's own, before anything else, where somebody else chose the first one."""

import streamlit as st

from dashboards import components, passwords, viewer
from dashboards.strings import accounts as words

me = viewer.required()
with st.container(key="gate"):
    st.image(str(components.SVG_MARK), width=56)
    st.title(words.FIRST_PASSWORD, anchor=False)
    st.caption(words.first_password_why(viewer.plain(me.user.name)))
    passwords.form(me, button=words.FIRST_PASSWORD_SUBMIT, first=True)
