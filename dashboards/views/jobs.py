"""The reader's recordings: the first page."""

import streamlit as st

from dashboards import recordings, viewer

me = viewer.required()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title("Recordings", anchor=False, width="content")
    if me.may_write and st.button("Upload", type="primary", icon=":material/upload:", key="upload"):
        st.switch_page("views/upload.py")
recordings.show()
