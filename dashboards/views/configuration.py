"""What is configured, with secrets hidden, for administrators."""

import streamlit as st

from dashboards import configuration, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.CONFIGURATION, anchor=False)
configuration.listing()
