"""Accounts, for administrators: create, role, password, disable."""

import streamlit as st

from dashboards import people, viewer

viewer.required_admin()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("People", anchor=False, width="content")
    if st.button("Add a person", type="primary", icon=":material/person_add:", key="add"):
        people.create()
people.show_handover()
people.listing()
