"""The user's defaults for new recordings: engine options, subtitles, vocabulary."""

from dataclasses import replace

import streamlit as st

from dashboards.pages import viewer
from dashboards.pages.upload_options import AUTO
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import recordings as words
from storage.accounts import preferences, vocabulary
from storage.accounts.preferences import Preferences
from storage.domain.clock import utc_now
from storage.domain.export_formats import SINGLE_FORMATS
from storage.domain.model_names import display_name
from storage.domain.records import CueLimits, Lane


def form(me: Viewer) -> None:
    """Ask for the upload page's defaults."""
    now = db.look(preferences.of, me.user.id)
    st.write(words.DEFAULTS_ABOUT)
    with st.form("defaults", border=False):
        wanted = _subtitles(_hearing(now))
        if not st.form_submit_button(words.SAVE, type="primary"):
            return
    with viewer.saving(words.DEFAULTS_SAVED):
        db.change(preferences.set_, me.user.id, wanted, actor=me.actor)


def _hearing(now: Preferences) -> Preferences:
    languages = {"": words.DETECT} | formatting.languages()
    left, right = st.columns(2)
    language = left.selectbox(
        words.SPOKEN_LANGUAGE,
        list(languages),
        _place(list(languages), now.language or ""),
        format_func=languages.__getitem__,
    )
    here = {model.name for beat in context.workers().alive(utc_now()) for model in beat.models}
    models = [AUTO, *sorted(here | {now.model} - {AUTO})]
    names = {name: words.BEST if name == AUTO else display_name(name) for name in models}
    model = right.selectbox(
        words.MODEL,
        models,
        _place(models, now.model),
        format_func=names.__getitem__,
        help=words.MODEL_HELP,
    )
    tasks, lanes = list(words.TASKS), list(words.LANES)
    task = left.selectbox(words.TASK, tasks, _place(tasks, now.task), format_func=words.TASKS.__getitem__)
    lane = right.selectbox(words.LANE, lanes, _place(lanes, now.lane), format_func=words.LANES.__getitem__)
    formats = st.multiselect(
        words.FILES_MADE,
        SINGLE_FORMATS,
        list(now.formats),
        format_func=words.file_format,
        placeholder=words.USUAL_FILES,
        help=words.FILES_MADE_HELP,
    )
    now = replace(now, formats=tuple(formats), language=language or None, model=model or AUTO)
    return replace(now, task=task or "transcribe", lane=lane or now.lane)


def _subtitles(now: Preferences) -> Preferences:
    st.header(words.SUBTITLES, anchor=False)
    cues = now.cues
    width, count, pace = st.columns(3)
    shortest, longest, gap = st.columns(3)
    wanted = CueLimits(
        max_line_width=width.number_input(words.MAX_WIDTH, 8, 200, cues.max_line_width),
        max_line_count=count.number_input(words.MAX_LINES, 1, 6, cues.max_line_count),
        max_chars_per_s=pace.number_input(words.MAX_PACE, 5.0, 100.0, cues.max_chars_per_s, 1.0),
        min_duration_s=shortest.number_input(words.SHORTEST, 0.0, 10.0, round(cues.min_duration_s, 2), 0.1),
        max_duration_s=longest.number_input(words.LONGEST, 1.0, 60.0, cues.max_duration_s, 0.5),
        min_gap_s=gap.number_input(words.GAP, 0.0, 2.0, cues.min_gap_s, 0.01, format="%.3f"),
    )
    if wanted.min_duration_s == round(cues.min_duration_s, 2):  # shown rounded, stored unchanged
        wanted = replace(wanted, min_duration_s=cues.min_duration_s)
    return replace(now, cues=wanted)


def _place(values: list[str] | list[Lane], value: str) -> int:
    return values.index(value) if value in values else 0  # type: ignore[arg-type]


def vocabulary_form(me: Viewer) -> None:
    """Ask for the names and terms in the user's recordings."""
    st.write(words.VOCABULARY_ABOUT)
    with st.form("vocabulary", border=False):
        terms = st.text_area(
            words.VOCABULARY,
            db.look(vocabulary.words_of, me.user.id),
            height=260,
            placeholder=words.VOCABULARY_EXAMPLE,
            help=words.vocabulary_help(vocabulary.MAX_CHARS),
        )
        if not st.form_submit_button(words.SAVE, type="primary"):
            return
    with viewer.saving(words.VOCABULARY_SAVED):
        db.change(vocabulary.set_words, me.user.id, terms or "", actor=me.actor)
