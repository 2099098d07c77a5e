"""`/shared/{token}`: one recording for anyone with the link: player, transcript, downloads.

This is the one exception to access being denied by default: a person created the link on purpose. It opens no Streamlit
session; every request carries the token, which is checked each time.
"""

import hmac
import html
import json
import tomllib
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC
from functools import cache, wraps
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards import strings
from dashboards.api import media, transcript_api
from dashboards.components import BASE_STYLE, HERE
from dashboards.components.contracts import CueSettings, PlayerData
from dashboards.components.modules import needed_by, url_of
from dashboards.http.forwarding import client_address, over_https
from dashboards.http.identity import language_of
from dashboards.http.rate_limits import do_not_count
from dashboards.presenters import formatting, player_data, shared_transcript
from dashboards.runtime import context, db, security_log
from dashboards.runtime.site_paths import site_path
from dashboards.services import playback_copies
from dashboards.services.sharing import PREFIX
from dashboards.strings import player as player_words
from storage.domain import translation
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest, NotFound, NotSignedIn, ShareOver, TooManyTries, TranscriberError
from storage.domain.export_formats import SHARED_FORMATS
from storage.domain.records import CueLimits, Job
from storage.domain.translation import gettext as _
from storage.jobs import job_store, share_links
from storage.jobs.share_links import Share
from storage.transcripts import transcript_store

COOKIE = "transcriber_share"
HEADERS = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}
CONFIG = Path(__file__).parents[1] / "pages" / ".streamlit" / "config.toml"
MAX_FORM_BYTES = 4096
CAPTIONS = "vtt"
"""The page itself reads it."""
ENTRY = "player/shared_page.js"
PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="{site}/assets/mark.svg">
<link rel="stylesheet" href="{site}/shared/assets/page.css">
{preloads}
</head>
<body>
<header class="top"><img src="{site}/assets/mark.svg" alt="" width="32" height="32"><span>{app}</span></header>
<main class="wt">{body}</main>
{script}
</body>
</html>
"""
SCRIPT = """<script type="application/json" id="data">{data}</script>
<script type="module" src="{entry}"></script>"""


def in_their_language(show: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Let a page speak the language that the visitor's browser asks for."""

    @wraps(show)
    async def speaking(request: Request) -> Response:
        with translation.speaking(await language_of(request)):
            return await show(request)

    return speaking


@in_their_language
async def page(request: Request) -> Response:
    """Show the recording, the password form, or that the link has ended."""
    token = request.path_params["token"]
    try:
        share = await db.read(share_links.lookup, token, now=utc_now())
    except ShareOver:
        return _told(strings.LINK_TO_RECORDING["over"], strings.LINK_TO_RECORDING["over_help"], HTTPStatus.GONE)
    except NotFound:
        return _told(
            strings.LINK_TO_RECORDING["unknown"], strings.LINK_TO_RECORDING["unknown_help"], HTTPStatus.NOT_FOUND
        )
    if not _unlocked(request, token, share):
        return _ask_password()
    if request.method == "GET":
        context.current().share_visits.is_new(share.id, client_address(request))
        await db.write(share_links.opened, share, part=share_links.PAGE, client=client_address(request))
    job = await db.read(job_store.get, share.job_id)
    return _page(job.name, await _body(token, job, share), await _data(token, job))


@in_their_language
async def unlock(request: Request) -> Response:
    """Check the link's password, and remember it in this browser for this link."""
    token = request.path_params["token"]
    share = await db.read(share_links.lookup, token, now=utc_now())
    if int(request.headers.get("content-length") or MAX_FORM_BYTES + 1) > MAX_FORM_BYTES:
        raise BadRequest("password", "it is too long")
    async with request.form() as form:
        given = str(form.get("password") or "")
    try:
        right = await db.in_ledger(share_links.unlock, context.ledger(), share, given, client=client_address(request))
    except TooManyTries as error:
        await security_log.login_locked(share.job_id, by="share link")
        return _ask_password(formatting.sentence(str(error)), HTTPStatus.TOO_MANY_REQUESTS)
    if not right:
        await security_log.login_failed(share.job_id, by="share link")
        return _ask_password(strings.LINK_TO_RECORDING["wrong"], HTTPStatus.FORBIDDEN)
    do_not_count(request)
    path = site_path(f"{PREFIX}{token}")
    answer = RedirectResponse(path, HTTPStatus.SEE_OTHER, headers=HEADERS)
    secure = over_https(request)
    answer.set_cookie(COOKIE, share_links.grant(token, share), path=path, httponly=True, samesite="lax", secure=secure)
    return answer


