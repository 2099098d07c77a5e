"""What waits, lane by lane, and Prefect's pools and queues with their pause, for administrators."""

import streamlit as st

from dashboards import queues, viewer
from dashboards.strings import admin as words

viewer.required_admin()
st.title(words.QUEUES, anchor=False)
queues.backlog()
queues.pools()
