"""The reader's recordings: the first page."""

import streamlit as st

from dashboards import recordings, strings, viewer

me = viewer.required()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title(strings.PAGE["jobs"], anchor=False, width="content")
    if me.may_write and st.button(strings.PAGE["upload"], type="primary", icon=":material/upload:", key="upload"):
        st.switch_page("views/upload.py")
recordings.show()
