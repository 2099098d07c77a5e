"""prefect.yaml applied to a real server."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from flows import deploy
from tests.flows.conftest import ROOT, Server, Worker, until

OURS = {
    *("transcribe-recording", "transcribe-span", "tell-speakers-apart", "export-transcript"),
    *("ingest-batch", "upkeep"),
}


def test_pools_are_warm_and_queues_have_their_order(server: Server) -> None:
    for pool in ("cpu", "gpu"):
        assert server.http.get(f"/work_pools/{pool}").json()["type"] == "warm"
        rows = server.http.post(f"/work_pools/{pool}/queues/filter", json={}).json()
        order = [row["name"] for row in sorted(rows, key=lambda row: row["priority"])]
        assert [name for name in order if name != "default"] == ["interactive", "batch", "backfill"]


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

    assert not deploy.wait(server.api_url, within_s=0, path=changed)
    deploy.apply(server.api_url, path=changed)
    assert deploy.wait(server.api_url, within_s=0, path=changed)

    deploy.apply(server.api_url)
    assert deploy.wait(server.api_url, within_s=0)


def test_a_worker_makes_what_is_missing(server: Server, start_worker: Callable[[str], Worker]) -> None:
    path = "/deployments/name/upkeep/upkeep"
    server.http.delete(f"/deployments/{server.http.get(path).json()['id']}").raise_for_status()

    worker = start_worker("mortal")
    until(lambda: server.http.get(path).is_success, within_s=60)

    assert worker.stop() == 0


def test_every_deployment_says_what_it_does(server: Server) -> None:
    rows = [row for row in server.http.post("/deployments/filter", json={}).json() if row["name"] in OURS]

    assert {row["name"] for row in rows} == OURS
    assert all(row["description"] and row["tags"] for row in rows)
    assert [schedule["active"] for row in rows for schedule in row["schedules"]] == [True]


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
