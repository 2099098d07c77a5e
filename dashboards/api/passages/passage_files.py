"""Answers that browsers save as a file."""

from urllib.parse import quote

from starlette.responses import Response

MEDIA_TYPES = {
    "md": "text/markdown; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json; charset=utf-8",
}


def answer(text: str | bytes, stem: str, fmt: str) -> Response:
    """Return a file to download, named after the recording."""
    named = f"attachment; filename*=UTF-8''{quote(f'{stem}.{fmt}', safe='')}"
    return Response(text, media_type=MEDIA_TYPES[fmt], headers={"Content-Disposition": named})
