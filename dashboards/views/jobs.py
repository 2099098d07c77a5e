"""The reader's recordings: the first page."""

import streamlit as st

from dashboards import recordings, viewer
from dashboards.strings import recordings as words

me = viewer.required()
with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
    st.title(words.PAGE["jobs"], anchor=False, width="content")
    if me.may_write and st.button(words.PAGE["upload"], type="primary", icon=":material/upload:", key="upload"):
        st.switch_page("views/upload.py")
recordings.show()
