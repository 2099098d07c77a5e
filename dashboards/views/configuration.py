"""What is configured, with secrets hidden, for administrators."""

import streamlit as st

from dashboards import configuration, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["configuration"], anchor=False)
configuration.listing()
