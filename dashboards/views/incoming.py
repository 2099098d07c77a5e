"""Uploads that are on their way or were given up, for administrators."""

import streamlit as st

from dashboards import incoming, viewer

viewer.required_admin()
st.title("Uploads in progress", anchor=False)
incoming.listing()
