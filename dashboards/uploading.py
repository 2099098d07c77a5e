"""What an upload asks for: the choices above the drop zone, as the server takes them.

They start from what the reader prefers, and hold for the files that are added next.
"""

from dataclasses import replace

import streamlit as st

from dashboards import context, present, strings, viewer
from dashboards.languages import LANGUAGES
from storage import preferences, quotas, vocabulary
from storage.clock import utc_now
from storage.preferences import Preferences
from storage.records import CueLimits, Lane, Options

AUTO = "auto"
ANY = "any"
LANES = {Lane.INTERACTIVE: "Now", Lane.BATCH: "When the machine is free"}
TASKS = {"transcribe": "What was said", "translate": "A translation into English"}
PROMPT_CHARS = 1000


def choose(me: viewer.Viewer) -> tuple[Options, Lane]:
    """Show the choices and return them; what the reader prefers is chosen already."""
    usual = viewer.look(preferences.of, me.user.id)
    with st.container(key="choices"):
        left, middle, right = st.columns(3)
        with left:
            language = _language(usual)
        with middle:
            model = _model(usual)
        with right:
            task = _one_of("Write down", TASKS, usual.task, key="task")
        with st.expander("Vocabulary, subtitles, order"):
            hotwords, prompt = _words(me)
            cues, lane = _more(usual)
    code = None if language == ANY else language
    asked = Options(language=code, model=model, task=task, hotwords=hotwords, prompt=prompt, cues=cues)
    return replace(asked, formats=usual.formats), lane


def room_for(me: viewer.Viewer) -> int:
    """Return how many bytes the reader could send now, by the disk and by what is left of the reader's quota."""
    free = context.current().shelf.free_bytes()
    if me.user.quota_bytes is None:
        return free
    return max(0, min(free, me.user.quota_bytes - viewer.look(quotas.usage, me.user.id).stored_bytes))


def limits(me: viewer.Viewer, free_bytes: int) -> dict[str, str]:
    """Return what the uploader says of its limits before anything is sent."""
    web = context.settings().web
    values = {
        "size": present.size(web.max_upload_bytes),
        "hours": f"{web.max_hours:g}",
        "free": present.size(free_bytes),
    }
    told = [(strings.LIMIT if free_bytes >= web.max_upload_bytes else strings.LIMIT_BY_ROOM).format(**values)]
    if me.user.quota_hours is not None:
        used = viewer.look(quotas.usage, me.user.id)
        heard = f"{(used.heard_s + used.coming_s) / 3600:.1f}"
        told.append(strings.LIMIT_OF_HOURS.format(used=heard, quota=f"{me.user.quota_hours:g}"))
    return {
        "limit": " ".join([*told, strings.GO_ON_WORKING]),
        "too_large": strings.TOO_LARGE.format(**values),
        "no_room": strings.NO_ROOM.format(**values),
    }


def _one_of(label: str, names: dict[str, str], usual: str, *, key: str, help: str | None = None) -> str:  # noqa: A002
    """Show a list of choices on which the usual one is chosen."""
    keys = list(names)
    place = keys.index(usual) if usual in names else 0
    return st.selectbox(label, keys, index=place, format_func=names.__getitem__, key=key, help=help)


def _language(usual: Preferences) -> str:
    return _one_of("Spoken language", {ANY: "Detect by itself"} | LANGUAGES, usual.language or ANY, key="language")


def _model(usual: Preferences) -> str:
    """Offer what workers have; a preferred model that none of them has is fetched when a job asks for it."""
    found = {model.name for beat in context.workers().alive(utc_now()) for model in beat.models}
    default = context.workers().default_model()
    best = f"Best available ({default.name})" if default else "Best available"
    names = {AUTO: best} | {name: name for name in sorted(found | {usual.model} - {AUTO})}
    told = "Larger models make fewer mistakes and take longer."
    return _one_of("Model", names, usual.model, key="model", help=told)


def _words(me: viewer.Viewer) -> tuple[str | None, str | None]:
    kept = len(vocabulary.terms(viewer.look(vocabulary.words_of, me.user.id)))
    also = f" Your own vocabulary ({kept} terms) is told anyway." if kept else ""
    hotwords = st.text_input(
        "Names and terms that occur",
        placeholder="Nuuk, Grønlandsbanken, qPCR",
        key="hotwords",
        max_chars=vocabulary.MAX_CHARS,
        help=f"Helps the model to spell them right. Separate them by commas.{also}",
    )
    prompt = st.text_area(
        "What it is about",
        placeholder="A board meeting of a bank in Nuuk, in Danish with some Greenlandic.",
        key="prompt",
        height=80,
        max_chars=PROMPT_CHARS,
        help="A sentence or two in the recording's language, written as the transcript should be.",
    )
    return (hotwords or "").strip() or None, (prompt or "").strip() or None


def _more(usual: Preferences) -> tuple[CueLimits, Lane]:
    left, middle, right = st.columns(3)
    cues = usual.cues
    width = left.number_input("Subtitle line length", 8, 200, cues.max_line_width, key="width", help="In characters.")
    count = middle.number_input("Lines in a subtitle", 1, 6, cues.max_line_count, key="count")
    with right:
        lanes = {lane.value: words for lane, words in LANES.items()}
        lane = _one_of("Start", lanes, usual.lane.value, key="lane")
    return replace(cues, max_line_width=width, max_line_count=count), Lane(lane)
