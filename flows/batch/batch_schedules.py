"""Schedules of batches: cron expressions in UTC on the deployment `ingest-batch`."""

import asyncio
import hashlib
import json
from typing import Any

import httpx

from flows.batch.batch_parameters import ordered
from flows.batch.written_results import BESIDE
from flows.platform.deploy import prefect_http
from flows.platform.prefect_address import PrefectAddress, know_secret
from storage.domain import batch_sources
from storage.domain.batch_sources import TARGETS_SETTING
from storage.domain.deployments import Deployment
from storage.domain.errors import BadRequest, NotFound
from storage.domain.network.host_names import without_login
from storage.domain.settings import Settings

OFF = "off"
SLUG = "batch-"
FIELDS = 5
NONE = (
    "{source} of {owner} with {dest} has no schedule to end; give the source, --owner and --dest that it was made with"
)
PLACE = f"/deployments/name/{Deployment.INGEST_BATCH}/{Deployment.INGEST_BATCH}"


def set_schedule(cron: str, *, source: str, owner: str, **chosen: Any) -> str:
    """Set, replace or end the schedule of a source and target; return what was done.

    Raises:
        BadRequest, NotAllowed: the expression or a parameter is wrong, the source or target is not listed, or there
            is no such schedule to end.
        NotFound: there is no deployment.
    """
    settings = Settings()
    ordered(source, owner, actor="schedule", **chosen)
    slug = slug_of(source, owner, chosen.get("dest"))
    if cron != OFF:
        _check(cron)
        _check_listed(settings, source, owner, chosen)
    with _prefect(settings) as http:
        answer = http.get(PLACE)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound("deployment", str(Deployment.INGEST_BATCH))
        found = answer.raise_for_status().json()
        place = f"/deployments/{found['id']}/schedules"
        before = [each for each in found["schedules"] if each["slug"] == slug]
        if cron == OFF and not before:
            asked = {"source": without_login(source), "owner": owner, "dest": chosen.get("dest") or "no target"}
            raise BadRequest("--schedule", NONE.format(**asked))
        if cron == OFF:
            for each in before:
                http.delete(f"{place}/{each['id']}").raise_for_status()
            return f"the schedule of {without_login(source)} is ended"
        parameters = {"source": source, "owner": owner} | chosen
        made = {"schedule": {"cron": cron, "timezone": "UTC"}, "active": True, "slug": slug, "parameters": parameters}
        if before:  # in one step, so that the one before holds until this one does
            http.patch(f"{place}/{before[0]['id']}", json=made).raise_for_status()
        else:
            http.post(place, json=[made]).raise_for_status()
    return f"{without_login(source)} is read on the schedule '{cron}', in UTC; end it by --schedule {OFF}"


def slug_of(source: str, owner: str, dest: str | None) -> str:
    """Return the schedule's name; the same source, owner and target have one schedule."""
    asked = json.dumps([source, owner, dest])
    return SLUG + hashlib.sha256(asked.encode()).hexdigest()[:16]


def _prefect(settings: Settings) -> httpx.Client:
    know_secret(settings)
    return prefect_http(PrefectAddress.from_environment().api_url)


def _check(cron: str) -> None:
    """Check that a cron expression has five fields and a time that comes.

    Prefect takes a sixth field for seconds, and expressions such as the 30th of February, which it then never runs.

    Raises:
        BadRequest: it is none.
    """
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.server.schemas.schedules import CronSchedule as ServerSchedule

    problem = f"{cron!r} is no time that comes; write minute, hour, day, month and weekday, such as '17 3 * * *'"
    if len(cron.split()) != FIELDS and not cron.startswith("@"):
        raise BadRequest("--schedule", problem)
    try:
        CronSchedule(cron=cron, timezone="UTC")
        asyncio.run(ServerSchedule(cron=cron, timezone="UTC").get_dates(1))
    except ValueError as error:
        raise BadRequest("--schedule", problem) from error


def _check_listed(settings: Settings, source: str, owner: str, chosen: dict[str, Any]) -> None:
    """Check what a worker will check, by this machine's settings.

    Raises:
        NotAllowed: the source or the target is not listed.
    """
    batch_sources.allowed(batch_sources.parse(settings.web.batch_sources), source, owner)
    targets = batch_sources.parse(settings.web.batch_targets, TARGETS_SETTING)
    for target in (chosen.get("dest"), chosen.get("rejects")):
        if target and target != BESIDE:
            batch_sources.allowed(targets, target, owner, TARGETS_SETTING)
