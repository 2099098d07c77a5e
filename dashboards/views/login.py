"""Log in; shown under every path while nobody is signed in, so that deep links survive."""

import streamlit as st

from dashboards import entry, strings

with st.container(key="gate"):
    entry.heading("Log in", f"to {strings.APP}")
    entry.log_in()
