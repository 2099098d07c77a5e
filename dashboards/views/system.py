"""Health of the parts, and the machine's load over time, for administrators."""

import streamlit as st

from dashboards import strings, system, viewer

viewer.required_admin()
st.title(strings.PAGE["system"], anchor=False)
system.parts()
system.load()
