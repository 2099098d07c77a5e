"""The web process: one `st.App` with pages, HTTP APIs and background loops."""
