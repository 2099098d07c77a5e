"""What an upload asks for: the choices above the drop zone, as the server takes them."""

from dataclasses import replace

import streamlit as st

from dashboards import context
from dashboards.languages import LANGUAGES
from storage.clock import utc_now
from storage.records import CueLimits, Lane, Options

AUTO = "auto"
ANY = "any"
LANES = {Lane.INTERACTIVE: "Now", Lane.BATCH: "When the machine is free"}


def choose() -> tuple[Options, Lane]:
    """Show the choices and return them; what is usual is chosen already."""
    with st.container(key="choices"):
        left, middle, right = st.columns(3)
        with left:
            language = _language()
        with middle:
            model = _model()
        with right:
            task = _task()
        with st.expander("Vocabulary, subtitles, order"):
            hotwords, cues, lane = _more()
    code = None if language == ANY else language
    return replace(Options(), language=code, model=model, task=task, hotwords=hotwords, cues=cues), lane


def _language() -> str:
    names = {ANY: "Detect by itself"} | LANGUAGES
    return st.selectbox("Spoken language", list(names), format_func=names.__getitem__, key="language")


def _model() -> str:
    names = sorted({model.name for beat in context.workers().alive(utc_now()) for model in beat.models})
    default = context.workers().default_model()
    best = f"Best available ({default.name})" if default else "Best available"
    return st.selectbox(
        "Model",
        [AUTO, *names],
        format_func=lambda name: best if name == AUTO else str(name),
        key="model",
        help="Larger models make fewer mistakes and take longer.",
    )


def _task() -> str:
    names = {"transcribe": "What was said", "translate": "A translation into English"}
    return st.selectbox("Write down", list(names), format_func=names.__getitem__, key="task")


def _more() -> tuple[str | None, CueLimits, Lane]:
    hotwords = st.text_input(
        "Names and terms that occur",
        placeholder="Nuuk, Grønlandsbanken, qPCR",
        key="hotwords",
        help="Helps the model to spell them right. Separate them by commas.",
    )
    left, middle, right = st.columns(3)
    usual = CueLimits()
    width = left.number_input("Subtitle line length", 20, 80, usual.max_line_width, key="width", help="In characters.")
    count = middle.number_input("Lines in a subtitle", 1, 3, usual.max_line_count, key="count")
    with right:
        lane = st.selectbox("Start", list(LANES), format_func=LANES.__getitem__, key="lane")
    return (hotwords or "").strip() or None, replace(usual, max_line_width=width, max_line_count=count), lane
