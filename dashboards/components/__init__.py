"""The app's own components: HTML, CSS and JavaScript in files beside this one, mounted by Streamlit.

Their code goes inline, so that it works wherever the package is installed; only the upload client is a
library (tus-js-client 4.3.1, in `vendor/` with its licence). Each function below mounts one component.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboards import strings

HERE = Path(__file__).parent
SVG_MARK = HERE / "mark.svg"
STYLE = HERE / "app.css"
EXPORT, DRAW = "export default ", "const wtDraw = "
UNWRAP = "\nexport default (mounted) => wtDraw({ ...mounted, data: mounted.data?.[0] });\n"


def _text(name: str) -> str | None:
    path = HERE / name
    return path.read_text(encoding="utf-8") if path.exists() else None


def _component(name: str, *, shared: Sequence[str] = (), isolate: bool = True) -> Any:
    """Register the component whose files are `name`.html, .css and .js, with shared scripts put before its own.

    Its data goes in a list, and is taken out again before its script sees it: Streamlit looks in a mapping for data
    frames, and for that imports pandas, which the first reader after a start waited seconds for.
    """
    script = "\n".join(_text(part) or "" for part in (*shared, f"{name}.js")).replace(EXPORT, DRAW)
    style = f"{_text('base.css')}\n{_text(f'{name}.css') or ''}"
    mount = st.components.v2.component(
        f"transcriber_{name}", html=_text(f"{name}.html"), css=style, js=script + UNWRAP, isolate_styles=isolate
    )

    def mounted(*, data: Mapping[str, Any] | None = None, **more: Any) -> Any:
        return mount(data=None if data is None else [data], **more)

    return mounted


_login = _component("login", isolate=False)  # in the page itself, where password managers look
_dock = _component("dock", shared=["events.js"])
_session = _component("session", shared=["events.js"])
_live = _component("live", shared=["events.js"])
_uploads = _component("uploads", shared=["vendor/tus-4.3.1.min.js", "kept.js", "twins.js", "recorder.js"])
_uploader = _component("uploader", shared=["kept.js", "recorder_panel.js"])
_job_list = _component("joblist", shared=["events.js"])
PLAYER_PARTS = ("wave.js", "script.js", "along.js", "finding.js", "editing.js", "panels.js", "cues.js")
_player = _component("player", shared=PLAYER_PARTS)
_downloads = _component("downloads")
_search = _component("search")


def mark() -> None:
    """Show the app's mark, which says nothing to who cannot see it."""
    st.html(f'<div class="mark" aria-hidden="true">{SVG_MARK.read_text(encoding="utf-8")}</div>', width="content")


def login(
    action: str,
    *,
    fields: Sequence[Mapping[str, Any]],
    text: Mapping[str, str],
    leave_to: str | None = None,
    provider: str | None = None,
) -> None:
    """Mount a form that posts to one of the ways in; `provider` is what the button to an OpenID provider says."""
    data = {"action": action, "fields": list(fields), "text": dict(text), "leave_to": leave_to, "provider": provider}
    _login(key=f"login{action.replace('/', '-')}", data=data)


def dock(facts: Mapping[str, Any], *, name: str, role: str) -> bool:
    """Mount the foot of the sidebar; return whether the reader asked for the uploads in progress."""
    listening = {"everybody": facts["everybody"], "heard": facts["heard"]}
    data = listening | {"name": name, "role": role, "run": time.time_ns(), "text": strings.DOCK}
    result = _dock(key="dock", data=data, on_open_uploads_change=lambda: None, on_woken_change=lambda: None)
    return bool(result.open_uploads)


def session(data: Mapping[str, Any]) -> str | None:
    """Mount what warns before the login ends and tells of finished recordings; return the job to open."""
    result = _session(key="session", data=dict(data) | {"text": strings.SESSION}, on_opened_change=lambda: None)
    return result.opened if isinstance(result.opened, str) else None


def live(*, key: str, owner: str | None = None, job: str | None = None, everybody: bool = False) -> None:
    """Run the surrounding fragment again whenever a job changes: one job, one owner's, or all that may be seen."""
    _live(key=key, data={"owner": owner, "job": job, "everybody": everybody}, on_changed_change=lambda: None)


def uploads() -> None:
    """Mount what sends files, once and outside of fragments: it is large, and it outlives the page."""
    _uploads(key="uploads")


def uploader(
    *,
    settings: Mapping[str, Any],
    text: Mapping[str, str],
    jobs: Mapping[str, Any],
    on_uploaded: Callable[[list[str]], None],
) -> str | None:
    """Mount the drop zone; tell `on_uploaded` the ids of new jobs, and return the id of the job to open."""
    result = _uploader(
        key="uploader",
        data={"settings": dict(settings), "text": dict(text), "jobs": dict(jobs)},
        on_uploaded_change=lambda: on_uploaded([str(one) for one in st.session_state["uploader"].uploaded or ()]),
        on_open_change=lambda: None,
    )
    return result.open if isinstance(result.open, str) else None


def job_list(data: Mapping[str, Any], *, on_want: Callable[[Any], None], on_bulk: Callable[[Any], None]) -> str | None:
    """Mount filters and rows, which follow their jobs by themselves; return the id of the job that was clicked.

    `on_want` is told what the address is to say, `on_bulk` what is to be done to which jobs.
    """
    result = _job_list(
        key="rows",
        data=dict(data) | {"text": strings.LIST},
        on_open_change=lambda: None,
        on_look_change=lambda: None,
        on_want_change=lambda: on_want(st.session_state["rows"].want),
        on_bulk_change=lambda: on_bulk(st.session_state["rows"].bulk),
    )
    return result.open if isinstance(result.open, str) else None


def player(data: Mapping[str, Any], *, key: str) -> None:
    """Mount player and transcript; both fetch what they show from our own routes."""
    _player(key=key, data=dict(data) | {"text": strings.PLAYER})


def downloads(files: Sequence[Mapping[str, str]], *, captions: Mapping[str, Any], key: str) -> None:
    """Mount the links to a job's files, and settings for its captions that start from the job's own."""
    _downloads(key=key, data={"files": list(files), "captions": dict(captions), "text": strings.DOWNLOADS})


def search(data: Mapping[str, Any], *, on_ask: Callable[[Any], None]) -> dict[str, str] | None:
    """Mount search box and results; tell `on_ask` the query, and return the address of the moment to open."""
    result = _search(
        key="search",
        data=dict(data) | {"text": strings.SEARCH},
        on_ask_change=lambda: on_ask(st.session_state["search"].ask),
        on_open_change=lambda: None,
        on_again_change=lambda: None,
    )
    if not isinstance(result.open, dict):
        return None
    moment = {} if result.open.get("t") is None else {"t": str(result.open["t"])}
    return {"id": str(result.open.get("id", ""))} | moment
