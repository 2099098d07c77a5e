"""The internal API for flow runs and the command line."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from dashboards.runtime import context, notify, upkeep
from dashboards.runtime.limits import Limits
from storage.accounts import profiles, users, worker_tokens
from storage.domain import names
from storage.domain.errors import StorageUnreachable
from storage.domain.records import AlignmentState, Job, JobState, from_json, to_json
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.jobs.reports import Completed, Exporting, Failed, Planned, Report, SpanHeard, Started
from storage.ledger import audit
from storage.maintenance import legacy_database, legacy_import
from storage.remote.alignment_reports import AlignmentReport
from storage.remote.worker_registry import ModelState, WorkerBeat
from tests.dashboards.site import Site, running
from tests.factories import SPANS, accept, heartbeat, transcript_of
from tests.storage.maintenance.legacy import LegacyApp
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


def submit(site: Site, data: bytes, **fields: str) -> Job:
    answer = site.client.post(
        "/internal/v1/jobs", files={"file": ("talk.wav", data)}, data={"owner": "ada"} | fields, headers=site.operator
    )
    assert answer.status_code in {200, 201}, answer.text
    return from_json(Job, answer.content)


def send(site: Site, report: Report) -> Any:
    return site.client.post("/internal/v1/reports", content=to_json(report), headers=site.worker)


@pytest.fixture
def job(site: Site, tone: Callable[..., bytes]) -> Job:
    return submit(site, tone())


def started(job: Job, *, attempt: int = 1) -> Started:
    return Started(job_id=job.id, attempt=attempt, worker="cpu-1")


@pytest.mark.own_site
def test_an_account_without_hours_is_refused_before_its_file_is_probed(site: Site) -> None:
    context.ledger().run(profiles.set_quota, site.user("ada").id, hours=0, size_bytes=None, actor="system:test")
    form: dict[str, Any] = {"files": {"file": ("junk.wav", b"no sound at all")}, "data": {"owner": "ada"}}
    answer = site.client.post("/internal/v1/jobs", headers=site.operator, **form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "hours_used_up")


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
            notify.tell("another", site.user("bob").id)
            assert other.receive_json()["job_id"] == "another"


def test_an_administrator_may_follow_everybody(site: Site, job: Job) -> None:
    site.sign_in("root")
    with site.client.websocket_connect("/events?all=1") as page:
        send(site, started(job))
        read_until(page, job.id, "ingesting")


def test_changes_faster_than_a_page_reads_are_sent_once(site: Site, job: Job) -> None:
    site.sign_in("ada")
    with site.client.websocket_connect("/events") as page:
        for _ in range(50):
            notify.tell(job.id, job.owner_id)
        send(site, started(job))
        assert read_until(page, job.id, "ingesting") < 10


def beat(**more: Any) -> WorkerBeat:
    return heartbeat(**({"slots": 2} | more))


@pytest.mark.own_site
def test_a_worker_is_offered_clips_until_told_to_come_back(settings: Settings, tone: Callable[..., bytes]) -> None:
    path = "/internal/v1/clips?worker=gpu-1"
    with running(settings, Limits(worker_listens_s=0.3)) as site:
        told = replace(submit(site, tone()), model="tiny", fingerprint="f00d")
        offer = partial(context.current().clip_offers.offer, told, ["gpu-1"])
        with site.client.websocket_connect(path, headers=site.worker) as listening:
            assert site.client.portal is not None
            assert site.client.portal.call(offer) == "gpu-1"
            assert from_json(Job, listening.receive_text()) == told
            with pytest.raises(WebSocketDisconnect) as end:
                listening.receive_text()
        assert end.value.code == 1000
        assert site.client.portal.call(offer) is None


@pytest.fixture
def machines(site: Site) -> Iterator[dict[str, dict[str, str]]]:
    """The headers of three workers that call themselves gpu-1, one with the shared token."""
    ledger, by = context.ledger(), "user:root"
    made = {name: ledger.run(worker_tokens.create, name=name, actor=by) for name in ("attic", "cellar")}
    own = {f"{name}/gpu-1": {"Authorization": f"Bearer {secret}"} for name, (secret, _) in made.items()}
    yield own | {"gpu-1": site.worker}
    for _, token in made.values():
        ledger.run(worker_tokens.revoke, token.id, actor=by)


@pytest.mark.own_site
def test_a_heartbeat_speaks_for_no_worker_of_another_token(site: Site, machines: dict[str, dict[str, str]]) -> None:
    said = {name: beat(name="gpu-1", pid=pid) for pid, name in enumerate(machines)}
    for name, headers in machines.items():
        site.client.post("/internal/v1/heartbeats", content=to_json(said[name]), headers=headers).raise_for_status()
    found = {each.name: each for each in context.workers().alive()}
    assert found == {name: replace(beat, name=name) for name, beat in said.items()}
    site.client.delete("/internal/v1/heartbeats/gpu-1", headers=machines["cellar/gpu-1"]).raise_for_status()
    assert {each.name for each in context.workers().alive()} == {"attic/gpu-1", "gpu-1"}


@pytest.mark.own_site
@pytest.mark.parametrize("chosen", ["attic/gpu-1", "gpu-1"])
def test_another_machines_token_is_offered_nothing_of_a_workers(
    site: Site, tone: Callable[..., bytes], machines: dict[str, dict[str, str]], chosen: str
) -> None:
    tiny = ModelState(name="tiny", fingerprint="f00d", state="ready")
    (spy, *_) = machines.keys() - {chosen}
    for name, is_ready in ((chosen, True), (spy, False)):
        told = beat(name="gpu-1", default_model=tiny if is_ready else None)
        assert site.client.post("/internal/v1/heartbeats", content=to_json(told), headers=machines[name]).is_success
    job, path = submit(site, tone()), "/internal/v1/clips?worker=gpu-1"

    def offer() -> str | None:
        return context.current().clip_offers.offer(job, context.workers().ready_for("f00d"))

    assert site.client.portal is not None
    with site.client.websocket_connect(path, headers=machines[spy]):
        assert site.client.portal.call(offer) is None
        with site.client.websocket_connect(path, headers=machines[chosen]) as listening:
            assert site.client.portal.call(offer) == chosen
            assert from_json(Job, listening.receive_text()) == job


@pytest.mark.parametrize("together", [False, True])
def test_reports_are_recorded_under_the_name_of_who_sends_them(
    site: Site, tone: Callable[..., bytes], machines: dict[str, dict[str, str]], together: bool
) -> None:
    for name, headers in machines.items():
        job = submit(site, tone())
        said: dict[str, Any] = {"job_id": job.id, "attempt": 1, "worker": "gpu-1"}
        stored_as = names.transcript_name(job.id)
        context.files().write(stored_as, to_json(transcript_of(job)))
        plan = Planned(**said, duration_s=10, speech_s=6, language="en", language_probability=None, spans=SPANS[:1])
        heard = SpanHeard(**said, index=0, result="results/r", engine_s=0.1)
        done = Completed(**said, transcript=stored_as, exports={}, earlier=(plan, heard) if together else ())
        for report in (Started(**said), *(() if together else (plan, heard)), done):
            body = to_json(report)
            site.client.post("/internal/v1/reports", content=body, headers=headers).raise_for_status()
        with context.ledger().read() as con:
            assert {row.actor for row in audit.page(con, subject=job.id)} == {"worker:http", f"worker:{name}"}
            assert [span.worker for span in job_store.spans_of(con, job.id)] == [name]


@pytest.mark.own_site
def test_no_token_speaks_under_another_tokens_name(
    site: Site, job: Job, machines: dict[str, dict[str, str]], batch_of_ada: None
) -> None:
    spoken = "attic/gpu-1"
    form = {"owner": "ada", "key": "k", "actor": f"worker:{spoken}"}
    aligned = AlignmentReport(worker=spoken, state=AlignmentState.RUNNING)
    for headers in (machines["cellar/gpu-1"], machines["gpu-1"]):
        for path, body in (
            ("/internal/v1/heartbeats", to_json(beat(name=spoken))),
            ("/internal/v1/reports", to_json(replace(started(job), worker=spoken))),
            ("/internal/v1/alignments/some", to_json(aligned)),
            ("/internal/v1/known-recordings", json.dumps(form).encode()),
        ):
            answer = site.client.post(path, content=body, headers=headers)
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "worker"), path
        with pytest.raises(WebSocketDisconnect):
            site.client.websocket_connect(f"/internal/v1/clips?worker={spoken}", headers=headers).__enter__()
    assert spoken not in {each.name for each in context.workers().alive()}


def test_heartbeats_make_a_worker_known_and_a_good_bye_forgets_it(site: Site) -> None:
    tiny = ModelState(name="tiny", fingerprint="f00d", state="ready")
    answer = site.client.post("/internal/v1/heartbeats", content=to_json(beat(default_model=tiny)), headers=site.worker)
    assert answer.json() == {"wanted_models": []}
    assert context.workers().slots("gpu") == 2
    assert site.client.delete("/internal/v1/heartbeats/gpu-1", headers=site.worker).status_code == 204
    assert context.workers().slots("gpu") == 0


def test_a_worker_gets_the_names_of_wanted_models(site: Site) -> None:
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
        "/internal/v1/jobs", files={"file": ("a.wav", tone())}, data={"owner": "zoe"}, headers=site.operator
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_bytes_that_lie_on_storage_become_a_job(site: Site, job: Job) -> None:
    asked = {"owner": "bob", "name": "again.wav", "media_sha256": job.media_sha256, "media_bytes": job.media_bytes}
    answer = site.client.post("/internal/v1/jobs", json=asked | {"actor": "cli:anna"}, headers=site.operator)
    assert answer.json()["owner_id"] == site.user("bob").id
    missing = site.client.post("/internal/v1/jobs", json=asked | {"media_sha256": "0" * 64}, headers=site.operator)
    assert missing.json()["error"]["code"] == "not_stored"


def test_a_job_can_be_looked_at_from_all_sides(site: Site, job: Job) -> None:
    url = f"/internal/v1/jobs/{job.id}"
    assert from_json(Job, site.client.get(url, headers=site.operator).content).id == job.id
    assert site.client.get(f"{url}/exports", headers=site.operator).json() == {}
    assert site.client.get(f"{url}/spans", headers=site.operator).json() == []
    assert site.client.get(f"{url}/transcript", headers=site.operator).status_code == 404


@pytest.mark.own_site
def test_the_queue_is_told_in_its_order(site: Site) -> None:
    first, second = (accept(context.ledger(), site.user("ada"), content=name).id for name in ("first", "second"))
    told = site.client.get("/internal/v1/queue", headers=site.operator).json()
    assert told == [{"id": first, "done_in_s": None}, {"id": second, "done_in_s": None}]  # no speed was measured yet


@pytest.fixture
def batch_of_ada(site: Site) -> None:
    """Let scheduled batches read a folder, as ada's."""
    web = site.settings.web.model_copy(update={"batch_sources": "ada=/srv/dictation"})
    site.settings.__dict__["web"] = web