async def transcript(request: Request) -> Response:
    """Return the text as the page shows it, as JSON."""
    job = await _job(request, "transcript")
    found = await db.read(transcript_store.get, job.id)
    if found is None:
        raise NotFound("transcript of job", job.id)
    body = await db.in_thread(shared_transcript.of, found)
    return await transcript_api.packed(request, body, {"Cache-Control": "private, no-store"})


async def recording(request: Request) -> Response:
    """Return the recording's audio or video; ranges are supported."""
    return await media.source_of(request, await _job(request, "recording"))


async def playback(request: Request) -> Response:
    """Return the copy of the recording's sound for browsers that cannot play the source."""
    return await media.copy_of(request, await _job(request, "recording"))


async def peaks(request: Request) -> Response:
    """Return the recording's waveform."""
    return await media.peaks_of(await _job(request, "peaks"))


async def file(request: Request) -> Response:
    """Return the transcript as a file, only in the job's own form."""
    fmt, share = request.path_params["fmt"], await _share(request)
    try:
        if fmt not in SHARED_FORMATS or set(request.query_params) - {"v", "download"}:
            raise NotFound("file", fmt)
        answer = await media.made_file(request, await db.read(job_store.get, share.job_id), fmt)
    except TranscriberError:
        await _record(request, share, "file")
        raise
    is_sent = media.sends_bytes(request, answer)
    is_download = is_sent and (fmt != CAPTIONS or "download" in request.query_params)
    await _record(request, share, f"file {fmt}" if is_sent else "file", is_download=is_download)
    return answer


async def nothing(request: Request) -> Response:
    """Handle everything else under /shared, where Streamlit would serve its page."""
    raise NotFound("page", request.url.path)


async def asset(request: Request) -> Response:
    """Return the page's own style."""
    name = request.path_params["name"]
    if name != "page.css":
        raise NotFound("asset", name)
    return Response(_style(), media_type="text/css", headers={"Cache-Control": "no-cache"})


async def _job(request: Request, part: str) -> Job:
    """Return the recording of the link; record the visit that begins.

    Raises as `_share` does.
    """
    share = await _share(request)
    await _record(request, share, part)
    return await db.read(job_store.get, share.job_id)


async def _share(request: Request) -> Share:
    """Return the share of the link.

    Raises:
        NotFound, ShareOver: the link is unknown, or has ended.
        NotSignedIn: its password has not been entered.
    """
    token = request.path_params["token"]
    share = await db.read(share_links.lookup, token, now=utc_now())
    if not _unlocked(request, token, share):
        raise NotSignedIn("this link has a password")
    return share


async def _record(request: Request, share: Share, part: str, *, is_download: bool = False) -> None:
    """Record the visit or download that begins."""
    visits, client = context.current().share_visits, client_address(request)
    begins, is_first = visits.is_new(share.id, client), is_download and visits.is_new(share.id, client, part)
    if begins or is_first:
        await db.write(share_links.opened, share, part=part, client=client)


def _unlocked(request: Request, token: str, share: Share) -> bool:
    if share.password_hash is None:
        return True
    return hmac.compare_digest(request.cookies.get(COOKIE, ""), share_links.grant(token, share))


