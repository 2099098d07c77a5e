"""Everybody's recordings, for administrators."""

import streamlit as st

from dashboards import recordings, viewer

viewer.required_admin()
st.title("All recordings", anchor=False)
recordings.show(everybody=True)
