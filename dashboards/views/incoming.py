"""Uploads that are on their way or were given up, for administrators."""

import streamlit as st

from dashboards import incoming, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["incoming"], anchor=False)
incoming.listing()
