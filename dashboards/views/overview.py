"""How the platform is doing at a glance, for administrators."""

import streamlit as st

from dashboards import glance, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.OVERVIEW, anchor=False)
glance.overview()
