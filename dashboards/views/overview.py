"""How the platform is doing at a glance, for administrators."""

import streamlit as st

from dashboards import glance, viewer

viewer.required_admin()
st.title("Overview", anchor=False)
glance.overview()
