"""What waits, lane by lane, and Prefect's pools and queues with their pause, for administrators."""

import streamlit as st

from dashboards import queues, strings, viewer

viewer.required_admin()
st.title(strings.PAGE["queues"], anchor=False)
queues.backlog()
queues.pools()
