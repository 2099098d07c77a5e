"""What the workers say of themselves every few seconds."""

import streamlit as st

from dashboards import context, present, strings, viewer
from dashboards.strings import admin as words
from storage.clock import utc_now
from storage.heartbeats import ModelState, WorkerBeat

EVERY_S = 5.0


@st.fragment(run_every=EVERY_S)
def listing() -> None:
    """Show every worker that is alive: place, load, models."""
    viewer.required_admin()
    now = utc_now()
    alive = sorted(context.workers().alive(now), key=lambda beat: (beat.pool, beat.host, beat.name))
    if not alive:
        st.warning(strings.NO_WORKER_ADMIN, icon=":material/hourglass_disabled:")
        return
    busy, slots = sum(beat.busy for beat in alive), sum(beat.slots for beat in alive)
    hosts = len({beat.host for beat in alive})
    figures = (
        (words.WORKERS, str(len(alive))),
        (words.MACHINES, str(hosts)),
        (words.SLOTS_BUSY, words.out_of(busy, slots)),
    )
    for column, (name, value) in zip(st.columns(3), figures, strict=True):
        column.metric(name, value, border=True)
    for beat in alive:
        _worker(beat)


def _worker(beat: WorkerBeat) -> None:
    with st.container(border=True, key=f"worker-{beat.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{viewer.plain(beat.name)}**", width="content")
            st.badge(words.pool(beat.pool), color="violet" if beat.pool == "gpu" else "gray")
            st.badge(words.WORKING if beat.busy else words.IDLE, color="blue" if beat.busy else "green")
        said = max(0.0, (utc_now() - beat.sent_at).total_seconds())
        does = words.WORKER_DOES.get(beat.pool, "")
        st.caption(words.worker(does, viewer.plain(beat.host), beat.device, beat.pid, said))
        if beat.slots:
            st.progress(min(1.0, beat.busy / beat.slots), text=words.slots_busy(beat.busy, beat.slots))
        for model in beat.models:
            _model(model)
        if beat.versions:
            st.caption(" · ".join(f"{viewer.plain(name)} {version}" for name, version in sorted(beat.versions.items())))


def _model(model: ModelState) -> None:
    name = words.model(viewer.plain(model.name))
    if model.state == "downloading":
        st.progress(model.progress or 0.0, text=f"{name}: {words.DOWNLOADING}")
    elif model.state == "failed":
        st.error(f"{name}: {viewer.plain(present.sentence(model.warning or words.NOT_LOADED))}")
    else:
        st.markdown(f":green[:material/check_circle:] {name}")
        if model.warning:
            st.caption(viewer.plain(present.sentence(model.warning)))
