"""The live workers, according to their heartbeats."""

import streamlit as st

from dashboards import strings
from dashboards.pages import platform_notice, viewer
from dashboards.pages.admin import worker_token_list
from dashboards.presenters import formatting
from dashboards.runtime import context
from dashboards.strings import admin as words
from storage.domain.clock import utc_now
from storage.domain.model_names import display_name
from storage.remote.worker_registry import ModelState, WorkerBeat

EVERY_S = 2.0


@st.fragment(run_every=EVERY_S)
def listing() -> None:
    """Show every live worker: host, load, models."""
    platform_notice.show(viewer.required_admin())
    alive = sorted(context.workers().alive(utc_now()), key=lambda beat: (beat.pool, beat.host, beat.name))
    if not alive:
        return
    busy, slots = sum(beat.busy for beat in alive), sum(beat.slots for beat in alive)
    hosts = len({beat.host for beat in alive})
    figures = (
        (words.WORKERS, str(len(alive))),
        (words.MACHINES, str(hosts)),
        (words.SLOTS_BUSY, words.out_of(busy, slots)),
    )
    with st.container(key="tiles-workers"):
        for column, (name, value) in zip(st.columns(3), figures, strict=True):
            column.metric(name, value, border=True)
    for beat in alive:
        _worker(beat)


def _worker(beat: WorkerBeat) -> None:
    with st.container(border=True, key=f"worker-{beat.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{viewer.plain(beat.name)}**", width="content")
            st.badge(words.pool(beat.pool), color="violet" if beat.pool == "gpu" else "gray")
            if beat.draining:
                st.badge(words.DRAINING, icon=":material/logout:", color="orange")
            else:
                st.badge(words.WORKING if beat.busy else words.IDLE, color="blue" if beat.busy else "green")
        now = utc_now()
        said = (now - (context.workers().heard_at(beat.name) or now)).total_seconds()
        does = words.WORKER_DOES.get(beat.pool, "")
        st.caption(words.worker(does, viewer.plain(beat.host), beat.device, beat.pid, said))
        if beat.slots:
            st.progress(min(1.0, beat.busy / beat.slots), text=words.slots_busy(beat.busy, beat.slots))
        if measured := _measured(beat):
            st.caption(" · ".join(measured))
        _models(beat)
        if beat.versions:
            st.caption(" · ".join(f"{viewer.plain(name)} {version}" for name, version in sorted(beat.versions.items())))


def _measured(beat: WorkerBeat) -> list[str]:
    """Return what a worker that transcribes says of its speed and its device."""
    found = []
    if beat.spans_per_minute is not None and beat.speech_per_s is not None:
        found.append(words.worker_speed(beat.spans_per_minute, beat.speech_per_s))
    if beat.free_bytes is not None:
        found.append(words.memory_free(formatting.size(beat.free_bytes)))
    return found


def _models(beat: WorkerBeat) -> None:
    """Show the default model, then the others on the machine."""
    used = beat.default_model
    if used:
        _model(used, words.uses(viewer.plain(display_name(used.name))))
    others = [model for model in beat.models if used is None or model.name != used.name]
    for model in others:
        if model.state != "ready":
            _model(model, words.model(viewer.plain(display_name(model.name))))
    if installed := [viewer.plain(display_name(model.name)) for model in others if model.state == "ready"]:
        st.caption(words.also_installed(installed))


def _model(model: ModelState, name: str) -> None:
    if model.state == "downloading":
        st.progress(model.progress or 0.0, text=f"{name}: {words.DOWNLOADING}")
    elif model.state == "failed":
        st.error(f"{name}: {viewer.plain(formatting.sentence(model.warning or words.NOT_LOADED))}")
    else:
        st.markdown(f":green[:material/check_circle:] {name}")
        if model.warning:
            st.caption(viewer.plain(formatting.sentence(model.warning)))


def page() -> None:
    """Show workers and models, for administrators."""
    viewer.required_admin()
    st.title(strings.PAGE["machines"], anchor=False)
    listing()
    worker_token_list.panel()
