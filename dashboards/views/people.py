"""Accounts, for administrators: people, invitations, everybody's keys."""

import streamlit as st

from dashboards import all_keys, inviting, people, viewer

me = viewer.required_admin()
if person := st.query_params.get(people.PERSON):
    people.manage(person, me)
else:
    st.title("People", anchor=False)
    inviting.show_handover()
    everybody, invited, programs = st.tabs(["People", "Invite", "API keys"], key="part", bind="query-params")
    with everybody:
        people.listing()
    with invited:
        with st.container(key="narrow"):
            inviting.by_link(me)
            with st.expander("Without a link: an account with a first password"):
                inviting.by_password(me)
        st.subheader("Waiting invitations", anchor=False)
        inviting.pending()
    with programs:
        all_keys.listing()
