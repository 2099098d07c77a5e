"""Log in; shown under every path while nobody is signed in, so that deep links survive."""

import streamlit as st

from dashboards import components, strings

with st.container(key="gate"):
    st.image(str(components.SVG_MARK), width=56)
    st.title("Log in", anchor=False)
    st.caption(f"to {strings.APP}")
    components.login()
    st.caption("No account? Ask your administrator for one. Forgotten password? An administrator can reset it.")
