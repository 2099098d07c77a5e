"""Where a transcript comes from: who listened, with what, on which machine, how long, and under which names."""

import html
from collections.abc import Mapping, Sequence
from functools import lru_cache

import streamlit as st

from dashboards import context, present, viewer
from storage import audit, users
from storage.errors import NotFound, TranscriberError
from storage.records import Heard, Job, Options, SpanRow, Transcript, from_json

MAX_ROWS = 500
USUAL = Options()


def show(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> None:
    """Say what heard the recording in a few lines, and the rest on demand."""
    st.subheader("How it was heard", anchor=False)
    _list(_short(job, spans, transcript))
    with st.expander("Everything about it"):
        _list(_long(job, spans, transcript))
        if spans:
            st.html(_parts(spans))


def _short(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> dict[str, str | None]:
    heard = [span for span in spans if span.result]
    reused = sum(span.reused for span in heard)
    engine_s = sum(span.engine_s or 0.0 for span in heard if not span.reused)
    fresh_s = sum(span.end_s - span.start_s for span in heard if not span.reused)
    speed = f", {fresh_s / engine_s:.1f}× real time" if engine_s else ""
    took = (job.finished_at - job.created_at).total_seconds() if job.finished_at else None
    return {
        "Model": "demo (built in)" if job.model == present.DEMO_MODEL else job.model,
        "Language": _language(transcript),
        "Speech": f"{present.length(job.speech_s)} of {present.length(job.duration_s)}" if job.speech_s else None,
        "Parts": f"{len(spans)}" + (f", {reused} known already" if reused else ""),
        "Listening took": present.span(engine_s) + speed if engine_s else None,
        "From upload to text": present.span(took) if took is not None else None,
        "Machine": ", ".join(sorted({span.worker for span in heard if span.worker})),
        "Asked for": asked_for(job.options),
        "Attempts": str(job.attempt) if job.attempt > 1 else None,
        "Given up": "; ".join(job.given_up),
    }


def _long(job: Job, spans: Sequence[SpanRow], transcript: Transcript | None) -> dict[str, str | None]:
    heard = _one_hearing(next((span.result for span in spans if span.result), None))
    others = transcript.other_languages if transcript else ()
    return {
        "Uploaded by": _uploader(job),
        "Uploaded": f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "Begun": f"{job.started_at:%Y-%m-%d %H:%M:%S} UTC" if job.started_at else None,
        "Finished": f"{job.finished_at:%Y-%m-%d %H:%M:%S} UTC" if job.finished_at else None,
        "Way": job.lane.value,
        "Engine": transcript.engine if transcript else None,
        "Device": _device(heard) if heard else None,
        "Also possible": ", ".join(f"{present.language(one.language)} {100 * one.probability:.0f}%" for one in others),
        "Settings": settings_of(job.options),
        "Transcript": f"version {transcript.version}" if transcript else None,
        "Model's fingerprint": job.fingerprint,
        "Recording's SHA-256": job.media_sha256,
        "Id": job.id,
    }


def _device(heard: Heard) -> str:
    used = [heard.device, heard.compute_type]
    if heard.batch_size:  # what was heard before this was kept does not say
        used += [f"{heard.cpu_threads} threads", f"{heard.batch_size} windows together"]
    return ", ".join(used)


def asked_for(options: Options) -> str:
    """Return the options that differ from the usual, in words."""
    words = [
        "translated into English" if options.task == "translate" else "",
        f"vocabulary: {options.hotwords}" if options.hotwords else "",
        "with a prompt" if options.prompt else "",
        f"audio track {options.audio_track + 1}" if options.audio_track else "",
    ]
    return ", ".join(word for word in words if word)


def settings_of(options: Options) -> str:
    """Return how the engine was told to listen."""
    words = [
        f"model {options.model}",
        f"language {options.language or 'detected'}",
        f"beam {options.beam_size}",
        f"temperature {options.temperature:g}",
        "word times" if options.word_timestamps else "no word times",
    ]
    return ", ".join(words)


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
        f"<td>{'known' if span.reused else present.span(span.engine_s) if span.engine_s is not None else '–'}</td>"
        f"<td>{html.escape(span.worker or '–')}</td></tr>"
        for span in spans[:MAX_ROWS]
    )
    more = f"<tr><td colspan=4>and {len(spans) - MAX_ROWS} more</td></tr>" if len(spans) > MAX_ROWS else ""
    head = "<tr><th>Part</th><th>From–to</th><th>Took</th><th>Machine</th></tr>"
    return f'<div class="parts" tabindex="0" role="region" aria-label="Parts"><table>{head}{rows}{more}</table></div>'


def _language(transcript: Transcript | None) -> str | None:
    if transcript is None:
        return None
    sure = transcript.language_probability
    return present.language(transcript.language) + (f" ({100 * sure:.0f}% sure)" if sure else "")


def _list(facts: Mapping[str, str | None]) -> None:
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(words)}</dd>" for name, words in facts.items() if words
    )
    st.html(f'<dl class="facts">{rows}</dl>')
