"""Which scope each route needs of an API key; the access middleware enforces it.

A route that keys may call and that is not here is refused to keys, and a test fails.
"""

import re
from functools import cache, lru_cache

from starlette.routing import compile_path

from dashboards.http.identity import Caller
from storage.domain.errors import NotAllowed
from storage.domain.scopes import Scope

LONGEST_KNOWN = 200
READ, WRITE, DELETE, ADMIN = Scope.READ, Scope.WRITE, Scope.DELETE, Scope.ADMIN
JOB = "/api/v1/jobs/{job_id}"
HOOK = "/api/v1/webhooks/{webhook_id}"
CAMPAIGN, DECISIONS = "/api/v1/campaigns/{campaign_id}", ("accept", "keep", "roll-back")
ROUTE_SCOPES: dict[str, dict[str, Scope | None]] = {
    "/metrics": {"GET": ADMIN},
    "/_stcore/metrics": {"GET": ADMIN, "OPTIONS": ADMIN},
    "/events": {"WEBSOCKET": READ},
    "/v1/audio/transcriptions": {"POST": WRITE},
    "/v1/audio/translations": {"POST": WRITE},
    "/v1/models": {"GET": None},
    "/v1/models/{name:path}": {"GET": None},
    "/api/docs": {"GET": None},
    "/api/docs/assets/anything": {"GET": None},
    "/api/openapi.json": {"GET": None},
    "/api/v1/me": {"GET": None},
    "/api/v1/vocabulary": {"GET": READ, "PUT": WRITE},
    "/api/v1/keys": {"GET": READ, "POST": ADMIN},
    "/api/v1/keys/{key_id}": {"GET": READ, "DELETE": ADMIN},
    "/api/v1/keys/{key_id}/rotate": {"POST": ADMIN},
    "/api/v1/webhooks": {"GET": READ, "POST": WRITE},
    HOOK: {"GET": READ, "PATCH": WRITE, "DELETE": WRITE},
    f"{HOOK}/rotate": {"POST": WRITE},
    f"{HOOK}/test": {"POST": WRITE},
    f"{HOOK}/deliveries": {"GET": READ},
    f"{HOOK}/deliveries/{{delivery_id}}": {"GET": READ},
    f"{HOOK}/deliveries/{{delivery_id}}/replay": {"POST": WRITE},
    "/api/v1/usage": {"GET": READ},
    "/api/v1/users": {"GET": ADMIN, "POST": ADMIN},
    "/api/v1/users/{user_id}": {"GET": ADMIN, "PATCH": ADMIN},
    "/api/v1/users/{user_id}/usage": {"GET": ADMIN},
    "/api/v1/admin/audit": {"GET": ADMIN},
    "/api/v1/admin/audit/counts": {"GET": ADMIN},
    "/api/v1/admin/audit/export": {"GET": ADMIN},
    "/api/v1/admin/maintenance": {"GET": ADMIN, "PUT": ADMIN},
    "/api/v1/shares": {"GET": ADMIN},
    "/api/v1/search": {"GET": READ},
    "/api/v1/events": {"GET": READ},
    "/api/v1/jobs": {"GET": READ, "POST": WRITE},
    "/api/v1/downloads": {"GET": READ},
    "/api/v1/downloads/{download_id}": {"GET": READ, "DELETE": DELETE},
    "/api/v1/batches": {"GET": READ, "POST": WRITE},
    "/api/v1/s3-events": {"POST": WRITE},
    "/api/v1/batches/{batch_id}": {"GET": READ},
    "/api/v1/batches/{batch_id}/items": {"GET": READ},
    "/api/v1/batches/{batch_id}/cancel": {"POST": WRITE},
    "/api/v1/batches/{batch_id}/retry": {"POST": WRITE},
    "/api/v1/campaigns": {"GET": ADMIN, "POST": ADMIN},
    "/api/v1/campaigns/estimate": {"POST": ADMIN},
    "/api/v1/campaigns/word-error-rates": {"GET": ADMIN},
    CAMPAIGN: {"GET": ADMIN},
    f"{CAMPAIGN}/budget": {"PUT": ADMIN},
    **{f"{CAMPAIGN}/{verb}": {"POST": ADMIN} for verb in ("start", "pause", "cancel", *DECISIONS)},
    f"{CAMPAIGN}/items": {"GET": ADMIN},
    f"{CAMPAIGN}/items/{{number}}/changes": {"GET": ADMIN},
    **{f"{CAMPAIGN}/items/{{number}}/{verb}": {"POST": ADMIN} for verb in DECISIONS},
    "/api/v1/deleted-jobs": {"GET": READ},
    JOB: {"GET": READ, "PATCH": WRITE, "DELETE": DELETE},
    f"{JOB}/media": {"GET": READ},
    f"{JOB}/cancel": {"POST": WRITE},
    f"{JOB}/retry": {"POST": WRITE},
    f"{JOB}/pause": {"POST": WRITE},
    f"{JOB}/resume": {"POST": WRITE},
    f"{JOB}/first": {"POST": WRITE},
    f"{JOB}/restore": {"POST": WRITE},
    f"{JOB}/exports/{{fmt}}": {"GET": READ},
    f"{JOB}/files/{{fmt}}": {"GET": READ},
    f"{JOB}/recording": {"GET": READ},
    f"{JOB}/transcript": {"GET": READ, "PUT": WRITE},
    f"{JOB}/shares/{{share_id}}": {"DELETE": ADMIN},
    f"{JOB}/collaborators": {"GET": READ},
    f"{JOB}/collaborators/{{name}}": {"PUT": WRITE, "DELETE": WRITE},
    f"{JOB}/alignment": {"GET": READ, "POST": WRITE, "DELETE": WRITE},
    f"{JOB}/versions": {"GET": READ},
    f"{JOB}/versions/{{number}}": {"GET": READ},
    f"{JOB}/versions/{{number}}/changes": {"GET": READ},
    f"{JOB}/versions/{{number}}/restore": {"POST": WRITE},
    f"{JOB}/notes": {"GET": READ, "POST": WRITE},
    f"{JOB}/notes/{{note_id}}": {"PUT": WRITE, "DELETE": DELETE},
    "/api/v1/comments/unseen": {"GET": READ},
    f"{JOB}/comments": {"GET": READ, "POST": WRITE},
    f"{JOB}/comments/seen": {"POST": WRITE},
    f"{JOB}/comments/{{comment_id}}": {"PUT": WRITE, "DELETE": DELETE},
    f"{JOB}/comments/{{comment_id}}/replies": {"POST": WRITE},
    f"{JOB}/comments/{{comment_id}}/resolved": {"PUT": WRITE},
    f"{JOB}/highlights": {"GET": READ, "POST": WRITE},
    f"{JOB}/highlights/export": {"GET": READ},
    f"{JOB}/highlights/{{highlight_id}}": {"PUT": WRITE, "DELETE": DELETE},
    f"{JOB}/summary": {"GET": READ, "POST": WRITE},
    f"{JOB}/summary/export": {"GET": READ},
    "/uploads": {"POST": WRITE},
    "/uploads/known": {"GET": READ},
    "/uploads/again": {"POST": WRITE},
    "/uploads/direct": {"POST": WRITE},
    "/uploads/direct/{ident}": {"GET": WRITE, "DELETE": DELETE},
    "/uploads/direct/{ident}/parts": {"POST": WRITE},
    "/uploads/direct/{ident}/complete": {"POST": WRITE},
    "/uploads/{ident}": {"HEAD": WRITE, "PATCH": WRITE, "DELETE": DELETE, "POST": WRITE},
    "/recordings/{job_id}": {"GET": READ},
    "/recordings/{job_id}/peaks": {"GET": READ},
    "/recordings/{job_id}/playback": {"GET": READ},
    "/downloads": {"GET": READ},
    "/downloads/{job_id}/{fmt}": {"GET": READ},
}
"""None means any valid key. Lanes other than interactive need `Scope.BATCH` too, everybody's data `Scope.ADMIN`."""

