"""Dispatching to a real Prefect server, and recovering lost runs; workers are simulated."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled, Cancelling, Completed, Crashed, Failed, Paused, Running

from dashboards.clients.prefect_runs import CLIP_S, DeploymentMissing, PrefectRuns, deployment_of, unless_busy
from dashboards.loops import reconciler as reconcile
from dashboards.loops.dispatcher import (
    CROWD,
    FAILED_FOR_S,
    LOOK_EVERY_S,
    SILENT_FOR_S,
    Dispatcher,
    Hopeless,
    Models,
    Waiting,
    let_in,
)
from dashboards.loops.reconciler import Grace, Reconciler
from dashboards.runtime import context, notify
from dashboards.runtime.context import Context
from flows.platform import deploy
from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.deployments import Deployment
from storage.domain.errors import ModelMissing, NotReady, StaleAttempt, StorageFull
from storage.domain.interruptions import QueueDeleted, RunMissing, RunPostponed
from storage.domain.job_messages import LanePaused, Requeued, RunPaused, WaitingForWorker, encode, text_of
from storage.domain.records import Job, JobState, Lane, Options
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs import job_store, manifests, platform_pause, queue_control, reports
from storage.jobs.reports import Started
from storage.ledger.database import Ledger
from storage.remote.worker_registry import HEARD_WITHIN, ModelState, WorkerBeat, Workers
from tests.factories import accept, heartbeat
from tests.flows.conftest import LEAN_SERVER, answers, free_port
from tests.processes import end
from tests.waiting import PATIENCE_S, until

READY = ModelState(name="tiny", fingerprint="f00d", state="ready")


@pytest.fixture(scope="module")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server of the tests' own, that knows our deployments."""
    port, home = free_port(), tmp_path_factory.mktemp("prefect")
    url = f"http://127.0.0.1:{port}/api"
    env = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    command = [sys.executable, "-m", "flows.platform.prefect_server", "127.0.0.1", str(port)]
    own = {"PREFECT_HOME": str(home), "PREFECT__SERVER_WEBSERVER_ONLY": "true", **LEAN_SERVER}
    with (home / "log").open("wb") as log, subprocess.Popen(command, env=env | own, stdout=log, stderr=log) as process:
        try:
            until(lambda: answers(f"{url}/health"))
            deploy.apply(url)
            yield url
        finally:
            end(process)


@pytest.fixture
async def holder(settings: Settings) -> AsyncIterator[Context]:
    files = Files.from_settings(settings.storage)
    with Ledger.open(settings.storage.ledger_path) as ledger:
        workers = Workers(now=utc_now() - HEARD_WITHIN)
        made = Context(settings=settings, ledger=ledger, files=files, workers=workers)
        with context.use(made):
            yield made


@pytest.fixture
async def runs(prefect_api: str) -> AsyncIterator[PrefectRuns]:
    async with PrefectRuns(prefect_api) as opened:
        yield opened


@pytest.fixture
def queue(holder: Context) -> Callable[..., Job]:
    """Return `queue(name, …)`: a job of ada's that waits for its turn."""

    def make(
        name: str = "talk.wav",
        *,
        owner: str = "ada",
        lane: Lane = Lane.INTERACTIVE,
        model: str = "auto",
        length_s: float | None = None,
    ) -> Job:
        with holder.ledger.read() as con:
            user = users.by_name(con, owner)
        assert user is not None
        asked = {"name": name, "options": Options(model=model), "lane": lane, "duration_s": length_s}
        return accept(holder.ledger, user, content=name, **asked)

    return make


def beat(pool: str, *, slots: int = 1, model: ModelState | None = None, flow_runs: tuple[str, ...] = ()) -> WorkerBeat:
    return heartbeat(pool, slots=slots, default_model=model, flow_runs=flow_runs)


def workers_come(
    holder: Context, *, model: ModelState = READY, flow_runs: tuple[str, ...] = (), gpu_slots: int = 2
) -> None:
    heard_at = utc_now() + timedelta(minutes=30)  # a slow machine does not make them silent in the middle of a test
    holder.workers.beat(beat("cpu", slots=1, flow_runs=flow_runs), now=heard_at)
    holder.workers.beat(beat("gpu", slots=gpu_slots, model=model), now=heard_at)


def now(holder: Context, job: Job) -> Job:
    with holder.ledger.read() as con:
        return job_store.get(con, job.id)


async def put(runs: PrefectRuns, ident: UUID, state: State[Any]) -> None:
    """Play a worker, or somebody in Prefect's UI, who moves a flow run."""
    await unless_busy(partial(runs._client.set_flow_run_state, ident, state, force=True))


async def flow_run(runs: PrefectRuns, job: Job) -> FlowRun:
    return await runs._client.read_flow_run(UUID(job.flow_run_id))


