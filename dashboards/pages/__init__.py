"""Streamlit pages: navigation, recordings, upload, search and login."""
