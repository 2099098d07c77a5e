"""Datasets for administrators: what was exported, queries over it, and saved queries."""

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.admin.datasets import query_results
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import db
from dashboards.services.datasets import dataset_queries, dataset_runs
from dashboards.strings import dataset_texts as words
from storage.datasets import saved_queries
from storage.datasets.dataset_manifest import DatasetManifest
from storage.datasets.dataset_schema import DATASETS
from storage.datasets.example_queries import EXAMPLES
from storage.datasets.query_process import MAX_STATEMENT_CHARS
from storage.datasets.saved_queries import SavedQuery
from storage.domain.errors import TranscriberError

STATEMENT, START, RESULT = "dataset-statement", "dataset-start", "dataset-result"


def page() -> None:
    """Show the datasets, and let administrators query them."""
    me = viewer.required_admin()
    st.title(strings.PAGE["datasets"], anchor=False)
    try:
        manifest = dataset_runs.place().manifest()
    except TranscriberError as error:
        viewer.refused(error)
        return
    if manifest is None:
        st.info(words.NOTHING_EXPORTED, icon=":material/database:")
        _export_button(me)
        return
    _datasets(manifest, me)
    _query(me)


def _export_button(me: Viewer) -> None:
    if not st.button(words.EXPORT_NOW, icon=":material/database_upload:", key="export-datasets"):
        return
    with viewer.saving(words.EXPORTED), st.spinner(words.EXPORTING):
        dataset_runs.export_now(me.user)


def _datasets(manifest: DatasetManifest, me: Viewer) -> None:
    """Show when what was exported, and the columns."""
    url = viewer.plain(dataset_runs.place().url)
    st.caption(words.exported(formatting.when(manifest.exported_at, me.zone), url))
    _export_button(me)
    with st.expander(words.COLUMNS, icon=":material/table:"):
        st.dataframe(
            [
                {
                    words.DATASET: one.name,
                    words.ROWS: manifest.rows_of(one.name),
                    words.SIZE: formatting.size(
                        sum(p.size_bytes for p in manifest.partitions if p.dataset == one.name)
                    ),
                    words.CONTENTS: one.holds,
                }
                for one in DATASETS
            ],
            hide_index=True,
        )
        shown = st.selectbox(words.DATASET, [one.name for one in DATASETS], key="dataset-shown")
        columns = next(one.columns for one in DATASETS if one.name == shown)
        st.dataframe(
            [{words.COLUMN: one.name, words.TYPE: one.type, words.MEANING: one.meaning} for one in columns],
            hide_index=True,
        )


@st.fragment
def _query(me: Viewer) -> None:
    """Show the query, its result, and the saved queries."""
    st.header(words.QUERY, anchor=False)
    st.caption(words.QUERY_ABOUT)
    saved = {one.id: one for one in db.look(saved_queries.all_of)}
    st.selectbox(
        words.START_WITH,
        [None, *EXAMPLES, *saved],
        format_func=lambda key: _title(key, saved),
        key=START,
        on_change=_start_with,
        args=(saved,),
    )
    statement = st.text_area(words.STATEMENT, key=STATEMENT, height=180, max_chars=MAX_STATEMENT_CHARS)
    runs = st.button(words.RUN, type="primary", icon=":material/play_arrow:", key="run-query")
    result = st.container()  # what is below keeps its place while a query runs
    if runs:
        with result:
            _run(me, statement)
    if (found := st.session_state.get(RESULT)) is not None:
        with result:
            query_results.show(found)
    _save(me, statement)
    _saved(me, list(saved.values()))


def _title(key: str | None, saved: dict[str, SavedQuery]) -> str:
    if key is None:
        return words.OWN
    if key in saved:
        return f"{saved[key].name} ({words.by(saved[key].owner)})"
    return words.EXAMPLE.get(key, key)


def _start_with(saved: dict[str, SavedQuery]) -> None:
    """Put the chosen query into the field."""
    key = st.session_state[START]
    if key in saved:
        st.session_state[STATEMENT] = saved[key].statement
    elif key in EXAMPLES:
        st.session_state[STATEMENT] = EXAMPLES[key]


def _run(me: Viewer, statement: str) -> None:
    st.session_state.pop(RESULT, None)
    try:
        with st.spinner(words.RUNNING):
            st.session_state[RESULT] = dataset_queries.run(me.user, statement)
    except TranscriberError as error:
        viewer.refused(error)


def _save(me: Viewer, statement: str) -> None:
    with st.popover(words.SAVE, icon=":material/bookmark_add:"), st.form("save-query", border=False):
        name = st.text_input(words.NAME, max_chars=saved_queries.MAX_NAME_CHARS)
        if st.form_submit_button(words.SAVE_BUTTON, type="primary"):
            with viewer.saving(words.SAVED_TOAST):
                dataset_queries.save(me.user, name, statement)


def _saved(me: Viewer, saved: list[SavedQuery]) -> None:
    """List the saved queries; one's own can be deleted."""
    if not saved:
        return
    st.subheader(words.SAVED, anchor=False)
    for one in saved:
        with st.expander(f"{viewer.plain(one.name)} · :gray[{viewer.plain(words.by(one.owner))}]"):
            st.code(one.statement, language="sql", wrap_lines=True)
            if one.owner_id == me.user.id and st.button(words.DELETE, icon=":material/delete:", key=f"drop-{one.id}"):
                with viewer.saving(words.DELETED_TOAST):
                    dataset_queries.delete(me.user, one.id)
