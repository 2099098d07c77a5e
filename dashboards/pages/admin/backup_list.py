"""The backups of the ledger, and when one was last restored on trial."""

import streamlit as st

from dashboards.pages import viewer
from dashboards.presenters import formatting
from dashboards.runtime import context
from dashboards.strings import upkeep_texts as words
from storage.backup.backup_store import KeptBackup

EVERY_S = 10.0
SHOWN = 30


@st.fragment(run_every=EVERY_S)
def backups() -> None:
    """Show the backups at the last look at their place, for administrators."""
    me = viewer.required_admin()
    state, settings = context.current().backups, context.settings()
    st.header(words.BACKUPS, anchor=False)
    url = settings.backup.backup_url or settings.storage.storage_url or words.FOLDER
    st.caption(words.backups_about(viewer.plain(url), settings.backup.backup_at))
    if state.running:
        st.info(words.BACKUP_RUNNING[state.running], icon=":material/hourglass_top:")
    elif state.error and state.failed_at:
        when = formatting.when(state.failed_at, me.zone)
        st.error(words.backup_failed(when, viewer.plain(state.error)), icon=":material/error:")
    if state.newest is None:
        st.caption(words.NO_BACKUPS if state.looked_at else words.BACKUPS_UNSEEN)
        return
    passed, newest = state.drill_passed_at, state.newest.manifest.made_at
    with st.container(key="tiles-backups", horizontal=True):
        st.metric(words.BACKUP_NEWEST, formatting.when(newest, me.zone))
        st.metric(words.DRILL_PASSED, formatting.when(passed, me.zone) if passed else words.NEVER)
    st.dataframe([_row(one, me) for one in state.ours[:SHOWN]], hide_index=True, key="backups")


def _row(one: KeptBackup, me: viewer.Viewer) -> dict[str, object]:
    made = one.manifest
    return {
        words.BACKUP_TIME: formatting.when(made.made_at, me.zone),
        words.BACKUP_SIZE: formatting.size(made.stored.size_bytes),
        words.BACKUP_JOBS: made.contents.rows.get("jobs", 0),
        words.BACKUP_ENCRYPTED: words.YES if made.recipient else words.NO,
        words.BACKUP_TRIAL: _trial(one, me),
    }


def _trial(one: KeptBackup, me: viewer.Viewer) -> str:
    if one.drill is None:
        return words.NOT_TRIED
    if one.drill.passed:
        return words.trial_passed(formatting.when(one.drill.at, me.zone))
    return words.trial_failed("; ".join(one.drill.problems))
