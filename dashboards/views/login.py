"""Log in; shown under every path while nobody is signed in, so that deep links survive."""

import streamlit as st

from dashboards import entry
from dashboards.strings import accounts as words

with st.container(key="gate"):
    entry.heading(words.LOG_IN, words.LOG_IN_WHERE)
    entry.log_in()
