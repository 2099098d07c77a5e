"""prefect.yaml applied to a real server."""

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows.platform import deploy
from storage.domain.deployments import Deployment
from storage.domain.export_formats import ExportFormat
from tests.flows.conftest import ROOT, Server, Worker
from tests.waiting import until

OURS = set(Deployment)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_a_busy_server_is_asked_again(method: str) -> None:
    asked: list[bytes] = []

    def busy_once(request: httpx.Request) -> httpx.Response:
        asked.append(request.read())
        return httpx.Response(200 if len(asked) > 1 else 503)

    body = {"name": "mark"}
    with deploy.RetryingClient(base_url="http://prefect", transport=httpx.MockTransport(busy_once)) as http:
        assert http.request(method, "/flows/", json=body).is_success
    assert [json.loads(each) for each in asked] == [body, body]


async def test_a_server_whose_database_is_away_is_asked_again_and_one_that_refuses_is_not() -> None:
    answers = ["", "500 Internal Server Error", "401 Unauthorized", "not asked"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer := answers.pop(0):
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            await deploy.apply_when_possible(f"http://127.0.0.1:{port}/api", auth=None, within_s=60)
    assert answers == ["not asked"]


def test_pools_are_warm_and_queues_have_their_order(server: Server) -> None:
    for pool in ("cpu", "gpu"):
        assert server.http.get(f"/work_pools/{pool}").json()["type"] == "warm"
        rows = server.http.post(f"/work_pools/{pool}/queues/filter", json={}).json()
        order = [row["name"] for row in sorted(rows, key=lambda row: row["priority"])]
        assert [name for name in order if name != "default"] == ["interactive", "batch", "backfill"]


async def test_our_schedules_have_next_dates_and_know_no_summer_time() -> None:
    schedules = [
        each for deployed in deploy.read(deploy.PREFECT_YAML)["deployments"] for each in deployed.get("schedules", [])
    ]
    assert schedules
    assert {each["timezone"] for each in schedules} == {"UTC"}
    for each in schedules:
        assert len(await CronSchedule(cron=each["cron"], timezone=each["timezone"]).get_dates(n=2)) == 2


async def test_a_schedule_of_local_time_runs_once_on_the_days_of_a_clock_change() -> None:
    """As docs/prefect.md says; Prefect 3.8 ran at 01:30 on the short day."""
    zone = ZoneInfo("Europe/Berlin")
    schedule = CronSchedule(cron="30 2 * * *", timezone=zone.key)
    found = {}
    for month, day in ((3, 28), (10, 31)):
        noon = datetime(2027, month, day, 12, tzinfo=zone)
        dates = await schedule.get_dates(n=5, start=noon - timedelta(days=1), end=noon)
        found[month] = [date.astimezone(zone).strftime("%H:%M%z") for date in dates]
    assert found == {3: ["03:30+0200"], 10: ["02:30+0200"]}


def test_applying_again_changes_nothing(server: Server) -> None:
    def deployed() -> dict[str, str]:
        rows = server.http.post("/deployments/filter", json={"deployments": {"tags": {"is_null_": False}}}).json()
        return {row["name"]: row["id"] for row in rows if row["name"] in OURS}

    before = deployed()
    names = deploy.apply(server.api_url)

    assert {name.partition("/")[2] for name in names} == OURS
    assert deployed() == before


def test_applying_the_same_file_again_keeps_what_an_admin_changed(server: Server) -> None:
    queue = "/work_pools/cpu/queues/backfill"
    server.http.patch(queue, json={"concurrency_limit": 1}).raise_for_status()
    server.http.patch("/work_pools/cpu", json={"description": "mine"}).raise_for_status()

    deploy.apply(server.api_url)

    assert server.http.get("/work_pools/cpu").json()["description"] == "mine"
    assert server.http.get(queue).json()["concurrency_limit"] == 1
    server.http.patch(queue, json={"concurrency_limit": None}).raise_for_status()


def test_a_changed_file_is_applied_and_waited_for(server: Server, tmp_path: Path) -> None:
    changed = tmp_path / "prefect.yaml"
    changed.write_text(f"{deploy.PREFECT_YAML.read_text()}\n# one line more\n")

    def applied() -> bool:
        deploy.apply(server.api_url, path=changed)
        return deploy.wait(server.api_url, within_s=0, path=changed)

    assert not deploy.wait(server.api_url, within_s=0, path=changed)
    assert until(applied)  # workers of other tests apply the real file now and then

    deploy.apply(server.api_url)
    assert deploy.wait(server.api_url, within_s=0)


def test_a_worker_makes_what_is_missing(server: Server, start_worker: Callable[[str], Worker]) -> None:
    """At its start, and again while it runs."""
    path = "/deployments/name/upkeep/upkeep"

    def delete() -> None:
        server.http.delete(f"/deployments/{server.http.get(path).json()['id']}").raise_for_status()

    delete()
    worker = start_worker("mortal")
    until(lambda: server.http.get(path).is_success)
    delete()
    until(lambda: server.http.get(path).is_success)

    assert worker.stop() == 0


def test_every_deployment_says_what_it_does(server: Server) -> None:
    rows = [row for row in server.http.post("/deployments/filter", json={}).json() if row["name"] in OURS]

    assert {row["name"] for row in rows} == OURS
    assert all(row["description"] and row["tags"] for row in rows)
    assert [schedule["active"] for row in rows for schedule in row["schedules"]] == [True, True]


def test_prefect_deploy_takes_the_same_file(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=server.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"'{name}/{name}'" in done.stdout.replace("\n", "") for name in OURS)


def test_the_file_deploys_every_flow_under_its_name_and_no_other() -> None:
    deployed = deploy.read(deploy.PREFECT_YAML)["deployments"]

    assert [(each["name"], each["flow_name"]) for each in deployed] == [(name, name) for name in Deployment]
    for each in deployed:
        module, _, function = each["entrypoint"].removesuffix(".py").partition(".py:")
        flow = getattr(importlib.import_module(module.replace("/", ".")), function)
        assert flow.name == each["name"]


def test_the_form_of_an_export_offers_every_format() -> None:
    (export,) = (
        each for each in deploy.read(deploy.PREFECT_YAML)["deployments"] if each["name"] == Deployment.EXPORT_TRANSCRIPT
    )
    assert export["parameter_openapi_schema"]["properties"]["formats"]["items"]["enum"] == list(ExportFormat)
