"""Workers and models as their heartbeats tell, for administrators."""

import streamlit as st

from dashboards import machines, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.MACHINES, anchor=False)
machines.listing()
