"""How long requests and statements take, and what caches save, for administrators."""

import streamlit as st

from dashboards import performance, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.PERFORMANCE, anchor=False)
performance.requests()
performance.statements()
performance.kept()