async def _data(token: str, job: Job) -> dict[str, Any]:
    head, base = await db.read(transcript_store.head, job.id), site_path(f"{PREFIX}{token}")
    found = await db.in_thread(playback_copies.playback_for, context.files(), job)
    played = player_data.media(job, found, source=f"{base}/recording", copy=f"{base}/playback")
    data: PlayerData = {
        **player_data.of(job, head, base=base, media=played),
        "findings": [],
        "limits": cast("CueSettings", asdict(CueLimits())),
        "peaks": f"{base}/peaks",
        "captions": f"{base}/files/vtt",
        "version": head.version if head else 1,
        "notes": 0,
        "passages": 0,
        "owns": False,
        "revision": 0,
        "may_edit": False,
        "may_comment": False,
        "sheets": ["script"],
        "partial": None,
    }
    return {**data, "text": player_words.PLAYER}


async def _body(token: str, job: Job, share: Share) -> str:
    head = await db.read(transcript_store.head, job.id)
    facts = [formatting.length(job.duration_s), formatting.language(job.language)]
    until = f"{formatting.until(share.expires_at, UTC)} UTC"
    told = " · ".join(
        html.escape(fact) for fact in [*facts, strings.LINK_TO_RECORDING["until"].format(until=until)] if fact
    )
    links = "".join(
        f'<a class="button small" download href="{site_path(PREFIX)}{token}/files/{fmt}?download=1">'
        f"{fmt.upper()}<span>{html.escape(_(fmt.spec.label))}</span></a>"
        for fmt in SHARED_FORMATS
        if head is None or head.timed or not fmt.spec.timed
    )
    player = (HERE / "player" / "player.html").read_text(encoding="utf-8")
    title = html.escape(job.name)
    return f'<h1>{title}</h1><p class="muted small facts">{told}</p>{player}<nav class="links">{links}</nav>'


def _page(title: str, body: str, data: dict[str, Any] | None = None, status: int = HTTPStatus.OK) -> Response:
    script = preloads = ""
    if data is not None:
        script = SCRIPT.format(data=json.dumps(data).replace("<", "\\u003c"), entry=site_path(url_of(ENTRY)))
        preloads = "\n".join(
            f'<link rel="modulepreload" href="{site_path(url_of(path))}">' for path in needed_by(ENTRY)
        )
    words = {"title": html.escape(title), "app": strings.APP, "site": site_path(""), "language": translation.language()}
    text = PAGE.format(preloads=preloads, body=body, script=script, **words)
    return Response(text, status, media_type="text/html", headers=HEADERS)


def _told(title: str, words: str, status: int) -> Response:
    body = f'<div class="alone"><h1>{html.escape(title)}</h1><p>{html.escape(words)}</p></div>'
    return _page(title, body, status=status)


def _ask_password(problem: str = "", status: int = HTTPStatus.OK) -> Response:
    said = f'<p class="problem" role="alert">{html.escape(problem)}</p>' if problem else ""
    words = {
        name: html.escape(strings.LINK_TO_RECORDING[name]) for name in ("locked", "locked_help", "password", "open")
    }
    body = (
        f'<form class="alone" method="post"><h1>{words["locked"]}</h1><p>{words["locked_help"]}</p>{said}'
        f'<label>{words["password"]}<input type="password" name="password" autocomplete="off" required></label>'
        f'<button class="button primary">{words["open"]}</button></form>'
    )
    return _page(strings.LINK_TO_RECORDING["locked"], body, status=status)


@cache
def _style() -> str:
    """Return the player's style, with the app's theme in the variables that Streamlit would set."""
    with CONFIG.open("rb") as file:
        theme = tomllib.load(file)["theme"]
    light, dark = (_variables(theme[name]) for name in ("light", "dark"))
    head = f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    files = (BASE_STYLE, HERE / "player" / "player.css", HERE / "player" / "shared_page.css")
    return "\n".join([head, *(path.read_text(encoding="utf-8") for path in files)])


def _variables(theme: dict[str, Any]) -> str:
    """Return a theme as Streamlit's CSS variables: primaryColor is --st-primary-color."""
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
    Route("/shared/{token}/playback", playback, methods=["GET"]),
    Route("/shared/{token}/peaks", peaks, methods=["GET"]),
    Route("/shared/{token}/files/{fmt}", file, methods=["GET"]),
    Route("/shared/{rest:path}", nothing, methods=["GET"]),
]
