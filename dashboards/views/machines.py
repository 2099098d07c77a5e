"""Workers and models as their heartbeats tell, for administrators."""

import streamlit as st

from dashboards import machines, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["machines"], anchor=False)
machines.listing()