@pytest.mark.own_site
def test_a_worker_makes_jobs_only_for_owners_of_listed_sources(
    site: Site, tone: Callable[..., bytes], batch_of_ada: None
) -> None:
    def ask(owner: str, actor: str) -> Any:
        form = {"owner": owner, "actor": actor}
        return site.client.post("/internal/v1/jobs", files={"file": ("a.wav", tone())}, data=form, headers=site.worker)

    def known(owner: str) -> Any:
        asked = {"owner": owner, "key": "k", "again": True}
        return site.client.post("/internal/v1/known-recordings", json=asked, headers=site.worker)

    for owner in ("bob", "root", "admin"):
        for refused in (ask(owner, "worker:cpu-1"), known(owner)):
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_allowed"), owner
    assert known("ada").json() == {"outcome": None, "job": None}
    for actor, recorded in (("worker:cpu-1", "worker:cpu-1"), (f"user:{site.user('root').id}", "worker:http")):
        made = from_json(Job, ask("ada", actor).content)
        assert made.owner_id == site.user("ada").id
        with context.ledger().read() as con:
            assert audit.page(con, subject=made.id)[0].actor == recorded


def test_a_workers_token_opens_nothing_that_it_does_not_need(site: Site, job: Job, batch_of_ada: None) -> None:
    url, stored = f"/internal/v1/jobs/{job.id}", {"name": "mine.wav", "media_sha256": job.media_sha256}
    asked = stored | {"owner": "ada", "media_bytes": job.media_bytes}
    assert site.client.get(f"{url}/spans", headers=site.worker).status_code == 200
    context.ledger().run(job_store.cancel, job.id, actor="user:ada")
    for method, path, body in (
        ("GET", f"{url}/spans", None),
        ("GET", url, None),
        ("GET", "/internal/v1/queue", None),
        ("GET", f"{url}/exports", None),
        ("GET", f"{url}/transcript", None),
        ("POST", "/internal/v1/jobs", asked),
        ("POST", "/internal/v1/upkeep", None),
        ("POST", "/internal/v1/admin/backups", {}),
    ):
        answer = site.client.request(method, path, json=body, headers=site.worker)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed"), path


