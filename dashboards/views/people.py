"""Accounts, for administrators: people, invitations, everybody's keys."""

import streamlit as st

from dashboards import all_keys, inviting, people, strings, viewer
from dashboards.strings import accounts as words

me = viewer.required_admin()
if person := st.query_params.get(people.PERSON):
    people.manage(person, me)
else:
    st.title(strings.PAGE["people"], anchor=False)
    inviting.show_handover()
    everybody, invited, programs = st.tabs(
        [words.PEOPLE, words.INVITE, words.API_KEYS], key="part", bind="query-params"
    )
    with everybody:
        people.listing()
    with invited:
        with st.container(key="narrow"):
            inviting.by_link(me)
            with st.expander(words.WITHOUT_LINK):
                inviting.by_password(me)
        st.subheader(words.WAITING, anchor=False)
        inviting.pending()
    with programs:
        all_keys.listing()
