"""How long requests and statements take, for administrators."""

import streamlit as st

from dashboards import performance, viewer

viewer.required_admin()
st.title("Performance", anchor=False)
performance.requests()
performance.statements()
