"""What people and programs see: one st.App with its pages, the HTTP API and the dispatcher."""
