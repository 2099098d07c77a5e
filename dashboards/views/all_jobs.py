"""Everybody's recordings, for administrators."""

import streamlit as st

from dashboards import recordings, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["all_jobs"], anchor=False)
recordings.show(everybody=True)
