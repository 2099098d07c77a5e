"""Everybody's recordings, for administrators."""

import streamlit as st

from dashboards import recordings, viewer

me = viewer.required_admin()
st.title("All recordings", anchor=False)
recordings.banner(me)
recordings.show(everybody=True)
