"""Who may get in, for administrators."""

import streamlit as st

from dashboards import registration, viewer
from dashboards.strings import accounts as words

me = viewer.required_admin()
st.title(words.ACCESS, anchor=False)
with st.container(key="narrow"):
    registration.form(me)
