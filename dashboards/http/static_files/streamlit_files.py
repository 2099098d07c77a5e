"""Streamlit's scripts, styles and fonts, which it would send uncompressed.

Their names hold hashes, so browsers keep them forever. The font of the icons is 16% of Streamlit's, see
static/fonts/README.txt; it may get more icons under the same name, so browsers ask whether it has changed.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import streamlit
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.http.conditional import IMMUTABLE
from dashboards.http.route_methods import SHELL
from dashboards.http.static_files.compressed_copies import VARY, CompressedCopies

FILES = Path(streamlit.__file__).parent / "static" / "static"
FONTS = Path(__file__).parents[2] / "static" / "fonts"
IN_PLACE = {f"media/{font.name}": font for font in FONTS.glob("MaterialSymbols-*.woff2")}
MODULE = IMMUTABLE | {"Content-Type": "text/javascript; charset=utf-8"}
COMPRESSED = {".js", ".css", ".svg", ".wasm", ".map", ".json"}


class StreamlitFiles(StaticFiles):
    """Streamlit's folder of files with hashed names."""

    def __init__(self) -> None:
        super().__init__(directory=FILES, follow_symlink=True)
        self.copies = CompressedCopies()

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the file to send, and what is known of it."""
        if path in IN_PLACE:
            return str(IN_PLACE[path]), IN_PLACE[path].stat()
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, compressed where the browser takes it."""
        response = await super().get_response(path, scope)
        response.headers.update({"Cache-Control": "no-cache"} if path in IN_PLACE else IMMUTABLE)
        if Path(path).suffix not in COMPRESSED:
            return response
        response.headers.update(VARY)
        if not isinstance(response, FileResponse):
            return response
        headers = {name: response.headers[name] for name in ("Content-Type", "Cache-Control", "ETag", "Last-Modified")}
        file = Path(response.path)
        return await self.copies.response(scope, path, file.read_bytes, headers) or response


class StaticFirst:
    """Middleware that sends these files, and our modules compressed, before any route is looked at.

    Streamlit reserves its path against routes, and compresses what ours send at each request.
    """

    def __init__(self, app: ASGIApp, modules: Mapping[str, bytes], below: str) -> None:
        self.app, self.modules, self.below = app, modules, below
        self.copies = CompressedCopies()
        self.files = StreamlitFiles()
        self.mount = Mount("/static", self.files, name=SHELL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
            response = await self._compressed_module(scope) or await self._file(scope)
            if response:
                scope["route"] = self.mount
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _compressed_module(self, scope: Scope) -> Response | None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        name = path.removeprefix(self.below)
        if name == path or name not in self.modules:
            return None
        return await self.copies.response(scope, name, lambda: self.modules[name], MODULE)

    async def _file(self, scope: Scope) -> Response | None:
        match, inside = self.mount.matches(scope)
        if match is not Match.FULL:
            return None
        inner = {**scope, **inside}
        try:
            return await self.files.get_response(self.files.get_path(inner), inner)
        except HTTPException:  # what is not there is for Streamlit to answer
            return None
