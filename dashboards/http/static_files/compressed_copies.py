"""Compressed copies of files that never change and hold no secret, by `Accept-Encoding`.

A copy is made when it is first asked for and kept in memory: nothing is compressed at each request, and an
installation may be read-only. There are only as many as there are files, so memory is bounded (6 MB for each coding if
somebody asks for every file of Streamlit).
"""

import asyncio
import gzip
from collections.abc import Callable
from http import HTTPStatus

from backports import zstd
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from dashboards.http import conditional
from dashboards.http.conditional import weights_of

VARY = {"Vary": "Accept-Encoding"}
WORTHWHILE_BYTES = 500
ZSTD_LEVEL = 15
"""Of 2 MB of scripts: 6% smaller than level 6 in 0.15 s; level 19 would save 4% more in four times as long."""
MAKERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstd.compress(body, ZSTD_LEVEL),
    "gzip": lambda body: gzip.compress(body, mtime=0),
}
"""The codings, the better ones first. Browsers ask for more than gzip only over https and of this machine."""


def chosen_coding(accept_encoding: str) -> str | None:
    """Return the coding to answer in, or None (RFC 9110, 12.5.3)."""
    weights = weights_of(accept_encoding)
    everything_else = weights.get("*", 0.0)
    offered = {name: weights.get(name, everything_else) for name in MAKERS}
    best = max(offered, key=offered.__getitem__)  # of equals, the first
    return best if offered[best] > 0 and offered[best] >= weights.get("identity", 0.0) else None


class CompressedCopies:
    """The copies of a set of files, by the file's name and the coding."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], bytes] = {}

    async def response(
        self, scope: Scope, name: str, read: Callable[[], bytes], headers: dict[str, str]
    ) -> Response | None:
        """Return the answer with a compressed copy.

        It is None where the file is to be sent as it is, as for a range. An `ETag` among the headers becomes that of
        the copy.
        """
        asked = Headers(scope=scope)
        coding = chosen_coding(", ".join(asked.getlist("accept-encoding")))
        if coding is None or "range" in asked:
            return None
        copy = await self._copy(name, coding, read)
        if not copy:
            return None
        headers = headers | VARY | {"Content-Encoding": coding, "Content-Length": str(len(copy))}
        if "ETag" in headers:
            headers["ETag"] = f'{headers["ETag"][:-1]}-{coding}"'
            if conditional.fits(asked.get("if-none-match"), headers["ETag"]):
                kept = {key: value for key, value in headers.items() if key in {"ETag", "Cache-Control", "Vary"}}
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
        return Response(b"" if scope["method"] == "HEAD" else copy, headers=headers)

    async def _copy(self, name: str, coding: str, read: Callable[[], bytes]) -> bytes:
        """Return the copy.

        It is empty if it is not worthwhile, and while it is being made for somebody else.
        """
        if (name, coding) not in self._made:
            self._made[name, coding], copy = b"", None
            try:
                copy = await asyncio.to_thread(_compressed, read, coding)
            finally:
                if copy is None:
                    del self._made[name, coding]
            self._made[name, coding] = copy
        return self._made[name, coding]


def _compressed(read: Callable[[], bytes], coding: str) -> bytes:
    body = read()
    copy = MAKERS[coding](body) if len(body) >= WORTHWHILE_BYTES else body
    return copy if len(copy) < 0.9 * len(body) else b""