def test_a_worker_with_a_token_of_its_own_is_always_that_worker(
    site: Site, job: Job, tone: Callable[..., bytes], batch_of_ada: None
) -> None:
    secret, token = context.ledger().run(worker_tokens.create, name="gpu-box", actor="user:root")
    own = {"Authorization": f"Bearer {secret}"}
    report = site.client.post("/internal/v1/reports", content=to_json(started(job)), headers=own)
    assert report.status_code == 200, report.text
    form = {"owner": "ada", "actor": "worker:somebody-else"}
    made = site.client.post("/internal/v1/jobs", files={"file": ("b.wav", tone())}, data=form, headers=own)
    with context.ledger().read() as con:
        actors = {audit.page(con, subject=ident)[0].actor for ident in (job.id, made.json()["id"])}
    assert actors == {"worker:gpu-box/cpu-1", "worker:gpu-box/somebody-else"}

    context.ledger().run(worker_tokens.revoke, token.id, actor="user:root")
    for path, body in (("/internal/v1/reports", to_json(started(job))), ("/internal/v1/heartbeats", to_json(beat()))):
        assert site.client.post(path, content=body, headers=own).status_code == 401


def test_upkeep_is_done_where_storage_lets_nothing_be_swept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> int:
        raise StorageUnreachable("store", "PermissionError: no right to list uploads")

    monkeypatch.setattr(Files, "sweep", denied)
    answer = site.client.post("/internal/v1/upkeep", headers=site.operator)
    assert (answer.status_code, answer.json()["half_written"]) == (200, 0), answer.text


