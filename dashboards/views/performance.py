"""How long requests and statements take, and what caches save, for administrators."""

import streamlit as st

from dashboards import performance, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["performance"], anchor=False)
performance.requests()
performance.statements()
performance.kept()
