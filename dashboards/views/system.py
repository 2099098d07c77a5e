"""Health of the parts, and the machine's load over time, for administrators."""

import streamlit as st

from dashboards import system, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.SYSTEM, anchor=False)
system.parts()
system.load()