async def test_the_web_process_tidies_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    tidied = asyncio.Event()

    async def tidy() -> dict[str, Any]:
        if not tidied.is_set():
            tidied.set()
            raise OSError
        return {}

    monkeypatch.setattr(upkeep, "tidy", tidy)
    keeping = asyncio.create_task(upkeep.keep_tidy(first_after_s=0, every_s=0))
    await asyncio.wait_for(tidied.wait(), PATIENCE_S)
    await asyncio.sleep(0)
    assert not keeping.done()
    keeping.cancel()


def test_a_failed_job_keeps_its_source(site: Site, job: Job) -> None:
    send(site, started(job))
    send(site, Failed(job_id=job.id, attempt=1, worker="cpu-1", error="no luck; try again", code="test"))
    with context.ledger().read() as con:
        assert job_store.get(con, job.id).error == "no luck; try again"
    assert context.files().exists(names.media_name(job.media_sha256))


def test_users_are_made_by_the_command_line(site: Site) -> None:
    order = {"name": "zoe", "role": "admin", "actor": "cli:anna"}
    told = site.client.post("/internal/v1/admin/users", json=order, headers=site.operator).json()
    assert site.log_in("zoe", told["password"]).json()["must_change_password"] is True
    with context.ledger().read() as con:
        assert audit.page(con, action="user.create", limit=1)[0].actor == "cli:anna"


