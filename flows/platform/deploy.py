"""Apply `prefect.yaml` to a Prefect server: create or update pools, queues and deployments.

Uses plain HTTP instead of Prefect's client, whose import alone takes longer than all of these calls.
"""

import asyncio
import hashlib
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import yaml

from storage.domain import retries
from storage.domain.deployments import Deployment
from storage.domain.export_formats import ExportFormat
from storage.remote.certificates import usual_tls

BUSY_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)
PREFECT_YAML = Path(__file__).parents[2] / "prefect.yaml"
NOTHING_TO_SET = {"job_configuration": {"env": {}}, "variables": {"type": "object", "properties": {}, "required": []}}
"""Base job template of a warm pool, which has nothing to configure."""


class RetryingClient(httpx.Client):
    """Client of Prefect's API that retries on 503, as its busy SQLite file answers."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send a request, with retries.

        Raises:
            httpx.HTTPError: the server does not answer, or stays busy.
        """

        def once() -> httpx.Response:
            answer = super(RetryingClient, self).send(request, **options)
            return answer.raise_for_status() if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else answer

        def is_busy(error: Exception) -> bool:
            return isinstance(error, httpx.HTTPStatusError)

        return retries.call(once, may_pass=is_busy, pauses_s=BUSY_PAUSES_S)


def prefect_http(api_url: str, *, auth: str | None = None, timeout_s: float = 20.0) -> RetryingClient:
    """Return a client of Prefect's API with this basic auth, else that of our environment."""
    user, colon, password = (auth or os.environ.get("PREFECT_API_AUTH_STRING", "")).partition(":")
    basic = httpx.BasicAuth(user, password) if colon else None
    return RetryingClient(base_url=api_url, timeout=timeout_s, auth=basic, verify=usual_tls())


async def apply_when_possible(api_url: str, *, auth: str | None, within_s: float) -> None:
    """Apply the file like `apply`, retrying while the server is late or its database away.

    Raises:
        httpx.HTTPError: the server still does not answer after `within_s`, or refuses.
    """

    async def attempt() -> None:
        await asyncio.to_thread(apply, api_url, auth=auth)

    def may_pass(error: Exception) -> bool:
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
        return isinstance(error, httpx.TransportError)

    await retries.call_async(attempt, may_pass=may_pass, pauses_s=retries.growing(0.2, 2.0, within_s=within_s))


def apply(api_url: str, *, auth: str | None = None, path: Path = PREFECT_YAML) -> list[str]:
    """Apply the file to the server; return the deployments' names (`flow/deployment`). Idempotent.

    Workers call it again and again, and so mend what somebody deleted in Prefect.

    A server that has this version of the file keeps what an admin changed since, such as a paused queue.

    Raises:
        httpx.HTTPError: the server refused it.
    """
    config = read(path)
    with prefect_http(api_url, auth=auth) as http:
        if not differences(http, config):
            return [f"{each['flow_name']}/{each['name']}" for each in config["deployments"]]
        for pool in config["work_pools"]:
            _upsert(http, "/work_pools/", pool["name"], {**pool, "base_job_template": NOTHING_TO_SET})
            for queue in config["work_queues"]:
                _upsert(http, f"/work_pools/{pool['name']}/queues", queue["name"], queue)
        return [_deploy(http, each) for each in config["deployments"]]


def wait(api_url: str, *, within_s: float, path: Path = PREFECT_YAML) -> bool:
    """Wait until another process has applied the file; return whether it did in time.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    config, end = read(path), time.monotonic() + within_s
    with prefect_http(api_url) as http:
        while not (applied := not differences(http, config)) and time.monotonic() < end:
            time.sleep(0.1)
    return applied


@cache
def read(path: Path) -> dict[str, Any]:
    """Return the file's content with the export formats; it is read once.

    The hash of both is the version of each deployment.
    """
    text = path.read_text()
    config: dict[str, Any] = yaml.safe_load(text)
    formats = [fmt.value for fmt in ExportFormat]
    version = hashlib.sha256(f"{text}{formats}".encode()).hexdigest()[:16]
    for each in config["deployments"]:
        each["version"] = version
        if each["name"] in {Deployment.EXPORT_TRANSCRIPT, Deployment.INGEST_BATCH}:
            each["parameter_openapi_schema"]["properties"]["formats"]["items"]["enum"] = formats
    return config


def differences(http: httpx.Client, config: dict[str, Any]) -> list[str]:
    """Return what the server lacks: pools, queues, and deployments that are not in their queue.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    lacking = []
    there = {row["name"] for row in http.post("/work_pools/filter", json={}).raise_for_status().json()}
    for pool in (each["name"] for each in config["work_pools"]):
        if pool not in there:
            lacking.append(f"pool {pool}")
            continue
        rows = http.post(f"/work_pools/{pool}/queues/filter", json={}).raise_for_status().json()
        queues = {row["name"] for row in rows}
        lacking += [f"queue {each['name']} of {pool}" for each in config["work_queues"] if each["name"] not in queues]
    names = [each["name"] for each in config["deployments"]]
    query = {"deployments": {"name": {"any_": names}}}
    rows = http.post("/deployments/filter", json=query).raise_for_status().json()
    applied = {(row["name"], row["version"], row["work_pool_name"], row["work_queue_name"]) for row in rows}
    for each in config["deployments"]:
        place = each["work_pool"]
        if (each["name"], each["version"], place["name"], place["work_queue_name"]) not in applied:
            lacking.append(f"deployment {each['name']} in queue {place['work_queue_name']} of {place['name']}")
    return lacking


def _upsert(http: httpx.Client, collection: str, name: str, config: dict[str, Any]) -> None:
    answer = http.post(collection, json=config)
    if answer.status_code == httpx.codes.CONFLICT:
        changes = {key: value for key, value in config.items() if key not in {"name", "type"}}
        answer = http.patch(f"{collection.rstrip('/')}/{name}", json=changes)
    answer.raise_for_status()


def _deploy(http: httpx.Client, config: dict[str, Any]) -> str:
    flow = http.post("/flows/", json={"name": config["flow_name"]}).raise_for_status().json()
    body = {
        "name": config["name"],
        "version": config["version"],
        "flow_id": flow["id"],
        "entrypoint": config["entrypoint"],
        "path": ".",
        "description": config["description"],
        "tags": config["tags"],
        "work_pool_name": config["work_pool"]["name"],
        "work_queue_name": config["work_pool"]["work_queue_name"],
        "pull_steps": [],
        "parameter_openapi_schema": config.get("parameter_openapi_schema", {"type": "object", "properties": {}}),
        "enforce_parameter_schema": config.get("enforce_parameter_schema", False),
        "schedules": [_schedule(each) for each in config.get("schedules", [])],
    }
    body["schedules"] += _others_schedules(http, config)
    http.post("/deployments/", json=body).raise_for_status()
    return f"{config['flow_name']}/{config['name']}"


KEPT_OF_SCHEDULES = ("schedule", "active", "max_scheduled_runs", "parameters", "slug")


def _others_schedules(http: httpx.Client, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schedules that people made, which Prefect would delete with those of the file."""
    answer = http.get(f"/deployments/name/{config['flow_name']}/{config['name']}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return []
    ours = {each["slug"] for each in config.get("schedules", [])}
    found = answer.raise_for_status().json()["schedules"]
    return [{key: each[key] for key in KEPT_OF_SCHEDULES} for each in found if each["slug"] not in ours]


def _schedule(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "schedule": {"cron": config["cron"], "timezone": config["timezone"]},
        "active": True,
        "slug": config["slug"],
    }
