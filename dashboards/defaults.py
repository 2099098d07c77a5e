"""What new recordings start from: engine choices, subtitles, vocabulary."""

from dataclasses import replace

import streamlit as st

from dashboards import context, strings, viewer
from dashboards.languages import LANGUAGES
from dashboards.uploading import AUTO, LANES, TASKS
from dashboards.viewer import Viewer
from storage import preferences, vocabulary
from storage.clock import utc_now
from storage.errors import TranscriberError
from storage.preferences import Preferences
from storage.records import CueLimits, ExportFormat, Lane

FORMATS = [fmt for fmt in ExportFormat if fmt is not ExportFormat.ZIP]


def form(me: Viewer) -> None:
    """Ask what the upload page starts from."""
    now = viewer.look(preferences.of, me.user.id)
    st.write("The upload page starts from these; each upload can still choose something else.")
    with st.form("defaults", border=False):
        wanted = _subtitles(_hearing(now))
        if not st.form_submit_button("Save", type="primary"):
            return
    try:
        viewer.change(preferences.set_, me.user.id, wanted, actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.toast("Saved. New uploads start from this.", icon=":material/check:")
    st.rerun()


def _hearing(now: Preferences) -> Preferences:
    languages = {"": "Detect by itself"} | LANGUAGES
    left, right = st.columns(2)
    language = left.selectbox(
        "Spoken language",
        list(languages),
        _place(list(languages), now.language or ""),
        format_func=languages.__getitem__,
    )
    here = {model.name for beat in context.workers().alive(utc_now()) for model in beat.models}
    models = [AUTO, *sorted(here | {now.model} - {AUTO})]
    model = right.selectbox(
        "Model",
        models,
        _place(models, now.model),
        format_func=lambda name: "Best available" if name == AUTO else str(name),
        help="Larger models make fewer mistakes and take longer.",
    )
    task = left.selectbox("Write down", list(TASKS), _place(list(TASKS), now.task), format_func=TASKS.__getitem__)
    lanes = list(LANES)
    lane = right.selectbox("Start", lanes, _place(lanes, now.lane), format_func=LANES.__getitem__)
    formats = st.multiselect(
        "Files to make when a recording is ready",
        FORMATS,
        list(now.formats),
        format_func=lambda fmt: f"{fmt.upper()}: {strings.FORMAT[fmt]}",
        placeholder="The usual ones",
        help="Every other format can still be downloaded; it is made when it is asked for.",
    )
    now = replace(now, formats=tuple(formats), language=language or None, model=model or AUTO)
    return replace(now, task=task or "transcribe", lane=lane or now.lane)


def _subtitles(now: Preferences) -> Preferences:
    st.subheader("Subtitles", anchor=False)
    cues = now.cues
    width, count, pace = st.columns(3)
    shortest, longest, gap = st.columns(3)
    wanted = CueLimits(
        max_line_width=width.number_input("Characters in a line", 8, 200, cues.max_line_width),
        max_line_count=count.number_input("Lines", 1, 6, cues.max_line_count),
        max_chars_per_s=pace.number_input("Characters a second", 5.0, 100.0, cues.max_chars_per_s, 1.0),
        min_duration_s=shortest.number_input("Shortest, in seconds", 0.0, 10.0, round(cues.min_duration_s, 2), 0.1),
        max_duration_s=longest.number_input("Longest, in seconds", 1.0, 60.0, cues.max_duration_s, 0.5),
        min_gap_s=gap.number_input("Gap between, in seconds", 0.0, 2.0, cues.min_gap_s, 0.01, format="%.3f"),
    )
    if wanted.min_duration_s == round(cues.min_duration_s, 2):  # shown rounded, kept as it was
        wanted = replace(wanted, min_duration_s=cues.min_duration_s)
    return replace(now, cues=wanted)


def _place(values: list[str] | list[Lane], value: str) -> int:
    return values.index(value) if value in values else 0  # type: ignore[arg-type]


def vocabulary_form(me: Viewer) -> None:
    """Ask for the names and terms that all of one's recordings may hold."""
    st.write("Names and terms that occur in your recordings. Every recording of yours is heard with them in mind.")
    with st.form("vocabulary", border=False):
        words = st.text_area(
            "One a line",
            viewer.look(vocabulary.words_of, me.user.id),
            height=260,
            placeholder="Nuuk\nGrønlandsbanken\nqPCR",
            help=f"Up to {vocabulary.MAX_CHARS} characters in all, which is what a model reads.",
        )
        if not st.form_submit_button("Save", type="primary"):
            return
    try:
        viewer.change(vocabulary.set_words, me.user.id, words or "", actor=me.actor)
    except TranscriberError as error:
        viewer.refused(error)
        return
    st.toast("Saved. Recordings from now on are heard with these words.", icon=":material/check:")
    st.rerun()