@pytest.mark.own_site
def test_a_password_reset_ends_the_users_sessions(site: Site) -> None:
    site.sign_in("ada")
    told = site.client.post("/internal/v1/admin/passwords", json={"name": "ada"}, headers=site.operator).json()
    assert site.client.get("/recordings/x").status_code == 401
    assert site.log_in("ada", told["password"]).status_code == 200
    assert (
        site.client.post("/internal/v1/admin/passwords", json={"name": "zoe"}, headers=site.operator).status_code == 404
    )


def test_a_key_made_by_the_command_line_lets_its_user_in(site: Site) -> None:
    order = {"user": "ada", "name": "laptop"}
    secret = site.client.post("/internal/v1/admin/keys", json=order, headers=site.operator).json()["secret"]
    assert site.client.get("/v1/models", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_a_backup_is_a_ledger_that_opens(site: Site, tmp_path: Path, job: Job) -> None:
    from storage.ledger.database import Ledger

    to = str(tmp_path / "copy.duckdb")
    assert site.client.post("/internal/v1/admin/backups", json={"to": to}, headers=site.operator).json()["path"] == to
    again = site.client.post("/internal/v1/admin/backups", json={"to": to}, headers=site.operator)
    assert (again.status_code, again.json()["error"]["param"]) == (400, "to")
    with Ledger.open(Path(to)) as copy, copy.read() as con:
        assert job_store.get(con, job.id).name == "talk.wav"


def test_the_audit_chain_is_verified_while_serving(site: Site, job: Job) -> None:
    told = site.client.get("/internal/v1/admin/audit", headers=site.operator).json()
    assert told["broken_at"] is None
    assert told["rows"] > 0
    assert told["problems"] == []
    order = {"heads": [{"at": "2026-11-29T02:00:00+00:00", "rows": told["rows"] + 9, "hash": "x"}]}
    shorter = site.client.post("/internal/v1/admin/audit", json=order, headers=site.operator).json()
    assert (shorter["heads"], len(shorter["problems"])) == (1, 1)
    with context.ledger().write() as con:
        con.execute("UPDATE users SET role = 'admin' WHERE name = 'ada'")
    (changed,) = site.client.get("/internal/v1/admin/audit", headers=site.operator).json()["problems"]
    assert "ada" in changed


def test_a_rebuild_keeps_the_jobs_that_the_ledger_has(site: Site, job: Job) -> None:
    answer = site.client.post("/internal/v1/admin/rebuild", json={}, headers=site.operator)
    assert (answer.status_code, answer.json()["jobs"]) == (200, 0)
    with context.ledger().read() as con:
        assert job_store.get(con, job.id).name == "talk.wav"


def test_an_imported_text_without_times_has_no_subtitles(site: Site, tmp_path: Path) -> None:
    older = LegacyApp(tmp_path / "older")
    older.add_job("a1", user_id="none")
    (legacy,) = legacy_database.read(older.database)
    assert isinstance(legacy, legacy_database.LegacyJob)
    ready = legacy_import.prepared(legacy, older.folder, owner="ada", max_hours=1, queue=False)
    assert isinstance(ready, legacy_import.Prepared)
    legacy_import.take_over(context.files(), ready)
    order = {"jobs": {ready.job_id: "a1"}, "actor": "cli:ada"}
    answers = [
        site.client.post("/internal/v1/admin/imports", json=order | more, headers=site.operator).json()
        for more in ({}, {"check": True}, {})
    ]
    assert [answer["imported"] for answer in answers] == [[ready.job_id], [], []]
    assert answers[1]["here"] == [ready.job_id]
    key = site.key_of(site.user("ada"))
    job = site.client.get(f"/api/v1/jobs/{ready.job_id}", headers=key).json()
    assert (job["state"], job["created_at"][:10]) == ("completed", "2025-11-01")
    refused = site.client.get(f"/api/v1/jobs/{ready.job_id}/exports/srt", headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "times_not_measured")
    aligned = {"text": "Good morning.", "version": 1}
    refused = site.client.post(f"/api/v1/jobs/{ready.job_id}/alignment", json=aligned, headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "times_not_measured")


def test_orders_that_are_not_understood_are_refused(site: Site) -> None:
    for order in ({"name": "x", "colour": "red"}, {"role": "king", "name": "x"}, {"actor": "user:1", "name": "x"}):
        assert site.client.post("/internal/v1/admin/users", json=order, headers=site.operator).status_code == 400


def test_logs_hold_neither_secrets_nor_names(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        site.log_in("ada", "a wrong password")
        site.client.get("/v1/models", headers={"Authorization": "Bearer wt_very_secret"})
        site.client.post("/internal/v1/admin/passwords", json={"name": "ada"}, headers=site.operator)
    told = json.dumps([record.__dict__ for record in caplog.records], default=str)
    assert "a wrong password" not in told
    assert "wt_very_secret" not in told
    assert site.token not in told
    with context.ledger().read() as con:
        assert users.by_name(con, "ada") is not None


def test_the_second_of_two_batches_with_one_file_learns_that_it_is_known(
    site: Site, tone: Callable[..., bytes]
) -> None:
    data = tone(1.5)

    def sent() -> Any:
        form = {"owner": "ada", "lane": "batch", "idempotency_key": "of-both"}
        return site.client.post(
            "/internal/v1/jobs", data=form, files={"file": ("talk.wav", data)}, headers=site.operator
        )

    first, second = sent(), sent()
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


@pytest.mark.own_site
def test_a_whole_file_takes_the_place_of_its_part(site: Site, tone: Callable[..., bytes]) -> None:
    part = submit(site, tone(1.0), lane="batch")
    other = submit(site, tone(2.0), lane="interactive")
    whole = submit(site, tone(3.0), lane="batch", replaces=part.id, actor="cli:anna")
    submit(site, tone(4.0), lane="batch", replaces=other.id)
    assert submit(site, tone(3.0), lane="batch", replaces=whole.id, idempotency_key="k").deleted_at is None
    with context.ledger().read() as con:
        assert job_store.get(con, part.id).deleted_at
        assert job_store.get(con, other.id).deleted_at is None
        assert [row.actor for row in audit.page(con, subject=part.id)][:2] == ["cli:anna", "cli:anna"]


@pytest.mark.own_site
def test_many_recordings_of_a_batch_are_known_by_their_keys_in_order(
    site: Site, tone: Callable[..., bytes], batch_of_ada: None
) -> None:
    made = submit(
        site, tone(), owner="ada", idempotency_key="k", actor="cli:anna", tags="news,radio", metadata='{"n": 1}'
    )
    assert (made.tags, made.metadata) == (("news", "radio"), {"n": "1"})

    def asked(owner: str, keys: list[str]) -> Any:
        body = {"owner": owner, "keys": keys}
        return site.client.post("/internal/v1/known-recordings/many", json=body, headers=site.worker)

    unknown, known = asked("ada", ["other", "k"]).raise_for_status().json()
    assert unknown["outcome"] is None
    assert (known["outcome"], known["job_id"], known["state"], known["stored_as"]) == ("known", made.id, "queued", None)
    context.ledger().run(job_store.cancel, made.id, actor="user:ada")
    assert asked("ada", ["k"]).json()[0]["outcome"] == "failed_before"
    context.ledger().run(job_store.delete, made.id, actor="user:ada")
    assert asked("ada", ["k"]).json()[0] | {"error": None} == unknown | {"outcome": "deleted_before"}
    assert asked("bob", ["k"]).status_code == 403
    assert asked("ada", ["k"] * 1001).status_code == 400
