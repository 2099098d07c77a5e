"""What is configured, with secrets hidden, for administrators."""

import streamlit as st

from dashboards import configuration, viewer

viewer.required_admin()
st.title("Configuration", anchor=False)
configuration.listing()
