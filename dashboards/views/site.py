"""Who may get in, for administrators."""

import streamlit as st

from dashboards import registration, viewer

me = viewer.required_admin()
st.title("Access", anchor=False)
with st.container(key="narrow"):
    registration.form(me)
