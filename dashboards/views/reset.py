"""Choose a new password with a link that an administrator made."""

import streamlit as st

from dashboards import entry

with st.container(key="gate"):
    entry.reset()
