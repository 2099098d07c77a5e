"""Uploads that are on their way or were given up, for administrators."""

import streamlit as st

from dashboards import incoming, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.UPLOADS, anchor=False)
incoming.listing()
