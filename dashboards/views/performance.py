"""How long requests and statements take, and what caches save, for administrators."""

import streamlit as st

from dashboards import performance, viewer

viewer.required_admin()
st.title("Performance", anchor=False)
performance.requests()
performance.statements()
performance.kept()