async def test_a_job_becomes_a_flow_run_of_its_lane_with_the_model_on_record(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    job = queue(lane=Lane.BATCH)
    assert await Dispatcher().hand_out(runs) == 1
    job = now(holder, job)
    assert (job.model, job.fingerprint, job.state) == ("tiny", "f00d", JobState.QUEUED)
    run = await flow_run(runs, job)
    assert run.parameters == {"job_id": job.id, "attempt": 1, "slots": 2}
    assert run.work_queue_name == "batch"
    assert run.name.startswith("talk.wav")
    assert {f"job:{job.id}", f"owner:{job.owner_id}", "batch", f"model:{READY.fingerprint}"} <= set(run.tags)


async def test_a_clip_takes_one_flow_run_on_the_pool_with_the_models(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    job = queue(length_s=9.0)
    assert await Dispatcher().hand_out(runs) == 1
    run = await flow_run(runs, now(holder, job))
    assert run.parameters == {"job_id": job.id, "attempt": 1}
    assert (run.work_pool_name, run.work_queue_name) == ("gpu", "interactive")


async def test_a_lone_clip_is_offered_to_a_worker_that_has_its_model(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    job = queue(length_s=9.0)
    with holder.clip_offers.listening("gpu-1") as offers:
        await Dispatcher().hand_out(runs)
        offered = offers.get_nowait()
    assert (offered.id, offered.attempt, offered.model, offered.fingerprint) == (job.id, 1, "tiny", "f00d")
    assert "begun:gpu-1" in (await flow_run(runs, now(holder, job))).tags


async def test_a_run_is_left_to_a_worker_with_its_own_token_by_the_name_that_prefect_knows(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    holder.workers.beat(heartbeat(name="attic/gpu-1", default_model=READY))
    job = queue(length_s=9.0)
    with holder.clip_offers.listening("attic/gpu-1") as offers:
        await Dispatcher().hand_out(runs)
        assert offers.qsize() == 1
    assert "begun:gpu-1" in (await flow_run(runs, now(holder, job))).tags


async def test_a_clip_is_offered_once_however_often_prefect_is_asked(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    workers_come(holder)
    job, dispatcher = queue(length_s=9.0), Dispatcher()

    async def refuse(*_: object, **__: object) -> str:
        raise ConnectionError

    with holder.clip_offers.listening("gpu-1") as offers:
        with monkeypatch.context() as away:
            away.setattr(runs, "start", refuse)
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    await dispatcher.hand_out(runs)
        assert await dispatcher.hand_out(runs) == 1
        assert offers.qsize() == 1
    assert "begun:gpu-1" in (await flow_run(runs, now(holder, job))).tags


async def test_the_fastest_worker_with_a_free_slot_is_offered_a_clip_first(holder: Context) -> None:
    for name, speech_per_s, busy in (("gpu-1", None, 0), ("gpu-2", 3.0, 0), ("gpu-3", 9.0, 0), ("gpu-4", 12.0, 1)):
        holder.workers.beat(heartbeat(name=name, default_model=READY, speech_per_s=speech_per_s, busy=busy))
    assert holder.workers.ready_for("f00d") == ["gpu-3", "gpu-2", "gpu-1", "gpu-4"]


async def test_what_does_not_come_alone_or_is_no_clip_is_offered_to_nobody(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    with holder.clip_offers.listening("gpu-1") as offers:
        dispatcher = Dispatcher()
        queue("long.wav", length_s=CLIP_S + 1)
        assert await dispatcher.hand_out(runs) == 1
        beside = queue("beside.wav", length_s=9.0)
        assert await dispatcher.hand_out(runs) == 1
        assert offers.empty()
    assert not [tag for tag in (await flow_run(runs, now(holder, beside))).tags if tag.startswith("begun:")]


async def test_of_two_clips_that_wait_none_is_offered(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    queue("one.wav", length_s=9.0)
    queue("two.wav", length_s=9.0)
    with holder.clip_offers.listening("gpu-1") as offers:
        assert await Dispatcher().hand_out(runs) == 2
        assert offers.empty()


@pytest.mark.parametrize("given", [{"draining": True}, {"slots": 0}, {"pool": "cpu"}, {"default_model": None}])
async def test_a_worker_that_takes_no_runs_or_lacks_the_model_is_offered_nothing(
    holder: Context, given: dict[str, Any]
) -> None:
    usual: dict[str, Any] = {"name": "gpu-1", "pool": "gpu", "default_model": READY}
    holder.workers.beat(heartbeat(**usual))
    assert holder.workers.ready_for("f00d") == ["gpu-1"]
    assert holder.workers.ready_for("another") == []
    holder.workers.beat(heartbeat(**(usual | given)))
    assert holder.workers.ready_for("f00d") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"duration_s": None},
        {"duration_s": CLIP_S + 0.1},
        {"apart": True},
        {"options": Options(diarize=True)},
        {"options": Options(channels="split")},
    ],
)
def test_what_is_not_surely_one_span_takes_the_long_way(
    holder: Context, queue: Callable[..., Job], changed: dict[str, Any]
) -> None:
    job = queue(length_s=CLIP_S)
    assert deployment_of(job) is Deployment.TRANSCRIBE_CLIP
    assert deployment_of(replace(job, **changed)) is Deployment.TRANSCRIBE_RECORDING
    assert deployment_of(job, cluster_lanes={job.lane}) is Deployment.TRANSCRIBE_RECORDING


async def test_no_more_than_the_limit_are_in_flight(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    made = [queue(f"{number}.wav") for number in range(4)]
    dispatcher = Dispatcher()
    assert dispatcher.limit() == 2
    assert await dispatcher.hand_out(runs) == 2
    assert await dispatcher.hand_out(runs) == 0
    holder.ledger.run(job_store.cancel, made[0].id, actor="system:test")
    assert await dispatcher.hand_out(runs) == 1
    assert now(holder, made[3]).flow_run_id is None


async def test_a_process_killed_between_creation_and_record_starts_no_second_run(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    job = queue()
    lost = await runs.start(job, slots=1)
    assert await Dispatcher().hand_out(runs) == 1
    assert now(holder, job).flow_run_id == lost


async def test_a_run_that_reports_before_its_submission_is_on_record_is_adopted(
    holder: Context, queue: Callable[..., Job]
) -> None:
    job, dispatcher = queue(), Dispatcher()
    report = Started(job_id=job.id, attempt=1, worker="cpu-1", flow_run_id="run-1")
    with pytest.raises(NotReady):
        await dispatcher.adopt(report)
    workers_come(holder)
    await dispatcher.adopt(report)
    assert (now(holder, job).model, now(holder, job).flow_run_id) == ("tiny", "run-1")


async def test_a_new_job_is_handed_on_at_once(holder: Context, prefect_api: str, queue: Callable[..., Job]) -> None:
    workers_come(holder)
    dispatcher = Dispatcher(look_every_s=3600)
    holder.wake_dispatcher = dispatcher.wake
    async with PrefectRuns(prefect_api) as runs:
        task = asyncio.create_task(dispatcher.run(runs))
        await asyncio.sleep(0.5)
        job = queue()
        with holder.bus.listen(job_id=job.id) as listener:
            notify.announce(job)
            await listener.next()
            await listener.next(wait_s=PATIENCE_S)  # without being woken it takes an hour
        assert now(holder, job).flow_run_id is not None
        assert holder.prefect_has_answered
        task.cancel()


async def test_a_line_for_the_reader_of_a_job_that_has_ended_meanwhile_hides_nothing(
    holder: Context, queue: Callable[..., Job]
) -> None:
    waiting = queue()
    with holder.bus.listen() as listener:
        notify.announce(holder.ledger.run(job_store.cancel, waiting.id, actor="user:ada"))
        await notify.note(waiting, WaitingForWorker())
        await asyncio.sleep(0)
        (news,) = await listener.next(wait_s=PATIENCE_S)
    assert (news["state"], news["detail"]) == ("cancelled", "cancelled")


async def test_while_prefect_is_away_jobs_wait_and_say_so(holder: Context, queue: Callable[..., Job]) -> None:
    workers_come(holder)
    job = queue()
    async with PrefectRuns("http://127.0.0.1:9/api") as runs:
        with holder.bus.listen(job_id=job.id) as listener:
            task = asyncio.create_task(Dispatcher().run(runs))
            await listener.next(wait_s=PATIENCE_S)
        assert text_of(now(holder, job).detail) == "waiting for the Prefect server"
        assert not holder.prefect_has_answered
        assert not task.done()
        task.cancel()


async def tried_twice(task: "asyncio.Task[None]", tries: "asyncio.Queue[None]") -> None:
    """Wait until the loop has gone on after a failure, and end it."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(2):
            tried = asyncio.create_task(tries.get())
            await asyncio.wait({task, tried}, return_when=asyncio.FIRST_COMPLETED)
            assert not task.done(), task.exception()
    task.cancel()


async def test_a_disk_that_is_full_ends_no_dispatcher(
    holder: Context, queue: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why jobs wait cannot be noted then, and Prefect, whose database is on that disk, is away, too."""
    workers_come(holder)
    queue()
    tries = asyncio.Queue[None]()

    async def note(*_: object) -> None:
        tries.put_nowait(None)
        raise StorageFull("the ledger", "No space left on device")

    monkeypatch.setattr(notify, "note", note)
    async with PrefectRuns("http://127.0.0.1:9/api") as runs:
        task = asyncio.create_task(Dispatcher().run(runs))
        await tried_twice(task, tries)


async def test_a_disk_that_is_full_ends_no_reconciler(
    holder: Context, runs: PrefectRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries, loop = asyncio.Queue[None](), asyncio.get_running_loop()

    def catch_up(*_: object) -> None:
        loop.call_soon_threadsafe(tries.put_nowait, None)
        raise StorageFull("the ledger", "No space left on device")

    monkeypatch.setattr(manifests, "catch_up", catch_up)
    reconciler = Reconciler()
    task = asyncio.create_task(reconciler.run(runs))
    reconciler.wake()
    await tried_twice(task, tries)


async def test_a_job_without_a_worker_and_without_prefect_keeps_one_reason(
    holder: Context, queue: Callable[..., Job]
) -> None:
    job = queue()
    async with PrefectRuns("http://127.0.0.1:9/api") as runs:
        with holder.bus.listen(job_id=job.id) as listener:
            task = asyncio.create_task(Dispatcher().run(runs))
            await listener.next(wait_s=PATIENCE_S)
        told = now(holder, job)
        commits = holder.ledger.changes
        await asyncio.sleep(2.5)  # several tries
        assert not task.done()
        task.cancel()
    assert text_of(told.detail) == "waiting for a worker"
    assert now(holder, job) == told
    assert holder.ledger.changes == commits


async def test_a_server_without_our_deployments_is_said_to_be_so(
    holder: Context, prefect_api: str, queue: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "full_name", "no-such-flow/no-such-deployment")
    async with PrefectRuns(prefect_api) as runs:
        with pytest.raises(DeploymentMissing):
            await runs.start(queue(), slots=1)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (None, "waiting for a worker"),
        (
            ModelState(name="small", fingerprint=None, state="downloading", progress=0.43),
            "downloading model small: 43%",
        ),
        (ModelState(name="small", fingerprint=None, state="downloading"), "downloading model small"),
    ],
)
async def test_a_job_says_what_it_waits_for(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], model: ModelState | None, said: str
) -> None:
    job = queue()
    if model:
        workers_come(holder, model=model)
    assert await Dispatcher().hand_out(runs) == 0
    assert text_of(now(holder, job).detail) == said


async def test_a_job_whose_model_is_on_its_way_holds_nobody_up(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    waiting = [queue(f"{number}.wav", model="large-v3") for number in range(5)]
    job = queue("mine.wav", owner="bob")
    assert await Dispatcher().hand_out(runs) == 1
    assert now(holder, job).model == "tiny"
    assert text_of(now(holder, waiting[0]).detail) == "waiting for a worker to report model large-v3"
    assert holder.workers.beat(beat("gpu", model=READY)) == ("large-v3",)


async def test_a_model_that_cannot_be_had_fails_the_job_after_a_second_try(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    clock = [0.0]
    dispatcher = Dispatcher()
    dispatcher.models = Models(lambda: clock[0])
    job = queue(model="large-v3")
    workers_come(holder)
    said = str(ModelMissing("large-v3", "the hub does not answer"))
    gone = ModelState(name="large-v3", fingerprint=None, state="failed", warning=said)
    holder.workers.beat(replace(beat("gpu", model=READY), models=(gone,)))
    await dispatcher.hand_out(runs)
    assert text_of(now(holder, job).detail) == "retrying model large-v3"
    clock[0] += FAILED_FOR_S
    await dispatcher.hand_out(runs)
    job = now(holder, job)
    assert job.state is JobState.FAILED
    assert text_of(job.error) == said


async def test_a_hundred_jobs_with_a_wrong_model_hold_nobody_up_and_fail_together(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    clock = [0.0]
    dispatcher = Dispatcher()
    dispatcher.models = Models(lambda: clock[0])
    bad = [queue(f"{number}.wav", model="typo") for number in range(100)]
    good = queue("good.wav")
    workers_come(holder)
    gone = ModelState(name="typo", fingerprint=None, state="failed", warning="typo is no model; choose another")
    holder.workers.beat(replace(beat("gpu", model=READY), models=(gone,)))
    assert await dispatcher.hand_out(runs) == 1
    assert now(holder, good).flow_run_id is not None
    assert {text_of(now(holder, job).detail) for job in bad} == {"retrying model typo"}
    clock[0] += FAILED_FOR_S
    await dispatcher.hand_out(runs)
    assert {(now(holder, job).state, text_of(now(holder, job).error)) for job in bad} == {
        (JobState.FAILED, gone.warning)
    }


async def test_jobs_no_longer_say_that_they_wait_for_a_model_once_it_is_there(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    made = [queue(f"{number}.wav") for number in range(4)]
    dispatcher = Dispatcher()
    assert await dispatcher.hand_out(runs) == 0
    assert {text_of(now(holder, job).detail) for job in made} == {"waiting for a worker"}
    workers_come(holder)
    assert await dispatcher.hand_out(runs) == 2
    assert now(holder, made[3]).detail == ""


async def test_a_paused_platform_hands_out_nothing_and_waiting_jobs_say_why(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    running = queue("running.wav")
    dispatcher = Dispatcher()
    assert await dispatcher.hand_out(runs) == 1
    holder.ledger.run(platform_pause.pause, "new disks", actor="system:test")
    waiting = queue("waiting.wav")
    assert await dispatcher.hand_out(runs) == 0
    assert text_of(now(holder, waiting).detail) == "paused for maintenance: new disks"
    with holder.ledger.read() as con:
        assert platform_pause.running(con) == 1
    holder.ledger.run(job_store.cancel, running.id, actor="system:test")
    with holder.ledger.read() as con:
        assert platform_pause.running(con) == 0
    holder.ledger.run(platform_pause.resume, actor="system:test")
    assert now(holder, waiting).detail == ""
    assert await dispatcher.hand_out(runs) == 1


async def test_a_job_that_the_limit_for_one_person_holds_back_says_so(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    holder.settings.__dict__["web"] = holder.settings.web.model_copy(update={"jobs_in_flight_per_user": 1})
    workers_come(holder)
    first, second, third = (queue(f"{number}.wav") for number in range(3))
    other = queue("other.wav", owner="bob")
    dispatcher = Dispatcher()
    assert await dispatcher.hand_out(runs) == 2
    held = [text_of(now(holder, job).detail) for job in (first, second, third, other)]
    said = "waiting for other recordings of its owner: at most 1 of one person are in progress at a time"
    assert held == ["", said, said, ""]
    changes = holder.ledger.changes
    await dispatcher.hand_out(runs)
    assert holder.ledger.changes == changes  # what is said already is not written again
    holder.ledger.run(job_store.cancel, first.id, actor="system:test")
    assert await dispatcher.hand_out(runs) == 1
    assert [text_of(now(holder, job).detail) for job in (second, third)] == ["", said]


@pytest.mark.parametrize("how", [{"is_paused": True}, {"concurrency_limit": 0}])
async def test_a_paused_queue_holds_up_its_own_lane_alone(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], prefect_api: str, how: dict[str, Any]
) -> None:
    workers_come(holder)
    batch = [queue(f"{number}.wav", lane=Lane.BATCH) for number in range(4)]
    dispatcher = Dispatcher()
    with deploy.prefect_http(prefect_api) as http:
        http.patch("/work_pools/gpu/queues/batch", json=how).raise_for_status()
        try:
            assert await dispatcher.hand_out(runs) == 2  # it learns of the pause at the end
            mine = queue("mine.wav", owner="bob")
            assert await dispatcher.hand_out(runs) == 1
            assert now(holder, mine).flow_run_id is not None
            assert now(holder, batch[3]).detail == encode(LanePaused(pool="gpu", queue="batch"))
        finally:
            goes_on = {"is_paused": False, "concurrency_limit": None}
            http.patch("/work_pools/gpu/queues/batch", json=goes_on).raise_for_status()
    dispatcher._paused_known_at = None
    await dispatcher.hand_out(runs)
    assert now(holder, batch[3]).detail == ""


async def test_a_paused_pool_is_named(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], prefect_api: str
) -> None:
    workers_come(holder)
    dispatcher = Dispatcher()
    with deploy.prefect_http(prefect_api) as http:
        http.patch("/work_pools/cpu", json={"is_paused": True}).raise_for_status()
        try:
            await dispatcher.hand_out(runs)
            job = queue()
            assert await dispatcher.hand_out(runs) == 0
            assert now(holder, job).detail == encode(LanePaused(pool="cpu"))
        finally:
            http.patch("/work_pools/cpu", json={"is_paused": False}).raise_for_status()


async def test_a_model_that_no_worker_speaks_of_fails_the_job_in_the_end(holder: Context) -> None:
    clock = [0.0]
    models = Models(lambda: clock[0])
    workers_come(holder)
    assert isinstance(models.choose("nonsense"), Waiting)
    while clock[0] < SILENT_FOR_S:
        assert isinstance(models.choose("nonsense"), Waiting)
        clock[0] += LOOK_EVERY_S
    assert isinstance(models.choose("nonsense"), Hopeless)


async def test_a_job_does_not_pay_for_how_long_others_waited_for_its_model(holder: Context) -> None:
    clock = [0.0]
    models = Models(lambda: clock[0])
    workers_come(holder)
    assert isinstance(models.choose("large-v3"), Waiting)
    clock[0] += SILENT_FOR_S + 1
    assert isinstance(models.choose("large-v3"), Waiting)


async def test_a_download_that_fails_late_gets_its_second_try(holder: Context) -> None:
    clock = [0.0]
    models = Models(lambda: clock[0])
    for asked in range(10):
        state: Literal["downloading", "failed"] = "downloading" if asked < 9 else "failed"
        model = ModelState(name="large-v3", fingerprint=None, state=state)
        holder.workers.beat(replace(beat("gpu", model=READY), models=(model,)))
        assert isinstance(models.choose("large-v3"), Waiting)
        clock[0] += LOOK_EVERY_S
    clock[0] += FAILED_FOR_S
    assert isinstance(models.choose("large-v3"), Hopeless)


async def handed_out(holder: Context, runs: PrefectRuns, queue: Callable[..., Job]) -> Job:
    workers_come(holder)
    job = queue()
    await Dispatcher().hand_out(runs)
    return now(holder, job)


GONE = "again: its queue was deleted in Prefect"
NO_GRACE = Grace(report_within=timedelta(0), end_within=timedelta(0), silent_for=timedelta(0))


@pytest.mark.parametrize("state", [Crashed(message="its process died"), Failed(message="out of luck"), Completed()])
async def test_a_run_that_ends_without_a_result_sends_the_job_round_again(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], state: State[Any]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), state)
    await Reconciler(NO_GRACE).look(runs)
    again = now(holder, job)
    assert (again.state, again.attempt, again.flow_run_id) == (JobState.QUEUED, 2, None)
    assert text_of(again.detail).startswith("again: its flow run")
    assert await Dispatcher().hand_out(runs) == 1
    assert now(holder, job).flow_run_id not in {None, job.flow_run_id}


async def test_a_job_that_keeps_crashing_fails_and_says_so(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    for _ in range(3):
        job = now(holder, job)
        await put(runs, UUID(job.flow_run_id), Crashed(message="its process died"))
        await Reconciler(NO_GRACE).look(runs)
        await Dispatcher().hand_out(runs)
    job = now(holder, job)
    assert job.state is JobState.FAILED
    assert "its process died" in text_of(job.error)


AWAY: State[Any] = Failed(name="StorageUnreachable", message="storage did not answer for spans/x (read-only)")


@pytest.mark.parametrize(
    ("path", "lacking"),
    [("/work_pools/gpu", "pool gpu"), ("/work_pools/cpu/queues/interactive", "queue interactive of cpu")],
)
async def test_what_somebody_deletes_in_prefect_is_noticed_and_made_anew(
    prefect_api: str, path: str, lacking: str
) -> None:
    config = deploy.read(deploy.PREFECT_YAML)
    with deploy.prefect_http(prefect_api) as http:
        assert deploy.differences(http, config) == []
        http.delete(path).raise_for_status()
        found = deploy.differences(http, config)
        assert found[0] == lacking
        assert any(each.startswith("deployment transcribe-") for each in found)
        deploy.apply(prefect_api)
        assert deploy.differences(http, config) == []


async def test_a_job_whose_queue_is_deleted_waits_and_then_goes_round_again(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], prefect_api: str
) -> None:
    waiting = await handed_out(holder, runs, queue)
    with deploy.prefect_http(prefect_api) as http:
        http.delete("/work_pools/cpu/queues/interactive").raise_for_status()
    try:
        with pytest.raises(DeploymentMissing):
            await runs.start(queue("new.wav"), slots=1)
        await Reconciler(NO_GRACE).look(runs)
        again = now(holder, waiting)
        assert (again.state, again.attempt, again.detail) == (
            JobState.QUEUED,
            2,
            encode(Requeued(reason=QueueDeleted())),
        )
    finally:
        deploy.apply(prefect_api)
    await Reconciler(NO_GRACE).look(runs)  # ends the run that nobody would have taken
    with pytest.raises(StopIteration):
        next(run for run in await runs.active() if run.job_id == waiting.id)
    assert await Dispatcher().hand_out(runs) == 2
    assert (await flow_run(runs, now(holder, waiting))).work_queue_id is not None


async def test_a_span_whose_queue_is_deleted_sends_its_job_round_again(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], prefect_api: str
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Running())
    workers_come(holder, flow_runs=(str(job.flow_run_id),))
    client, name = runs._client, Deployment.TRANSCRIBE_SPAN.full_name
    ident = (await unless_busy(partial(client.read_deployment_by_name, name))).id
    span: dict[str, Any] = {"parameters": {"job_id": job.id, "attempt": 1}, "work_queue_name": "interactive"}
    await unless_busy(partial(client.create_flow_run_from_deployment, ident, **span))
    with deploy.prefect_http(prefect_api) as http:
        http.delete("/work_pools/gpu").raise_for_status()
    try:
        await Reconciler(NO_GRACE).look(runs)
    finally:
        deploy.apply(prefect_api)
    assert (now(holder, job).attempt, now(holder, job).detail) == (2, encode(Requeued(reason=QueueDeleted())))


async def test_a_run_that_somebody_paused_in_prefect_pauses_its_job(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Paused(timeout_seconds=3600))
    await Reconciler(NO_GRACE).look(runs)
    paused = now(holder, job)
    assert (paused.held, paused.attempt, paused.detail) == (True, 2, encode(RunPaused()))
    assert await Dispatcher().hand_out(runs) == 0
    await Reconciler(NO_GRACE).look(runs)
    assert {run.state for run in await runs.active() if run.job_id == job.id} == set()
    holder.ledger.run(queue_control.release, job.id, actor="user:ada")
    assert await Dispatcher().hand_out(runs) == 1


async def test_a_run_that_somebody_cancels_in_prefect_cancels_its_job_at_once(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Running())
    await put(runs, UUID(job.flow_run_id), Cancelling())
    await Reconciler().look(runs)  # with its usual grace
    assert now(holder, job).state is JobState.CANCELLED


async def test_a_job_waits_while_storage_is_away_and_says_so(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), AWAY)
    await Reconciler(NO_GRACE).look(runs)
    waiting = now(holder, job)
    assert (waiting.attempt, waiting.state.finished) == (1, False)
    assert text_of(waiting.detail) == f"waiting: retrying every 10 s; {AWAY.message}"


async def test_storage_that_stays_away_is_no_crash_of_the_job(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    reconciler = Reconciler(replace(NO_GRACE, first_wait=timedelta(0)))
    job = await handed_out(holder, runs, queue)
    for attempt in range(2, 7):
        job = now(holder, job)
        await put(runs, UUID(job.flow_run_id), AWAY)
        await reconciler.look(runs)
        assert (now(holder, job).state, now(holder, job).attempt) == (JobState.QUEUED, attempt)
        await Dispatcher().hand_out(runs)


async def test_the_pauses_grow_and_end_after_a_day(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), AWAY)
    (run,) = (await runs.by_id([str(job.flow_run_id)])).values()

    def judged(times: int, after_s: float, since_h: float = 0) -> object:
        moment = run.since + timedelta(seconds=after_s)
        before = reconcile.PutOff(times=times, since=moment - timedelta(hours=since_h), last_at=moment)
        return reconcile.verdict(job, run, held=None, now=moment, put_off=before)

    postponed = reconcile.Requeue(reason=RunPostponed(cause=AWAY.message or ""), crashed=False)
    assert isinstance(judged(times=2, after_s=39), reconcile.Wait)
    assert judged(times=2, after_s=41) == postponed
    assert isinstance(judged(times=50, after_s=299), reconcile.Wait)
    assert judged(times=50, after_s=301, since_h=23) == postponed
    given_up = judged(times=50, after_s=301, since_h=25)
    assert isinstance(given_up, reconcile.Requeue)
    assert given_up.crashed


async def test_a_report_gets_a_moment_after_the_run_has_ended(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Completed())
    await Reconciler().look(runs)
    assert now(holder, job).attempt == 1


async def test_a_run_cancelled_in_prefect_cancels_the_job(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Cancelled())
    await Reconciler(NO_GRACE).look(runs)
    assert now(holder, job).state is JobState.CANCELLED


async def test_a_lost_prefect_database_sends_its_jobs_round_again(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await unless_busy(partial(runs._client.delete_flow_run, UUID(job.flow_run_id)))
    await Reconciler().look(runs)
    assert now(holder, job).attempt == 2


async def test_after_a_restart_a_run_is_not_given_up_before_every_worker_had_time_to_speak(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Running())
    holder.workers = Workers()
    workers_come(holder)
    await Reconciler(NO_GRACE).look(runs)
    assert now(holder, job).attempt == 1


async def test_a_run_that_no_living_worker_has_in_hand_is_given_up(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    await put(runs, UUID(job.flow_run_id), Running())
    workers_come(holder, flow_runs=(str(job.flow_run_id),))
    await Reconciler(NO_GRACE).look(runs)
    assert now(holder, job).attempt == 1
    workers_come(holder)
    await Reconciler(NO_GRACE).look(runs)
    assert now(holder, job).attempt == 2
    await Reconciler(NO_GRACE).look(runs)
    assert (await flow_run(runs, job)).state_name == "Cancelled"


async def test_a_run_waits_for_a_worker_as_long_as_it_takes(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    long_after = utc_now() + timedelta(days=1)
    (run,) = (await runs.by_id([str(job.flow_run_id)])).values()
    assert reconcile.verdict(job, run, held=set(), now=long_after) is None
    assert reconcile.verdict(job, replace(run, state="running"), held=None, now=long_after) is None


async def test_a_job_of_the_command_line_is_requeued_only_after_silence(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder)
    mine = [queue(f"{number}.wav") for number in range(3)]
    for job in mine:
        report = Started(job_id=job.id, attempt=1, worker="cli:ada")
        reports.apply(holder.ledger, holder.files, report, actor="cli:ada")
    other = queue("other.wav")
    assert await Dispatcher().hand_out(runs) == 1
    assert now(holder, other).flow_run_id is not None
    await Reconciler().look(runs)
    assert now(holder, mine[0]).attempt == 1
    late = utc_now() + timedelta(hours=1)
    assert isinstance(reconcile.verdict(now(holder, mine[0]), None, held=None, now=late), reconcile.Requeue)


@pytest.mark.parametrize("running", [False, True])
async def test_runs_of_a_cancelled_job_are_stopped_with_those_of_its_spans(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job], running: bool
) -> None:
    job = await handed_out(holder, runs, queue)
    deployment = await runs._client.read_deployment_by_name("transcribe-span/transcribe-span")
    told = {"job_id": job.id, "attempt": 1, "index": 0}
    span = await unless_busy(partial(runs._client.create_flow_run_from_deployment, deployment.id, parameters=told))
    if running:
        held = (str(job.flow_run_id), str(span.id))
        workers_come(holder, flow_runs=held)
        for ident in held:
            await put(runs, UUID(ident), Running())
    holder.ledger.run(job_store.cancel, job.id, actor="system:test")
    await Reconciler().look(runs)
    for ident in (str(job.flow_run_id), str(span.id)):
        state = (await runs._client.read_flow_run(UUID(ident))).state_name
        assert state == ("Cancelling" if running else "Cancelled")


async def test_runs_of_attempts_that_are_over_are_stopped(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    job = await handed_out(holder, runs, queue)
    holder.ledger.run(job_store.requeue, job.id, actor="system:test", reason=RunMissing())
    await Reconciler().look(runs)
    assert (await flow_run(runs, job)).state_name == "Cancelled"


async def test_a_run_that_is_wanted_is_let_be(holder: Context, runs: PrefectRuns, queue: Callable[..., Job]) -> None:
    job = await handed_out(holder, runs, queue)
    await Reconciler().look(runs)
    assert (await flow_run(runs, job)).state_name == "Scheduled"


async def clips_handed_out(holder: Context, runs: PrefectRuns, queue: Callable[..., Job]) -> list[Job]:
    """Return four clips that share two flow runs, for a worker of one slot."""
    workers_come(holder, gpu_slots=1)
    made = [queue(f"{number}.wav", length_s=5.0) for number in range(4)]
    assert await Dispatcher().hand_out(runs) == 4
    return [now(holder, job) for job in made]


async def test_clips_that_wait_together_share_flow_runs(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    clips = await clips_handed_out(holder, runs, queue)
    assert [job.flow_run_id == clips[0].flow_run_id for job in clips] == [True, True, False, False]
    run = await flow_run(runs, clips[0])
    assert run.parameters == {"clips": [{"job_id": job.id, "attempt": 1} for job in clips[:2]]}
    assert (run.work_pool_name, run.work_queue_name) == ("gpu", "interactive")
    assert {f"job:{job.id}" for job in clips[:2]} <= set(run.tags)
    assert {(job.model, job.fingerprint) for job in clips} == {("tiny", "f00d")}
    queue("later.wav", length_s=5.0)
    assert await Dispatcher().hand_out(runs) == 0


async def test_a_clip_that_is_cancelled_leaves_the_others_their_run(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    first, second, third, _ = await clips_handed_out(holder, runs, queue)
    for job in (first, third):
        holder.ledger.run(job_store.cancel, job.id, actor="system:test")
    await Reconciler().look(runs)
    assert (await flow_run(runs, first)).state_name == "Scheduled"
    holder.ledger.run(job_store.cancel, second.id, actor="system:test")
    await Reconciler().look(runs)
    assert [(await flow_run(runs, job)).state_name for job in (first, third)] == ["Cancelled", "Scheduled"]


async def test_clips_of_a_run_whose_process_died_go_on_one_by_one(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    clips = await clips_handed_out(holder, runs, queue)
    holder.ledger.run(job_store.cancel, clips[3].id, actor="system:test")
    await put(runs, UUID(clips[0].flow_run_id), Crashed(message="its process died"))
    await Reconciler(NO_GRACE).look(runs)
    assert [now(holder, job).attempt for job in clips] == [2, 2, 1, 1]
    with holder.ledger.read() as con:
        assert con.execute("SELECT sum(crashes) FROM jobs").fetchall() == [(0,)]
    assert await Dispatcher().hand_out(runs) == 1
    alone = now(holder, clips[0])
    assert (await flow_run(runs, alone)).parameters == {"job_id": alone.id, "attempt": 2, "slots": 1}


async def test_a_clip_that_is_resumed_or_waited_for_storage_takes_the_short_way_again(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    first, second, third, _ = await clips_handed_out(holder, runs, queue)
    holder.ledger.run(queue_control.hold, third.id, actor="system:test")
    holder.ledger.run(queue_control.release, third.id, actor="system:test")
    await put(runs, UUID(first.flow_run_id), Failed(name="StorageUnreachable", message="no answer"))
    await Reconciler(replace(NO_GRACE, first_wait=timedelta(0))).look(runs)
    assert await Dispatcher().hand_out(runs) == 2
    (run,) = {now(holder, job).flow_run_id for job in (first, second)}
    clips = (await runs._client.read_flow_run(UUID(run))).parameters["clips"]
    assert clips == [{"job_id": job.id, "attempt": 2} for job in (first, second)]


async def test_what_somebody_does_to_a_run_of_clips_in_prefect_happens_to_each(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    clips = await clips_handed_out(holder, runs, queue)
    await put(runs, UUID(clips[0].flow_run_id), Cancelled())
    await put(runs, UUID(clips[2].flow_run_id), Running())
    await put(runs, UUID(clips[2].flow_run_id), Paused(timeout_seconds=600))
    await Reconciler().look(runs)
    assert [now(holder, job).state for job in clips[:2]] == [JobState.CANCELLED] * 2
    assert [now(holder, job).held for job in clips[2:]] == [True] * 2


async def test_clips_of_a_run_that_was_not_recorded_are_made_once(
    holder: Context, runs: PrefectRuns, queue: Callable[..., Job]
) -> None:
    workers_come(holder, gpu_slots=1)
    made = [queue(f"{number}.wav", length_s=5.0) for number in range(3)]
    lost = await runs.start_clips(made)  # and the process is killed
    assert await Dispatcher().hand_out(runs) == 3
    job = now(holder, made[0])
    assert job.flow_run_id not in {None, lost}
    report = Started(job_id=job.id, attempt=1, worker="gpu-1", flow_run_id=lost)
    with pytest.raises(StaleAttempt):
        reports.apply(holder.ledger, holder.files, report, actor="worker:gpu-1")
    await Reconciler().look(runs)
    assert (await runs._client.read_flow_run(UUID(lost))).state_name == "Cancelled"


async def test_nothing_is_handed_out_while_a_crowd_is_being_accepted(holder: Context) -> None:
    holder.accepting = CROWD
    waiting = asyncio.create_task(let_in())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    holder.accepting = CROWD - 1
    async with asyncio.timeout(PATIENCE_S):
        await waiting


async def test_a_crowd_that_never_ends_holds_nothing_up(holder: Context) -> None:
    holder.accepting = CROWD
    async with asyncio.timeout(PATIENCE_S):
        await let_in()
