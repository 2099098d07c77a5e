"""The options above the drop zone, as the server accepts them.

They start from the reader's preferences, and apply to the files that are added next.
"""

from dataclasses import replace

import streamlit as st

from dashboards import strings
from dashboards.components.contracts import HeaderlessChoices
from dashboards.pages import viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import recordings as words
from storage.accounts import preferences, quotas, vocabulary
from storage.accounts.preferences import Preferences
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, ModelCannot
from storage.domain.model_names import translates
from storage.domain.records import CueLimits, ExportFormat, Lane, Options
from storage.domain.records.job_options import terms_in
from storage.domain.tags import MAX_TAGS, split_tags
from storage.domain.translation import number
from storage.files import upload_room
from storage.jobs.annotations import tagging
from storage.media.headerless import HIGHEST_HZ, LOWEST_HZ, MAX_CHANNELS, InputFormat

AUTO = "auto"
ANY = "any"
PROMPT_CHARS = 1000


def choose(me: viewer.Viewer) -> tuple[Options, Lane, str]:
    """Show the options, preset from the reader's preferences, and return them with the tags."""
    usual = db.look(preferences.of, me.user.id)
    with st.container(key="choices"):
        left, middle, right = st.columns(3)
        with left:
            language = _language(usual)
        with middle:
            model = _model(usual)
        with right:
            task = _one_of(words.TASK, words.TASKS, usual.task, key="task")
        _warn_of(task, model)
        with st.expander(words.MORE_CHOICES):
            hotwords, prompt = _words(me)
            asked = replace(_sound(Options()), formats=_formats(usual))
            cues, lane = _more(usual)
            tags = _tags(me)
    code = None if language == ANY else language
    asked = replace(asked, language=code, model=model, task=task, hotwords=hotwords, prompt=prompt, cues=cues)
    return asked, lane, tags


def headerless() -> HeaderlessChoices:
    """Return what can be said of files that have no header."""
    names = words.INPUT_FORMATS
    return {
        "formats": [
            {
                "value": each.value,
                "label": names[each],
                "rate_hz": each.spec.rate_hz,
                "endings": list(each.spec.endings),
            }
            for each in InputFormat
        ],
        "lowest_hz": LOWEST_HZ,
        "highest_hz": HIGHEST_HZ,
        "max_channels": MAX_CHANNELS,
    }


def _warn_of(task: str, model: str) -> None:
    """Warn about combinations that the server would refuse."""
    default = context.workers().default_model()
    heard_by = model if model != AUTO else default.name if default else None
    if task == "translate" and heard_by and not translates(heard_by):
        st.warning(viewer.explained(ModelCannot(heard_by, task)), icon=":material/translate:")


def _sound(asked: Options) -> Options:
    """Ask about speakers, channels, tracks and changing languages."""
    left, middle, right = st.columns(3)
    with left:
        channels = _one_of(words.CHANNEL, words.CHANNELS, asked.channels, key="channels", help=words.CHANNELS_HELP)
    track = middle.number_input(
        words.TRACK, 1, 64, None, key="track", help=words.TRACK_HELP, placeholder=words.TRACK_CHOSEN
    )
    speakers = None
    apart = False
    with right:
        if context.workers().tell_speakers_apart():
            choice = _one_of(words.SPEAKER, words.SPEAKERS, "no", key="speakers")
            apart = choice != "no"
            speakers = int(choice) if choice.isdigit() else None
    changing = st.checkbox(words.LANGUAGE_CHANGES, key="language-per-span", help=words.LANGUAGE_CHANGES_HELP)
    return replace(
        asked,
        channels=channels,
        audio_track=None if track is None else int(track) - 1,
        diarize=apart,
        speakers=speakers,
        language_per_span=changing,
    )


def _formats(usual: Preferences) -> tuple[ExportFormat, ...]:
    """Ask which files to write at once; others are made on request."""
    chosen = st.multiselect(
        words.FILES_READY,
        list(ExportFormat),
        default=list(usual.formats),
        format_func=words.file_format,
        key="formats",
        placeholder=words.USUAL_FILES,
        help=words.FILES_READY_HELP,
    )
    return tuple(ExportFormat(one) for one in chosen)


