"""Applies `prefect.yaml` to a Prefect server: work pools, queues and deployments, made or brought up to date.

Plain HTTP instead of Prefect's client, whose import alone takes longer than all of these calls together.
"""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import httpx
import yaml

PREFECT_YAML = Path(__file__).parents[1] / "prefect.yaml"
NOTHING_TO_SET = {"job_configuration": {"env": {}}, "variables": {"type": "object", "properties": {}, "required": []}}
"""Base job template of a warm pool: a run in a process that is already there has no infrastructure to configure."""


def prefect_http(api_url: str, *, timeout_s: float = 20.0) -> httpx.Client:
    """Return a client of Prefect's API, with the basic auth that `PREFECT_API_AUTH_STRING` sets."""
    user, colon, password = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")
    auth = httpx.BasicAuth(user, password) if colon else None
    return httpx.Client(base_url=api_url, timeout=timeout_s, auth=auth)


def send(http: httpx.Client, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
    """Send, and again while the server says 503, as it does when its SQLite file is busy."""
    for wait_s in (0.2, 0.5, 1.0, 2.0, 4.0):
        answer = http.request(method, path, json=body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return answer
        time.sleep(wait_s)
    return http.request(method, path, json=body)


def apply(api_url: str, *, path: Path = PREFECT_YAML) -> list[str]:
    """Bring the server in line with the file and return the deployments' names (`flow/deployment`); safe to repeat.

    A server that has this very file already keeps what an admin changed there since, a paused queue for instance.

    Raises:
        httpx.HTTPError: the server did not take it.
    """
    wanted = _read(path)
    with prefect_http(api_url) as http:
        if _has(http, wanted):
            return [f"{each['flow_name']}/{each['name']}" for each in wanted["deployments"]]
        for pool in wanted["work_pools"]:
            _upsert(http, "/work_pools/", pool["name"], {**pool, "base_job_template": NOTHING_TO_SET})
            for queue in wanted["work_queues"]:
                _upsert(http, f"/work_pools/{pool['name']}/queues", queue["name"], queue)
        return [_deploy(http, each) for each in wanted["deployments"]]


def wait(api_url: str, *, within_s: float, path: Path = PREFECT_YAML) -> bool:
    """Wait until somebody else has applied the file; return whether that happened in time.

    Raises:
        httpx.HTTPError: the server does not answer.
    """
    wanted, end = _read(path), time.monotonic() + within_s
    with prefect_http(api_url) as http:
        while not (there := _has(http, wanted)) and time.monotonic() < end:
            time.sleep(0.1)
    return there


def _read(path: Path) -> dict[str, Any]:
    """Return the file's content, each deployment with the hash of the whole file as its version."""
    text = path.read_text()
    wanted: dict[str, Any] = yaml.safe_load(text)
    version = hashlib.sha256(text.encode()).hexdigest()[:16]
    for each in wanted["deployments"]:
        each["version"] = version
    return wanted


def _has(http: httpx.Client, wanted: dict[str, Any]) -> bool:
    """Tell whether the server has every pool and, of this version, every deployment."""
    pools = {row["name"] for row in send(http, "POST", "/work_pools/filter", {}).raise_for_status().json()}
    if not pools >= {each["name"] for each in wanted["work_pools"]}:
        return False
    names = [each["name"] for each in wanted["deployments"]]
    asked = {"deployments": {"name": {"any_": names}}}
    rows = send(http, "POST", "/deployments/filter", asked).raise_for_status().json()
    there = {(row["name"], row["version"], row["work_pool_name"]) for row in rows}
    return there >= {(each["name"], each["version"], each["work_pool"]["name"]) for each in wanted["deployments"]}


def _upsert(http: httpx.Client, collection: str, name: str, wanted: dict[str, Any]) -> None:
    answer = send(http, "POST", collection, wanted)
    if answer.status_code == httpx.codes.CONFLICT:
        changes = {key: value for key, value in wanted.items() if key not in {"name", "type"}}
        answer = send(http, "PATCH", f"{collection.rstrip('/')}/{name}", changes)
    answer.raise_for_status()


def _deploy(http: httpx.Client, wanted: dict[str, Any]) -> str:
    flow = send(http, "POST", "/flows/", {"name": wanted["flow_name"]}).raise_for_status().json()
    body = {
        "name": wanted["name"],
        "version": wanted["version"],
        "flow_id": flow["id"],
        "entrypoint": wanted["entrypoint"],
        "path": ".",
        "description": wanted["description"],
        "tags": wanted["tags"],
        "work_pool_name": wanted["work_pool"]["name"],
        "work_queue_name": wanted["work_pool"]["work_queue_name"],
        "pull_steps": [],
        "parameter_openapi_schema": wanted.get("parameter_openapi_schema", {"type": "object", "properties": {}}),
        "enforce_parameter_schema": False,
        "schedules": [_schedule(each) for each in wanted.get("schedules", [])],
    }
    send(http, "POST", "/deployments/", body).raise_for_status()
    return f"{wanted['flow_name']}/{wanted['name']}"


def _schedule(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "schedule": {"cron": wanted["cron"], "timezone": wanted["timezone"]},
        "active": True,
        "slug": wanted["slug"],
    }
