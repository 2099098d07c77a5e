"""Health of the parts, and the machine's load over time, for administrators."""

import streamlit as st

from dashboards import system, viewer

viewer.required_admin()
st.title("System", anchor=False)
system.parts()
system.load()
