"""`/shared/{token}`: one recording for whoever has the link: player, transcript and downloads, and nothing else.

This is the one exception to "nobody is let in by default": a person made the link on purpose. No Streamlit session
is opened; every request shows the token, and looks anew whether it still holds.
"""

import hmac
import html
import json
import tomllib
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards import context, media, player_data, present, strings, transcript_api
from dashboards.components import HERE, PLAYER_PARTS
from storage import jobs, shares, transcripts
from storage.clock import utc_now
from storage.errors import BadRequest, NotFound, NotSignedIn, ShareOver, TooManyTries
from storage.records import ExportFormat, Job
from storage.shares import Share

TEXT = strings.LINK_TO_RECORDING
PREFIX = "/shared/"
COOKIE = "transcriber_share"
HEADERS = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
CONFIG = Path(__file__).parent / ".streamlit" / "config.toml"
OFFERED = (ExportFormat.TXT, ExportFormat.DOCX, ExportFormat.SRT, ExportFormat.VTT)
MAX_FORM_BYTES = 4096
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="/assets/mark.svg">
<link rel="stylesheet" href="/shared/assets/page.css">
</head>
<body>
<header class="top"><img src="/assets/mark.svg" alt="" width="32" height="32"><span>{app}</span></header>
<main class="wt">{body}</main>
{script}
</body>
</html>
"""
SCRIPT = """<script type="application/json" id="data">{data}</script>
<script type="module" src="/shared/assets/page.js"></script>"""


async def page(request: Request) -> Response:
    """Show the recording, or ask for the link's password, or say that the link is over."""
    token = request.path_params["token"]
    try:
        share = await context.read(shares.lookup, token, now=utc_now())
    except ShareOver:
        return _told(TEXT["over"], TEXT["over_help"], HTTPStatus.GONE)
    except NotFound:
        return _told(TEXT["unknown"], TEXT["unknown_help"], HTTPStatus.NOT_FOUND)
    if not _unlocked(request, token, share):
        return _ask_password()
    if request.method == "GET":
        await context.write(shares.opened, share.id)
    job = await context.read(jobs.get, share.job_id)
    return _page(job.name, await _body(token, job, share), await _data(token, job))


async def unlock(request: Request) -> Response:
    """Take the link's password; right, it is remembered in this browser for this link."""
    token = request.path_params["token"]
    share = await context.read(shares.lookup, token, now=utc_now())
    if int(request.headers.get("content-length") or MAX_FORM_BYTES + 1) > MAX_FORM_BYTES:
        raise BadRequest("password", "it is too long")
    async with request.form() as form:
        given = str(form.get("password") or "")
    client = request.client.host if request.client else "unknown"
    try:
        right = await context.read(shares.unlock, share, given, client=client)
    except TooManyTries as error:
        return _ask_password(present.sentence(str(error)), HTTPStatus.TOO_MANY_REQUESTS)
    if not right:
        return _ask_password(TEXT["wrong"], HTTPStatus.FORBIDDEN)
    answer = RedirectResponse(f"{PREFIX}{token}", HTTPStatus.SEE_OTHER, headers=HEADERS)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, shares.grant(token, share), path=f"{PREFIX}{token}", httponly=True, samesite="lax", secure=secure
    )
    return answer


async def transcript(request: Request) -> Response:
    """The transcript as JSON."""
    return await transcript_api.current_transcript(request, await _job(request))


async def recording(request: Request) -> Response:
    """The recording's sound or picture; ranges are served."""
    return await media.source_of(request, await _job(request))


async def peaks(request: Request) -> Response:
    """The recording's waveform."""
    return await media.peaks_of(await _job(request))


async def file(request: Request) -> Response:
    """The transcript as a file, in the job's own form alone, so that strangers cannot have any number of them made."""
    job, fmt = await _job(request), request.path_params["fmt"]
    if fmt not in OFFERED or set(request.query_params) - {"v", "download"}:
        raise NotFound("file", fmt)
    return await media.made_file(request, job, fmt)


async def nothing(request: Request) -> Response:
    """Everything else under /shared, where Streamlit would show its shell."""
    raise NotFound("page", request.url.path)


async def asset(request: Request) -> Response:
    """The page's own script and style."""
    made = {"page.js": (_script, "text/javascript"), "page.css": (_style, "text/css")}
    name = request.path_params["name"]
    if name not in made:
        raise NotFound("asset", name)
    work, kind = made[name]
    return Response(work(), media_type=kind, headers={"Cache-Control": "no-cache"})


async def _job(request: Request) -> Job:
    """Return the recording that the link shows.

    Raises:
        NotFound, ShareOver: the link is none, or over.
        NotSignedIn: its password has not been given.
    """
    token = request.path_params["token"]
    share = await context.read(shares.lookup, token, now=utc_now())
    if not _unlocked(request, token, share):
        raise NotSignedIn("this link has a password")
    return await context.read(jobs.get, share.job_id)


