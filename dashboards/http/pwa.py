"""The installable app: head tags, manifest, icons, service worker, offline page, share target.

Streamlit cannot add tags to its page, so a middleware replaces the title tag that it ships.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards import strings
from dashboards.http.access_middleware import COOKIE
from dashboards.http.conditional import IMMUTABLE
from dashboards.runtime.site_paths import site_path
from storage.domain import translation
from storage.domain.errors import NotFound

HERE = Path(__file__).parents[1]
SHELL = HERE / "static" / "shell"
FONT = next((HERE / "static" / "fonts").glob("TranscriberSans.*.woff2"))
ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512"}
MASKABLE = {"maskable-192.png": "192x192", "maskable-512.png": "512x512"}
ASSETS: dict[str, Path] = {
    "app.css": HERE / "components" / "shared" / "app.css",
    "mark.svg": HERE / "components" / "shared" / "mark.svg",
    "unsent_store.js": HERE / "components" / "uploader" / "unsent_store.js",
    "shell.js": SHELL / "shell.js",
    **{name: SHELL / "icons" / name for name in (*ICONS, *MASKABLE, "apple-touch-icon.png")},
    f"fonts/{FONT.name}": FONT,
}
HTML_TAG = b'<html lang="en"'
FONT_OF_STREAMLIT = re.compile(rb'<link\s+rel="preload"[^>]*\.woff2"[^>]*/>')
TITLE = re.compile(rb"<title>.*?</title>", re.DOTALL)
CALM = """
      .stApp:not(:has([data-testid="stSidebar"], .st-key-gate)) div:has(> .stMain) {
        visibility: hidden; animation: calm 0s 5s forwards;
      }
      @keyframes calm { to { visibility: visible; } }
      .no-websocket {
        position: fixed; z-index: 1000000; inset: 20vh auto auto 50%; transform: translateX(-50%);
        box-sizing: border-box; width: min(34rem, calc(100vw - 2rem)); padding: 1.2rem 1.4rem; border-radius: 12px;
        border: 2px solid #b45309; background: #fff; color: #1b2422; font: 16px/1.5 system-ui, sans-serif;
      }
      .no-websocket p { margin: .5rem 0 0; }
      @media (prefers-color-scheme: dark) { .no-websocket { background: #101514; color: #e6ecea; } }
    """
"""Nothing is shown before the sidebar has its place, and so nothing moves when it comes; the log-in has none."""
SIDEBAR = """
      @media (min-width: 769px) {
        .stApp:not(:has([data-testid="stSidebar"], .st-key-gate)) div:has(> .stMain) { margin-left: 281px; }
      }
    """
"""The sidebar's place is kept for those who have a session."""
HEAD = """<title>{app}</title>
    <link rel="preload" href="{site}/assets/fonts/{font}" as="font" type="font/woff2" crossorigin />
    <link rel="manifest" href="{site}/manifest.webmanifest" crossorigin="use-credentials" />
    <link rel="apple-touch-icon" href="{site}/assets/apple-touch-icon.png" />
    <meta name="theme-color" content="#ffffff" media="(prefers-color-scheme: light)" />
    <meta name="theme-color" content="#101514" media="(prefers-color-scheme: dark)" />
    <meta name="description" content="{about}" />
    <style>{calm}</style>
    <template class="about-websocket">
      <div class="no-websocket" role="alert"><b>{no_websocket[title]}</b><p>{no_websocket[words]}</p></div>
    </template>
    <script type="module" src="{site}/assets/shell.js"></script>"""
FOOT = """<link rel="stylesheet" href="{site}/assets/app.css" /></body>"""
"""Behind Streamlit's own styles, so that ours win; a style that comes with the first script run moves everything."""
ROOT = b'<div id="root">'
FRESH = {"Cache-Control": "no-cache"}


@cache
def head_of(site: str, language: str, *, has_session: bool) -> bytes:
    """Return the tags for the page of an app at this path, in a language."""
    with translation.speaking(language):
        words = {"about": strings.ABOUT, "no_websocket": strings.NO_WEBSOCKET}
    return HEAD.format(app=strings.APP, site=site, font=FONT.name, calm=CALM + SIDEBAR * has_session, **words).encode()


@cache
def manifest_of(site: str, language: str) -> dict[str, Any]:
    """Return the manifest of an app at this path, in a language."""
    with translation.speaking(language):
        about, upload = strings.ABOUT, strings.UPLOAD_SHORTCUT
    return {
        "id": f"{site}/",
        "name": strings.APP,
        "short_name": "Transcriber",
        "description": about,
        "start_url": f"{site}/",
        "scope": f"{site}/",
        "display": "standalone",
        "lang": language,
        "categories": ["productivity", "utilities"],
        "background_color": "#101514",
        "theme_color": "#0f6b5c",
        "icons": [
            *({"src": f"{site}/assets/{name}", "sizes": size, "type": "image/png"} for name, size in ICONS.items()),
            *(
                {"src": f"{site}/assets/{name}", "sizes": size, "type": "image/png", "purpose": "maskable"}
                for name, size in MASKABLE.items()
            ),
            {"src": f"{site}/assets/mark.svg", "sizes": "any", "type": "image/svg+xml"},
        ],
        "shortcuts": [{"name": upload, "url": f"{site}/upload"}],
        "share_target": {
            "action": f"{site}/share",
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {"files": [{"name": "recordings", "accept": ["audio/*", "video/*"]}]},
        },
    }


class Shell:
    """Middleware that adds tags to Streamlit's empty page and passes everything else through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or not _asks_for_a_page(scope):
            await self.app(scope, receive, send)
            return
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in _CONDITIONS]
        held: list[Message] = []

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_html(message):
                held.append(message)
            elif held and message["type"] == "http.response.body":
                held.append(message)
                if not message.get("more_body", False):
                    await _send_dressed(held, send, scope)
            else:
                await send(message)

        await self.app(scope, receive, dressed)


_CONDITIONS = {b"if-none-match", b"if-modified-since", b"range", b"accept-encoding"}


def _asks_for_a_page(scope: Scope) -> bool:
    """Return whether a browser navigates to a page; other requests are not buffered."""
    return bool(scope.get("open")) and "text/html" in Headers(scope=scope).get("accept", "")


def _is_html(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")


async def _send_dressed(held: list[Message], send: Send, scope: Scope) -> None:
    start, *bodies = held
    page = b"".join(body.get("body", b"") for body in bodies)
    headers = MutableHeaders(scope=start)
    if ROOT in page:
        language, has_session = _asked_for(scope), f"{COOKIE}=" in Headers(scope=scope).get("cookie", "")
        page = FONT_OF_STREAMLIT.sub(b"", page)
        page = TITLE.sub(lambda _: head_of(site_path(""), language, has_session=has_session), page, count=1)
        page = page.replace(b"</body>", FOOT.format(site=site_path("")).encode(), 1)
        page = page.replace(HTML_TAG, HTML_TAG.replace(b"en", language.encode()), 1)
        headers.add_vary_header("Accept-Language")
    for name in ("content-length", "etag", "last-modified"):
        del headers[name]
    if scope["method"] == "GET":
        headers["Content-Length"] = str(len(page))
    await send(start)
    await send({"type": "http.response.body", "body": page})


def _asked_for(scope: Scope) -> str:
    return translation.wanted(Headers(scope=scope).get("accept-language"))


async def manifest(request: Request) -> Response:
    """Describe the app to devices that install it."""
    return JSONResponse(manifest_of(site_path(""), _asked_for(request.scope)), media_type="application/manifest+json")


async def service_worker(_: Request) -> Response:
    """Return the service worker's script."""
    return FileResponse(SHELL / "sw.js", media_type="text/javascript", headers=FRESH)


async def offline(request: Request) -> Response:
    """Return the page that the service worker shows while the server is unreachable."""
    page = (SHELL / "offline.html").read_text(encoding="utf-8")
    language = _asked_for(request.scope)
    with translation.speaking(language):
        values = {"site": site_path(""), "language": language, "app": strings.APP, **strings.OFFLINE}
    return HTMLResponse(re.sub(r"\{(\w+)\}", lambda place: values[place[1]], page), headers=FRESH)


async def asset(request: Request) -> Response:
    """Return an icon, script or style of the app; the same for everybody.

    Raises:
        NotFound: there is none of this name.
    """
    name = request.path_params["name"]
    if name not in ASSETS or not os.path.isfile(ASSETS[name]):  # noqa: ASYNC240, PTH113 - a stat of our own file
        raise NotFound("file", name)
    kinds = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css", ".woff2": "font/woff2"}
    headers = IMMUTABLE if ASSETS[name] == FONT else FRESH
    return FileResponse(ASSETS[name], media_type=kinds.get(ASSETS[name].suffix), headers=headers)


async def share(_: Request) -> Response:
    """Respond to a shared file that arrives before the service worker is active.

    The browser sends no login with it, so nothing is accepted; the page asks to share again.
    """
    return RedirectResponse("/upload?shared=missed", status_code=303, headers={"Connection": "close"})


ROUTES = [
    Route("/manifest.webmanifest", manifest),
    Route("/sw.js", service_worker),
    Route("/offline", offline),
    Route("/assets/{name:path}", asset),
    Route("/share", share, methods=["POST"]),
]
