"""What flow runs and the command line ask of the web process."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import WebSocketTestSession

from dashboards import context
from storage import audit, jobs, names, users
from storage.clock import utc_now
from storage.heartbeats import ModelState, WorkerBeat
from storage.records import Job, JobState, from_json, to_json
from storage.reports import Exporting, Failed, Report, Started
from storage.tokens import operator_token
from tests.dashboards.site import Site


def submit(site: Site, data: bytes, **fields: str) -> Job:
    answer = site.client.post(
        "/internal/v1/jobs", files={"file": ("talk.wav", data)}, data={"owner": "ada"} | fields, headers=site.worker
    )
    assert answer.status_code == 200, answer.text
    return from_json(Job, answer.content)


def send(site: Site, report: Report) -> Any:
    return site.client.post("/internal/v1/reports", content=to_json(report), headers=site.worker)


@pytest.fixture
def job(site: Site, tone: Callable[..., bytes]) -> Job:
    return submit(site, tone())


def started(job: Job, *, attempt: int = 1) -> Started:
    return Started(job_id=job.id, attempt=attempt, worker="cpu-1")


def test_a_report_is_answered_with_the_job_as_it_is_then(site: Site, job: Job) -> None:
    answer = send(site, started(job))
    assert from_json(Job, answer.content).state is JobState.INGESTING


def test_a_report_sent_twice_changes_nothing_the_second_time(site: Site, job: Job) -> None:
    report = started(job)
    first, second = send(site, report), send(site, report)
    assert first.json() == second.json()


def test_a_report_on_an_attempt_that_is_over_says_so(site: Site, job: Job) -> None:
    answer = send(site, started(job, attempt=2))
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "stale_attempt"


def test_a_report_on_a_job_that_is_not_there_says_so(site: Site, job: Job) -> None:
    assert send(site, started(replace(job, id="nobody"))).json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"kind": "nonsense"}', b"\xff"])
def test_what_is_no_report_is_refused(site: Site, body: bytes) -> None:
    answer = site.client.post("/internal/v1/reports", content=body, headers=site.worker)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


def read_until(page: WebSocketTestSession, job_id: str, state: str) -> int:
    """Read news until the job is told to be so, and return how many pieces came before."""
    for count in range(100):
        news = page.receive_json()
        if (news["job_id"], news.get("state")) == (job_id, state):
            return count
    raise AssertionError(state)


def test_reports_reach_the_owners_open_pages_and_nobody_elses(site: Site, job: Job) -> None:
    site.sign_in("ada")
    with site.client.websocket_connect("/events") as page:
        send(site, started(job))
        read_until(page, job.id, "ingesting")
        site.sign_in("bob")
        with site.client.websocket_connect("/events") as other:
            send(site, Exporting(job_id=job.id, attempt=1, worker="cpu-1"))
            read_until(page, job.id, "exporting")
            context.changed("another", site.user("bob").id)
            assert other.receive_json()["job_id"] == "another"


def test_an_administrator_may_follow_everybody(site: Site, job: Job) -> None:
    site.sign_in("root")
    with site.client.websocket_connect("/events?all=1") as page:
        send(site, started(job))
        read_until(page, job.id, "ingesting")


def test_changes_that_come_faster_than_a_page_reads_are_told_once(site: Site, job: Job) -> None:
    site.sign_in("ada")
    with site.client.websocket_connect("/events") as page:
        for _ in range(50):
            context.changed(job.id, job.owner_id)
        send(site, started(job))
        assert read_until(page, job.id, "ingesting") < 10


def beat(**more: Any) -> WorkerBeat:
    known: dict[str, Any] = {"name": "gpu-1", "pool": "gpu", "host": "here", "pid": 1, "device": "cpu", "slots": 2}
    known |= {"busy": 0, "default_model": None, "sent_at": utc_now()}
    return WorkerBeat(**(known | more))


def test_heartbeats_make_a_worker_known_and_a_good_bye_forgets_it(site: Site) -> None:
    tiny = ModelState(name="tiny", fingerprint="f00d", state="ready")
    answer = site.client.post("/internal/v1/heartbeats", content=to_json(beat(default_model=tiny)), headers=site.worker)
    assert answer.json() == {"wanted_models": []}
    assert context.workers().slots("gpu") == 2
    assert site.client.delete("/internal/v1/heartbeats/gpu-1", headers=site.worker).status_code == 204
    assert context.workers().slots("gpu") == 0


def test_a_worker_is_told_which_models_are_wanted(site: Site) -> None:
    context.workers().want("large-v3")
    answer = site.client.post("/internal/v1/heartbeats", content=to_json(beat()), headers=site.worker)
    assert answer.json() == {"wanted_models": ["large-v3"]}


def test_a_file_becomes_a_job_of_the_user_that_is_named(site: Site, job: Job) -> None:
    assert (job.name, job.owner_id) == ("talk.wav", site.user("ada").id)
    with context.ledger().read() as con:
        assert audit.page(con, subject=job.id)[0].actor == "worker:http"


def test_the_same_key_makes_no_second_job(site: Site, tone: Callable[..., bytes]) -> None:
    first = submit(site, tone(), idempotency_key="k", actor="cli:anna")
    assert submit(site, tone(), idempotency_key="k", actor="cli:anna").id == first.id


def test_a_file_of_nobody_is_refused(site: Site, tone: Callable[..., bytes]) -> None:
    answer = site.client.post(
        "/internal/v1/jobs", files={"file": ("a.wav", tone())}, data={"owner": "zoe"}, headers=site.worker
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_bytes_that_lie_on_storage_become_a_job(site: Site, job: Job) -> None:
    asked = {"owner": "bob", "name": "again.wav", "media_sha256": job.media_sha256, "media_bytes": job.media_bytes}
    answer = site.client.post("/internal/v1/jobs", json=asked | {"actor": "cli:anna"}, headers=site.worker)
    assert answer.json()["owner_id"] == site.user("bob").id
    missing = site.client.post("/internal/v1/jobs", json=asked | {"media_sha256": "0" * 64}, headers=site.worker)
    assert missing.json()["error"]["code"] == "not_stored"


def test_a_job_can_be_looked_at_from_all_sides(site: Site, job: Job) -> None:
    url = f"/internal/v1/jobs/{job.id}"
    assert from_json(Job, site.client.get(url, headers=site.worker).content).id == job.id
    assert site.client.get(f"{url}/exports", headers=site.worker).json() == {}
    assert site.client.get(f"{url}/spans", headers=site.worker).json() == []
    assert site.client.get(f"{url}/transcript", headers=site.worker).status_code == 404


def test_a_failed_job_keeps_its_source(site: Site, job: Job) -> None:
    send(site, started(job))
    send(site, Failed(job_id=job.id, attempt=1, worker="cpu-1", error="no luck; try again", code="test"))
    with context.ledger().read() as con:
        assert jobs.get(con, job.id).error == "no luck; try again"
    assert context.files().exists(names.media_name(job.media_sha256))


def operator(site: Site) -> dict[str, str]:
    return {"Authorization": f"Bearer {operator_token(site.settings).get_secret_value()}"}


def test_users_are_made_by_the_command_line(site: Site) -> None:
    order = {"name": "zoe", "role": "admin", "actor": "cli:anna"}
    told = site.client.post("/internal/v1/admin/users", json=order, headers=operator(site)).json()
    assert site.log_in("zoe", told["password"]).json()["must_change_password"] is True
    with context.ledger().read() as con:
        assert audit.page(con, action="user.create", limit=1)[0].actor == "cli:anna"


def test_a_password_reset_ends_the_users_sessions(site: Site) -> None:
    site.sign_in("ada")
    told = site.client.post("/internal/v1/admin/passwords", json={"name": "ada"}, headers=operator(site)).json()
    assert site.client.get("/recordings/x").status_code == 401
    assert site.log_in("ada", told["password"]).status_code == 200
    assert (
        site.client.post("/internal/v1/admin/passwords", json={"name": "zoe"}, headers=operator(site)).status_code
        == 404
    )


def test_a_key_made_by_the_command_line_lets_its_user_in(site: Site) -> None:
    order = {"user": "ada", "name": "laptop"}
    secret = site.client.post("/internal/v1/admin/keys", json=order, headers=operator(site)).json()["secret"]
    assert site.client.get("/v1/models", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_backup_is_a_ledger_that_opens(site: Site, tmp_path: Path, job: Job) -> None:
    from storage.ledger import Ledger

    to = str(tmp_path / "copy.duckdb")
    assert site.client.post("/internal/v1/admin/backups", json={"to": to}, headers=operator(site)).json()["path"] == to
    again = site.client.post("/internal/v1/admin/backups", json={"to": to}, headers=operator(site))
    assert (again.status_code, again.json()["error"]["param"]) == (400, "to")
    with Ledger.open(Path(to)) as copy, copy.read() as con:
        assert jobs.get(con, job.id).name == "talk.wav"


def test_the_audit_chain_is_verified_while_serving(site: Site, job: Job) -> None:
    told = site.client.get("/internal/v1/admin/audit", headers=operator(site)).json()
    assert told["broken_at"] is None
    assert told["rows"] > 0


def test_a_ledger_with_jobs_is_not_rebuilt_over(site: Site, job: Job) -> None:
    answer = site.client.post("/internal/v1/admin/rebuild", json={}, headers=operator(site))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "ledger")


def test_orders_that_are_not_understood_are_refused(site: Site) -> None:
    for order in ({"name": "x", "colour": "red"}, {"role": "king", "name": "x"}, {"actor": "user:1", "name": "x"}):
        assert site.client.post("/internal/v1/admin/users", json=order, headers=operator(site)).status_code == 400


def test_logs_hold_neither_secrets_nor_names(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        site.log_in("ada", "a wrong password")
        site.client.get("/v1/models", headers={"Authorization": "Bearer wt_very_secret"})
        site.client.post("/internal/v1/admin/passwords", json={"name": "ada"}, headers=operator(site))
    told = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert "a wrong password" not in told
    assert "wt_very_secret" not in told
    assert site.token not in told
    with context.ledger().read() as con:
        assert users.by_name(con, "ada") is not None
