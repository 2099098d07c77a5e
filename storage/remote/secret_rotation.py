"""Rotates the secrets that we made ourselves; the one before holds for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest
from storage.domain.settings import Settings
from storage.ledger import audit
from storage.remote.service_tokens import ServiceSecret, path_of, replace

NOT_OURS = {
    "oidc-client-secret": "TRANSCRIBER_OIDC_CLIENT_SECRET",
    "smtp-password": "TRANSCRIBER_SMTP_PASSWORD",
    "storage-credentials": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}
"""Secrets that somebody else gave to the administrator, and where they are set."""
OVERLAP_HOURS, MAX_OVERLAP_HOURS = 24.0, 24.0 * 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What was rotated, until when the one before holds, and what is left to do."""

    name: str
    until: datetime
    next_step: str


def rotate(
    con: DuckDBPyConnection, settings: Settings, name: str, *, overlap_hours: float = OVERLAP_HOURS, actor: str
) -> Rotated:
    """Make a new secret, and let the present one hold for the overlap.

    Raises:
        BadRequest: it is none of ours, is set by the administrator, or was never made.
    """
    secret = _known(settings, name)
    if not 0 <= overlap_hours <= MAX_OVERLAP_HOURS:
        raise BadRequest("--overlap-hours", f"use 0 to {MAX_OVERLAP_HOURS:g} hours")
    until = utc_now() + timedelta(hours=overlap_hours)
    audit.record(con, actor=actor, action="secret.rotate", subject=secret.value, detail={"until": until.isoformat()})
    replace(settings, secret, until=until)
    return Rotated(name=secret.value, until=until, next_step=_next_step(settings, secret))


def _known(settings: Settings, name: str) -> ServiceSecret:
    if variable := NOT_OURS.get(name):
        raise BadRequest(
            "NAME", f"{name} is your own: get a new one where you got it, set {variable}, and restart what reads it"
        )
    if name not in set(ServiceSecret):
        raise BadRequest("NAME", f"there is no secret {name!r}; use one of {', '.join(ServiceSecret)}")
    secret = ServiceSecret(name)
    if secret is ServiceSecret.WORKER and settings.web.worker_token:
        raise BadRequest(
            "NAME",
            "TRANSCRIBER_WORKER_TOKEN sets it, so it is your own. Give each worker a token of its own on the page "
            "Machines first; then change the variable and restart the web process",
        )
    if not path_of(settings, secret).exists():
        raise BadRequest("NAME", f"{path_of(settings, secret)} does not exist, so nothing here uses this secret")
    return secret


def _next_step(settings: Settings, secret: ServiceSecret) -> str:
    path = path_of(settings, secret)
    match secret:
        case ServiceSecret.WORKER:
            return (
                "workers of this data dir use it already; set TRANSCRIBER_WORKER_TOKEN of workers on other machines to "
                f"the content of {path}, and restart them"
            )
        case ServiceSecret.OPERATOR:
            return "nothing else to do: the web process and the command line read it from the data dir"
        case ServiceSecret.PREFECT:
            return (
                "`transcriber up` goes on with it; what you start besides reads it once: restart workers on other "
                f"machines until then, with the content of {path} as PREFECT_API_AUTH_STRING"
            )
        case _:
            assert_never(secret)
