"""How the platform is doing at a glance, for administrators."""

import streamlit as st

from dashboards import glance, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["overview"], anchor=False)
glance.overview()
