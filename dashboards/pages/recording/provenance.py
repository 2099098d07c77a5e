"""The provenance of a transcript: model, machine, times, options and ids."""

import html
from collections.abc import Mapping, Sequence
from functools import lru_cache

import streamlit as st

from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import recordings as words
from storage.accounts import users
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.job_messages import texts_of
from storage.domain.model_names import display_name
from storage.domain.records import Job, Options, SpanResult, SpanRow, Transcript, from_json
from storage.ledger import audit

MAX_ROWS = 500
USUAL = Options()


def show(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> None:
    """Show how the recording was transcribed: a summary, and all details on demand."""
    st.header(words.HOW_HEARD, anchor=False)
    _list(_short(job, spans, transcript))
    with st.expander(words.EVERYTHING):
        _list(_long(job, spans, transcript))
        if job.metadata:
            st.subheader(words.METADATA, anchor=False)
            _list(job.metadata)
        if spans:
            st.html(_parts(spans))


def _short(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> dict[str, str | None]:
    heard = [span for span in spans if span.result]
    reused = sum(span.reused for span in heard)
    engine_s = sum(span.engine_s or 0.0 for span in heard if not span.reused)
    fresh_s = sum(span.end_s - span.start_s for span in heard if not span.reused)
    took = (job.finished_at - job.created_at).total_seconds() if job.finished_at else None
    return {
        words.MODEL: _model(job),
        words.LANGUAGE: _language(transcript),
        words.SPEECH: _speech(job),
        words.PARTS: words.parts(len(spans), reused),
        words.LISTENING_TOOK: words.took(formatting.span(engine_s), fresh_s / engine_s) if engine_s else None,
        words.UPLOAD_TO_TEXT: formatting.span(took) if took is not None else None,
        words.MACHINE: ", ".join(sorted({span.worker for span in heard if span.worker})),
        words.ASKED_FOR: asked_for(job.options),
        words.ATTEMPTS: str(job.attempt) if job.attempt > 1 else None,
        words.GIVEN_UP: "; ".join(texts_of(job.given_up)),
    }


def _model(job: Job) -> str | None:
    return display_name(job.model) if job.model else None


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
            f"{formatting.language(one.language)} {100 * one.probability:.0f}%" for one in others
        ),
        words.ENGINE_SETTINGS: settings_of(job.options),
        words.TRANSCRIPT: words.version(transcript.version) if transcript else None,
        words.FINGERPRINT: job.fingerprint,
        words.SHA256: job.media_sha256,
        words.ID: job.id,
    }


def _device(heard: SpanResult) -> str:
    used = [heard.device, heard.compute_type]
    if heard.batch_size:  # results from before this field was stored do not have it
        used += [words.threads(heard.cpu_threads), words.windows(heard.batch_size)]
    return ", ".join(used)


def asked_for(options: Options) -> str:
    """Return the options that differ from the defaults, in words."""
    told = [
        words.TRANSLATED if options.task == "translate" else "",
        words.vocabulary(options.hotwords) if options.hotwords else "",
        words.WITH_PROMPT if options.prompt else "",
        words.audio_track(options.audio_track + 1) if options.audio_track is not None else "",
    ]
    return ", ".join(one for one in told if one)


def settings_of(options: Options) -> str:
    """Return the engine's settings in words."""
    return words.engine_settings(
        display_name(options.model),
        options.language,
        options.beam_size,
        options.temperature,
        word_times=options.word_timestamps,
    )


def _uploader(job: Job) -> str:
    """Return who uploaded the recording, who may not be its owner."""
    rows = db.look(audit.page, subject=job.id, action="job.accept", limit=1)
    name = rows[0].actor if rows else f"user:{job.owner_id}"
    people: dict[str, str] = {}
    kind, _, ident = name.partition(":")
    if kind == "user":
        try:
            people[ident] = db.look(users.get, ident).name
        except NotFound:
            people = {}
    return formatting.actor(name, people)


def _one_hearing(result: str | None) -> SpanResult | None:
    """Return a stored result, or None if it is gone or unavailable."""
    if result is None:
        return None
    try:
        return _hearing(result)
    except (TranscriberError, ValueError):
        return None


@lru_cache(maxsize=256)
def _hearing(result: str) -> SpanResult:
    return from_json(SpanResult, context.files().read(result))


def _took(span: SpanRow) -> str:
    if span.reused:
        return words.KNOWN
    return "–" if span.engine_s is None else formatting.span(span.engine_s)


def _parts(spans: Sequence[SpanRow]) -> str:
    """Return a table of the spans: place, worker and speed."""
    rows = "".join(
        f"<tr><td>{span.index + 1}</td><td>{formatting.length(span.start_s)}–{formatting.length(span.end_s)}</td>"
        f"<td>{_took(span)}</td>"
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
    return words.language_sure(formatting.language(transcript.language), transcript.language_probability)


def _speech(job: Job) -> str | None:
    return words.part_of(formatting.length(job.speech_s), formatting.length(job.duration_s)) if job.speech_s else None


def _list(facts: Mapping[str, str | None]) -> None:
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(fact)}</dd>" for name, fact in facts.items() if fact)
    st.html(f'<dl class="facts">{rows}</dl>')
