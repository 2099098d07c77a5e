"""Everybody's recordings, for administrators."""

import streamlit as st

from dashboards import recordings, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.ALL_RECORDINGS, anchor=False)
recordings.show(everybody=True)
