"""Who did what, for administrators; the chain can be checked."""

import streamlit as st

from dashboards import audit_log, strings, viewer
from dashboards.strings import admin as words

me = viewer.required_admin()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title(strings.PAGE["audit"], anchor=False, width="content")
    verify = st.button(words.VERIFY, icon=":material/verified_user:", key="verify")
if verify:
    audit_log.verify()
audit_log.listing()