def _unlocked(request: Request, token: str, share: Share) -> bool:
    if share.password_hash is None:
        return True
    return hmac.compare_digest(request.cookies.get(COOKIE, ""), shares.grant(token, share))


async def _data(token: str, job: Job) -> dict[str, Any]:
    head, base = await context.read(transcripts.head, job.id), f"{PREFIX}{token}"
    return player_data.of(job, head, base=base) | {
        "media": f"{base}/recording",
        "peaks": f"{base}/peaks",
        "captions": f"{base}/files/vtt",
        "version": head.version if head else 1,
        "notes": 0,
        "may_edit": False,
        "sheets": ["script"],
        "text": strings.PLAYER,
    }


async def _body(token: str, job: Job, share: Share) -> str:
    facts = [present.length(job.duration_s), present.language(job.language)]
    until = f"{share.expires_at:%-d %b %Y, %H:%M} UTC"
    told = " · ".join(html.escape(fact) for fact in [*facts, TEXT["until"].format(until=until)] if fact)
    links = "".join(
        f'<a class="button small" download href="{PREFIX}{token}/files/{fmt}">'
        f"{fmt.upper()}<span>{html.escape(strings.FORMAT[fmt])}</span></a>"
        for fmt in OFFERED
    )
    player = (HERE / "player.html").read_text(encoding="utf-8")
    title = html.escape(job.name)
    return f'<h1>{title}</h1><p class="muted small facts">{told}</p>{player}<nav class="links">{links}</nav>'


def _page(title: str, body: str, data: dict[str, Any] | None = None, status: int = HTTPStatus.OK) -> Response:
    script = "" if data is None else SCRIPT.format(data=json.dumps(data).replace("<", "\\u003c"))
    text = PAGE.format(title=html.escape(title), app=strings.APP, body=body, script=script)
    return Response(text, status, media_type="text/html", headers=HEADERS)


def _told(title: str, words: str, status: int) -> Response:
    body = f'<div class="alone"><h1>{html.escape(title)}</h1><p>{html.escape(words)}</p></div>'
    return _page(title, body, status=status)


def _ask_password(problem: str = "", status: int = HTTPStatus.OK) -> Response:
    said = f'<p class="problem" role="alert">{html.escape(problem)}</p>' if problem else ""
    words = {name: html.escape(TEXT[name]) for name in ("locked", "locked_help", "password", "open")}
    body = (
        f'<form class="alone" method="post"><h1>{words["locked"]}</h1><p>{words["locked_help"]}</p>{said}'
        f'<label>{words["password"]}<input type="password" name="password" autocomplete="off" required></label>'
        f'<button class="button primary">{words["open"]}</button></form>'
    )
    return _page(TEXT["locked"], body, status=status)


@cache
def _script() -> str:
    parts = [(HERE / name).read_text(encoding="utf-8") for name in (*PLAYER_PARTS, "player.js", "shared.js")]
    return "\n".join(parts)


@cache
def _style() -> str:
    """Return the player's style, with the app's theme in the variables that Streamlit would have set."""
    with CONFIG.open("rb") as file:
        theme = tomllib.load(file)["theme"]
    light, dark = (_variables(theme[name]) for name in ("light", "dark"))
    head = f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    parts = [(HERE / name).read_text(encoding="utf-8") for name in ("base.css", "player.css", "shared.css")]
    return "\n".join([head, *parts])


def _variables(theme: dict[str, Any]) -> str:
    """Return a theme as Streamlit names its colours in CSS: primaryColor is --st-primary-color."""
    found = {}
    for name, value in theme.items():
        if isinstance(value, str):
            css = "".join(f"-{char.lower()}" if char.isupper() else char for char in name)
            found[f"--st-{css}"] = value
    for colour in ("red", "green", "orange", "blue", "gray"):
        found.setdefault(f"--st-{colour}-text-color", f"var(--st-{colour}-color)")
        mixed = f"color-mix(in srgb, var(--st-{colour}-color) 14%, var(--st-background-color))"
        found.setdefault(f"--st-{colour}-background-color", mixed)
    return ";".join(f"{name}:{value}" for name, value in found.items())


ROUTES = [
    Route("/shared/assets/{name}", asset, methods=["GET"]),
    Route("/shared/{token}", page, methods=["GET"]),
    Route("/shared/{token}", unlock, methods=["POST"]),
    Route("/shared/{token}/transcript", transcript, methods=["GET"]),
    Route("/shared/{token}/recording", recording, methods=["GET"]),
    Route("/shared/{token}/peaks", peaks, methods=["GET"]),
    Route("/shared/{token}/files/{fmt}", file, methods=["GET"]),
    Route("/shared/{rest:path}", nothing, methods=["GET"]),
]