WITHOUT_A_ROUTE = ("/v1/", "/api/", "/uploads", "/recordings/", "/downloads", "/metrics", "/_stcore/metrics")
"""Below these a request without an entry gets 404 or 405 from the app, whose routes are all in the table."""


def require(caller: Caller, method: str, path: str) -> None:
    """Check that a key has the scope of the route.

    Raises:
        ScopeMissing: it has not.
        NotAllowed: no entry says which one is needed.
    """
    method = "GET" if method == "HEAD" and not path.startswith("/uploads/") else method
    is_there, scope = _found(method, path) if len(path) <= LONGEST_KNOWN else _found.__wrapped__(method, path)
    if scope is not None:
        caller.require(scope)
    if not is_there and not path.startswith(WITHOUT_A_ROUTE):
        raise NotAllowed(path, "a browser session")


@lru_cache(maxsize=2048)
def _found(method: str, path: str) -> tuple[bool, Scope | None]:
    """Return whether there is an entry, and its scope."""
    return next(((True, scope) for pattern, scope in _patterns().get(method, ()) if pattern.match(path)), (False, None))


@cache
def _patterns() -> dict[str, list[tuple[re.Pattern[str], Scope | None]]]:
    found: dict[str, list[tuple[re.Pattern[str], Scope | None]]] = {}
    for path, scopes in ROUTE_SCOPES.items():
        for method, scope in scopes.items():
            found.setdefault(method, []).append((compile_path(path)[0], scope))
    return found
