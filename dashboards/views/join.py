"""Make an account, by an invitation or where registering is open."""

import streamlit as st

from dashboards import entry

with st.container(key="gate"):
    entry.join()