def _tags(me: viewer.Viewer) -> str:
    """Ask for the tags of the next files, and return them with commas between them."""
    chosen = st.multiselect(
        words.TAGS,
        db.look(tagging.used, me.user.id),
        accept_new_options=True,
        max_selections=MAX_TAGS,
        key="tags",
        placeholder=words.TAGS_NEW,
        help=words.TAGS_UPLOAD_HELP,
    )
    try:
        return ",".join(split_tags(",".join(chosen)))
    except BadRequest as error:
        viewer.refused(error)
        return ""


def room_for(me: viewer.Viewer) -> int:
    """Return how many bytes the reader can upload now, by disk and quota."""
    free = upload_room.room_for(context.current().shelf, me.user.id, share=context.settings().web.upload_share)
    if me.user.quota_bytes is None:
        return free
    return max(0, min(free, me.user.quota_bytes - db.look(quotas.usage, me.user.id).stored_bytes))


def limits(me: viewer.Viewer, free_bytes: int) -> dict[str, str]:
    """Return the limits that the uploader shows."""
    web = context.settings().web
    values = {
        "size": formatting.size(web.max_upload_bytes),
        "hours": number(web.max_hours, "g"),
        "free": formatting.size(free_bytes),
    }
    told = [(strings.LIMIT if free_bytes >= web.max_upload_bytes else strings.LIMIT_BY_ROOM).format(**values)]
    if me.user.quota_hours is not None:
        used = db.look(quotas.usage, me.user.id)
        heard = number((used.heard_s + used.coming_s) / 3600, ".1f")
        told.append(strings.LIMIT_OF_HOURS.format(used=heard, quota=number(me.user.quota_hours, "g")))
    return {
        "limit": " ".join([*told, strings.GO_ON_WORKING]),
        "too_large": strings.TOO_LARGE.format(**values),
        "no_room": strings.NO_ROOM.format(**values),
    }


def _one_of(label: str, names: dict[str, str], usual: str, *, key: str, help: str | None = None) -> str:  # noqa: A002
    """Show a list of options with the preferred one selected."""
    keys = list(names)
    place = keys.index(usual) if usual in names else 0
    return st.selectbox(label, keys, index=place, format_func=names.__getitem__, key=key, help=help)


def _language(usual: Preferences) -> str:
    return _one_of(
        words.SPOKEN_LANGUAGE, {ANY: words.DETECT} | formatting.languages(), usual.language or ANY, key="language"
    )


def _model(usual: Preferences) -> str:
    """Offer the workers' models; a preferred one that is missing is downloaded for the job."""
    found = {model.name for beat in context.workers().alive(utc_now()) for model in beat.models}
    default = context.workers().default_model()
    best = words.best(default.name) if default else words.BEST
    names = {AUTO: best} | {name: words.model_named(name) for name in sorted(found | {usual.model} - {AUTO})}
    return _one_of(words.MODEL, names, usual.model, key="model", help=words.MODEL_HELP)


def _words(me: viewer.Viewer) -> tuple[str | None, str | None]:
    kept = len(terms_in(db.look(vocabulary.words_of, me.user.id)))
    hotwords = st.text_input(
        words.HOTWORDS,
        placeholder=words.HOTWORDS_EXAMPLE,
        key="hotwords",
        max_chars=vocabulary.MAX_CHARS,
        help=words.hotwords_help(kept),
    )
    prompt = st.text_area(
        words.PROMPT,
        placeholder=words.PROMPT_EXAMPLE,
        key="prompt",
        height=80,
        max_chars=PROMPT_CHARS,
        help=words.PROMPT_HELP,
    )
    return (hotwords or "").strip() or None, (prompt or "").strip() or None


def _more(usual: Preferences) -> tuple[CueLimits, Lane]:
    left, middle, right = st.columns(3)
    cues = usual.cues
    width = left.number_input(words.LINE_LENGTH, 8, 200, cues.max_line_width, key="width", help=words.LINE_LENGTH_HELP)
    count = middle.number_input(words.LINE_COUNT, 1, 6, cues.max_line_count, key="count")
    with right:
        lanes = {lane.value: label for lane, label in words.LANES.items()}
        lane = _one_of(words.LANE, lanes, usual.lane.value, key="lane")
    return replace(cues, max_line_width=width, max_line_count=count), Lane(lane)
