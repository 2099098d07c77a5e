"""Workers and models as their heartbeats tell, for administrators."""

import streamlit as st

from dashboards import machines, viewer

viewer.required_admin()
st.title("Machines", anchor=False)
machines.listing()
