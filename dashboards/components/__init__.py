"""The app's Streamlit components: a folder of HTML, CSS and JavaScript for each.

Each function below mounts one component. Its data is declared in `contracts.py`; browsers load its JavaScript as
modules, see `modules.py`. Two libraries are in `vendor/` with their licences: tus-js-client 4.3.1, and the SHA-256 part
of @noble/hashes 2.4.0.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboards import strings
from dashboards.components.contracts import (
    CueSettings,
    DockData,
    DownloadFile,
    DownloadsData,
    JobListData,
    LiveData,
    LoginData,
    PlayerData,
    SearchData,
    SessionData,
    UploaderData,
)
from dashboards.components.modules import loader_of
from dashboards.strings import player as player_words

HERE = Path(__file__).parent
SVG_MARK = HERE / "shared" / "mark.svg"
BASE_STYLE = HERE / "shared" / "base.css"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _component(name: str, *, isolate: bool = True) -> Any:
    """Register the component of the folder `name`, with the style that all share.

    Its data is passed in a list and unpacked before its script sees it: Streamlit searches a mapping for data frames
    and imports pandas for that, which delayed the first page after a start by seconds.
    """
    files = HERE / name / name
    mount = st.components.v2.component(
        f"transcriber_{name}",
        html=_text(files.with_suffix(".html")) or None,
        css=f"{_text(BASE_STYLE)}\n{_text(files.with_suffix('.css'))}",
        js=loader_of(name),
        isolate_styles=isolate,
    )

    def mounted(*, data: Mapping[str, Any], text: Mapping[str, Any] | None = None, **more: Any) -> Any:
        return mount(data=[data if text is None else {**data, "text": text}], **more)

    return mounted


_login = _component("login", isolate=False)  # in the page itself, where password managers look
_dock = _component("dock")
_session = _component("session")
_live = _component("live")
_uploader = _component("uploader")
_job_list = _component("job_list")
_player = _component("player")
_downloads = _component("downloads")
_search = _component("search")


def _telling(key: str, trigger: str, listener: Callable[[Any], None]) -> Callable[[], None]:
    """Return a callback that forwards a trigger's value, unless its page was left meanwhile."""

    def tell() -> None:
        mounted = st.session_state.get(key)
        if mounted is not None:
            listener(mounted[trigger])

    return tell


def mark() -> None:
    """Show the app's mark, hidden from screen readers."""
    st.html(f'<div class="mark" aria-hidden="true">{SVG_MARK.read_text(encoding="utf-8")}</div>', width="content")


def login(
    action: str,
    *,
    fields: Sequence[Mapping[str, str]],
    text: Mapping[str, str],
    leave_to: str | None = None,
    provider: str | None = None,
) -> None:
    """Mount a form for login or registration; `provider` labels the OpenID button."""
    data: LoginData = {"action": action, "fields": list(fields), "leave_to": leave_to, "provider": provider}
    _login(key=f"login{action.replace('/', '-')}", data=data, text=text)


def dock(facts: SessionData, *, name: str, role: str) -> bool:
    """Mount the footer of the sidebar; return whether the uploads in progress were requested."""
    data: DockData = {
        "everybody": facts["everybody"],
        "events_seen": facts["events_seen"],
        "name": name,
        "role": role,
        "run": time.time_ns(),
    }
    result = _dock(
        key="dock", data=data, text=strings.DOCK, on_open_uploads_change=lambda: None, on_woken_change=lambda: None
    )
    return bool(result.open_uploads)


def session(data: SessionData) -> str | None:
    """Mount session warnings and notifications; return the job to open."""
    result = _session(key="session", data=data, text=strings.SESSION, on_opened_change=lambda: None)
    return result.opened if isinstance(result.opened, str) else None


def live(*, key: str, owner: str | None = None, job: str | None = None, everybody: bool = False) -> None:
    """Rerun the surrounding fragment when a job changes: one job, one owner's, or all visible."""
    data: LiveData = {"owner": owner, "job": job, "everybody": everybody}
    _live(key=key, data=data, on_changed_change=lambda: None)


def uploader(data: UploaderData, *, text: Mapping[str, str], on_uploaded: Callable[[list[str]], None]) -> str | None:
    """Mount the drop zone; return the job to open.

    `on_uploaded` receives the ids of new jobs.
    """
    result = _uploader(
        key="uploader",
        data=data,
        text=text,
        on_uploaded_change=_telling("uploader", "uploaded", lambda ids: on_uploaded([str(one) for one in ids or ()])),
        on_open_change=lambda: None,
    )
    return result.open if isinstance(result.open, str) else None


def job_list(data: JobListData, *, on_want: Callable[[Any], None], on_bulk: Callable[[Any], None]) -> str | None:
    """Mount filters and live rows; return the id of the clicked job.

    `on_want` receives changes of the address, `on_bulk` the action to perform on which jobs.
    """
    result = _job_list(
        key="rows",
        data=data,
        text=strings.LIST,
        on_open_change=lambda: None,
        on_look_change=lambda: None,
        on_want_change=_telling("rows", "want", on_want),
        on_bulk_change=_telling("rows", "bulk", on_bulk),
    )
    return result.open if isinstance(result.open, str) else None


def player(data: PlayerData, *, key: str) -> None:
    """Mount player and transcript, which fetch their content from our routes."""
    _player(key=key, data=data, text=player_words.PLAYER)


def downloads(files: Sequence[DownloadFile], *, captions: CueSettings, key: str) -> None:
    """Mount the links to a job's files with caption settings, initially the job's own."""
    data: DownloadsData = {"files": list(files), "captions": captions}
    _downloads(key=key, data=data, text=strings.DOWNLOADS)


def search(data: SearchData, *, on_ask: Callable[[Any], None]) -> dict[str, str] | None:
    """Mount search box and results; return the moment to open. `on_ask` receives the query."""
    result = _search(
        key="search",
        data=data,
        text=strings.SEARCH,
        on_ask_change=_telling("search", "ask", on_ask),
        on_open_change=lambda: None,
        on_again_change=lambda: None,
    )
    if not isinstance(result.open, dict):
        return None
    moment = {} if result.open.get("t") is None else {"t": str(result.open["t"])}
    return {"id": str(result.open.get("id", ""))} | moment
