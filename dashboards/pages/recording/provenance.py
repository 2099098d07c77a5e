"""Where a transcript comes from: who listened, with what, on which machine, how long, and under which names."""

import html
from collections.abc import Mapping, Sequence
from functools import lru_cache

import streamlit as st

from dashboards import context, present, viewer
from dashboards.strings import recordings as words
from storage import audit, users
from storage.errors import NotFound, TranscriberError
from storage.records import Heard, Job, Options, SpanRow, Transcript, from_json

MAX_ROWS = 500
USUAL = Options()


def show(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> None:
    """Say what heard the recording in a few lines, and the rest on demand."""
    st.subheader(words.HOW_HEARD, anchor=False)
    _list(_short(job, spans, transcript))
    with st.expander(words.EVERYTHING):
        _list(_long(job, spans, transcript))
        if spans:
            st.html(_parts(spans))


def _short(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> dict[str, str | None]:
    heard = [span for span in spans if span.result]
    reused = sum(span.reused for span in heard)
    engine_s = sum(span.engine_s or 0.0 for span in heard if not span.reused)
    fresh_s = sum(span.end_s - span.start_s for span in heard if not span.reused)
    took = (job.finished_at - job.created_at).total_seconds() if job.finished_at else None
    return {
        words.MODEL: words.DEMO_MODEL if job.model == present.DEMO_MODEL else job.model,
        words.LANGUAGE: _language(transcript),
        words.SPEECH: _speech(job),
        words.PARTS: words.parts(len(spans), reused),
        words.LISTENING_TOOK: words.took(present.span(engine_s), fresh_s / engine_s) if engine_s else None,
        words.UPLOAD_TO_TEXT: present.span(took) if took is not None else None,
        words.MACHINE: ", ".join(sorted({span.worker for span in heard if span.worker})),
        words.ASKED_FOR: asked_for(job.options),
        words.ATTEMPTS: str(job.attempt) if job.attempt > 1 else None,
        words.GIVEN_UP: "; ".join(job.given_up),
    }


def _long(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> dict[str, str | None]:
    heard = _one_hearing(next((span.result for span in spans if span.result), None))
    others = transcript.other_languages if transcript else ()
    return {
        words.UPLOADED_BY: _uploader(job),
        words.UPLOADED: f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC",
        words.BEGUN: f"{job.started_at:%Y-%m-%d %H:%M:%S} UTC" if job.started_at else None,
        words.FINISHED: f"{job.finished_at:%Y-%m-%d %H:%M:%S} UTC" if job.finished_at else None,
        words.WAY: job.lane.value,
        words.ENGINE: transcript.engine if transcript else None,
        words.DEVICE: _device(heard) if heard else None,
        words.ALSO_POSSIBLE: ", ".join(
            f"{present.language(one.language)} {100 * one.probability:.0f}%" for one in others
        ),
        words.ENGINE_SETTINGS: settings_of(job.options),
        words.TRANSCRIPT: words.version(transcript.version) if transcript else None,
        words.FINGERPRINT: job.fingerprint,
        words.SHA256: job.media_sha256,
        words.ID: job.id,
    }


def _device(heard: Heard) -> str:
    used = [heard.device, heard.compute_type]
    if heard.batch_size:  # what was heard before this was kept does not say
        used += [words.threads(heard.cpu_threads), words.windows(heard.batch_size)]
    return ", ".join(used)


def asked_for(options: Options) -> str:
    """Return the options that differ from the usual, in words."""
    told = [
        words.TRANSLATED if options.task == "translate" else "",
        words.vocabulary(options.hotwords) if options.hotwords else "",
        words.WITH_PROMPT if options.prompt else "",
        words.audio_track(options.audio_track + 1) if options.audio_track else "",
    ]
    return ", ".join(one for one in told if one)


def settings_of(options: Options) -> str:
    """Return how the engine was told to listen."""
    return words.engine_settings(
        options.model,
        options.language,
        options.beam_size,
        options.temperature,
        word_times=options.word_timestamps,
    )


def _uploader(job: Job) -> str:
    """Return who sent the recording, which need not be its owner."""
    rows = viewer.look(audit.page, subject=job.id, action="job.accept", limit=1)
    name = rows[0].actor if rows else f"user:{job.owner_id}"
    people: dict[str, str] = {}
    kind, _, ident = name.partition(":")
    if kind == "user":
        try:
            people[ident] = viewer.look(users.get, ident).name
        except NotFound:
            people = {}
    return present.actor(name, people)


def _one_hearing(result: str | None) -> Heard | None:
    """Return what lies under the name of a result; not there any more, or out of reach, is no matter here."""
    if result is None:
        return None
    try:
        return _hearing(result)
    except (TranscriberError, ValueError):
        return None


@lru_cache(maxsize=256)
def _hearing(result: str) -> Heard:
    return from_json(Heard, context.files().read(result))


def _parts(spans: Sequence[SpanRow]) -> str:
    """Return a table of the parts: where each lies, who heard it, how fast."""
    rows = "".join(
        f"<tr><td>{span.index + 1}</td><td>{present.length(span.start_s)}–{present.length(span.end_s)}</td>"
        f"<td>{words.KNOWN if span.reused else present.span(span.engine_s) if span.engine_s is not None else '–'}</td>"
        f"<td>{html.escape(span.worker or '–')}</td></tr>"
        for span in spans[:MAX_ROWS]
    )
    rest = len(spans) - MAX_ROWS
    more = f"<tr><td colspan=4>{words.more_parts(rest)}</td></tr>" if rest > 0 else ""
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in words.PART_COLUMNS) + "</tr>"
    table = f"<table>{head}{rows}{more}</table>"
    return f'<div class="parts" tabindex="0" role="region" aria-label="{words.PARTS}">{table}</div>'


def _language(transcript: Transcript | None) -> str | None:
    if transcript is None:
        return None
    return words.language_sure(present.language(transcript.language), transcript.language_probability)


def _speech(job: Job) -> str | None:
    return words.part_of(present.length(job.speech_s), present.length(job.duration_s)) if job.speech_s else None


def _list(facts: Mapping[str, str | None]) -> None:
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(fact)}</dd>" for name, fact in facts.items() if fact)
    st.html(f'<dl class="facts">{rows}</dl>')
