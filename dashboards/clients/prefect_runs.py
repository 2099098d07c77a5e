"""Client for Prefect's flow runs: start them by deployment name, read and cancel them.

Prefect's client is imported on the first request, in a thread: it takes two seconds, and the pages do not need it.
"""

import asyncio
import hashlib
import importlib
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

import httpx

from storage.domain import retries
from storage.domain.clock import utc_now
from storage.domain.deployments import JOB_TAG, OF_RECORDINGS, POOLS, Deployment, run_tags
from storage.domain.job_messages import LanePaused
from storage.domain.records import Job, Lane
from storage.remote.certificates import usual_tls

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State, WorkPool, WorkQueue
    from prefect.context import SettingsContext

T = TypeVar("T")

DEFAULT_API = "http://127.0.0.1:4200/api"
PAGE = 200
CLIP_S = 60.0
DETACHED = "not associated with a work pool"
BUSY_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
MODULES = (
    "prefect.client.orchestration",
    "prefect.client.schemas.filters",
    "prefect.client.schemas.objects",
    "prefect.context",
    "prefect.exceptions",
    "prefect.settings",
    "prefect.states",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectRun:
    """A flow run in Prefect; `state` is the lower-case state type.

    `clips` are the jobs of a run that has several, with their attempts.
    """

    id: str
    state: str
    name: str = ""
    message: str
    since: datetime
    job_id: str | None
    attempt: int | None
    has_queue: bool = True
    clips: Mapping[str, int] = field(default_factory=dict)

    @property
    def attempts(self) -> Mapping[str, int]:
        """The jobs that it works for, with their attempts."""
        if self.job_id is None or self.attempt is None:
            return self.clips
        return {self.job_id: self.attempt}

    @property
    def ended(self) -> bool:
        return self.state in {"completed", "failed", "crashed", "cancelled"}


class DeploymentMissing(Exception):
    """The Prefect server answers, but lacks our deployment, or it has no queue."""


class PrefectRuns:
    """A connection to the Prefect server; an async context manager."""

    def __init__(self, api_url: str | None = None, *, cluster_lanes: Collection[Lane] = ()) -> None:
        self._api_url, self._cluster_lanes = api_url, cluster_lanes
        self._stack = AsyncExitStack()
        self._deployments: dict[Deployment, UUID] = {}

    async def __aenter__(self) -> Self:
        for name in MODULES:
            await asyncio.to_thread(importlib.import_module, name)
        self._stack.enter_context(_without_retries())
        self._client = await self._stack.enter_async_context(_client(self._api_url))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def start(self, job: Job, *, slots: int, fingerprint: str | None = None, begun_by: str | None = None) -> str:
        """Start this attempt's flow run and return its id; repeated calls return the same one.

        `fingerprint` is that of its model, `begun_by` the worker that began with a clip already.

        Raises:
            DeploymentMissing: the deployments have not been created yet.
            httpx.HTTPError: the server did not answer, or reported an error.
        """
        deployment = deployment_of(job, cluster_lanes=self._cluster_lanes)
        parameters: dict[str, Any] = {"job_id": job.id, "attempt": job.attempt}
        if deployment is Deployment.TRANSCRIBE_RECORDING:
            parameters["slots"] = max(1, slots)
        run = await self._start(
            deployment,
            parameters=parameters,
            name=f"{job.name} · {job.id[-6:]} · {job.attempt}",
            tags=run_tags([job], fingerprint, are_clips=deployment is Deployment.TRANSCRIBE_CLIP, begun_by=begun_by),
            idempotency_key=f"{job.id}:{job.attempt}",
            work_queue_name=job.lane.value,
        )
        return str(run.id)

    async def start_clips(self, clips: Sequence[Job], *, fingerprint: str | None = None) -> str:
        """Start one flow run for several clips of one lane; see `start`."""
        attempts = [f"{job.id}:{job.attempt}" for job in clips]
        run = await self._start(
            Deployment.TRANSCRIBE_CLIPS,
            parameters={"clips": [{"job_id": job.id, "attempt": job.attempt} for job in clips]},
            name=f"{clips[0].name} and {len(clips) - 1} more · {clips[0].id[-6:]}",
            tags=run_tags(clips, fingerprint, are_clips=True),
            idempotency_key=hashlib.sha256(" ".join(attempts).encode()).hexdigest(),
            work_queue_name=clips[0].lane.value,
        )
        return str(run.id)

    def is_clip(self, job: Job) -> bool:
        """Return whether the job is transcribed in one flow run, and may share it."""
        return deployment_of(job, cluster_lanes=self._cluster_lanes) is Deployment.TRANSCRIBE_CLIP

    async def export(self, job: Job, parameters: dict[str, Any], *, key: str) -> PrefectRun:
        """Start an export of a job's transcript; the same key returns the same run.

        Raises:
            DeploymentMissing, httpx.HTTPError: like `start`.
        """
        name = f"{job.name} · {' '.join(parameters['formats'])} · {job.id[-6:]}"
        return await self._start_for(job, Deployment.EXPORT_TRANSCRIPT, parameters, name=name, key=key)

    async def align(self, job: Job, parameters: dict[str, Any], *, key: str) -> PrefectRun:
        """Start the alignment of a corrected text; the same key returns the same run.

        Raises:
            DeploymentMissing, httpx.HTTPError: like `start`.
        """
        name = f"{job.name} · text · {job.id[-6:]}"
        return await self._start_for(job, Deployment.ALIGN_TEXT, parameters, name=name, key=key)

    async def _start_for(
        self, job: Job, deployment: Deployment, parameters: dict[str, Any], *, name: str, key: str
    ) -> PrefectRun:
        tags = [f"{JOB_TAG}{job.id}"]
        return _run(await self._start(deployment, parameters=parameters, name=name, tags=tags, idempotency_key=key))

    async def _start(self, deployment: Deployment, **asked: Any) -> "FlowRun":
        from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

        try:
            if deployment not in self._deployments:
                self._deployments[deployment] = (await self._client.read_deployment_by_name(deployment.full_name)).id
            return await unless_busy(
                partial(self._client.create_flow_run_from_deployment, self._deployments[deployment], **asked)
            )
        except ObjectNotFound as error:
            self._deployments.pop(deployment, None)
            raise DeploymentMissing(deployment) from error
        except PrefectHTTPStatusError as error:
            if error.response.status_code == httpx.codes.BAD_REQUEST and DETACHED in error.response.text:
                raise DeploymentMissing(deployment) from error
            raise

    async def by_id(self, ids: Sequence[str]) -> dict[str, PrefectRun]:
        """Return the runs that the server knows among these ids."""
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
        from prefect.client.schemas.sorting import FlowRunSort

        found: dict[str, PrefectRun] = {}
        for start in range(0, len(ids), PAGE):
            some = [UUID(ident) for ident in ids[start : start + PAGE]]
            runs = await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=some)), limit=PAGE, sort=FlowRunSort.ID_DESC
            )
            found |= {str(run.id): _run(run) for run in runs}
        return found

    async def active(self) -> list[PrefectRun]:
        """Return all unfinished runs of our deployments, including span runs."""
        from prefect.client.schemas import filters
        from prefect.client.schemas.objects import TERMINAL_STATES, StateType
        from prefect.client.schemas.sorting import FlowRunSort

        wanted = filters.FlowRunFilter(
            state=filters.FlowRunFilterState(
                type=filters.FlowRunFilterStateType(any_=[kind for kind in StateType if kind not in TERMINAL_STATES])
            )
        )
        ours = filters.DeploymentFilter(name=filters.DeploymentFilterName(any_=list(OF_RECORDINGS)))
        found: list[PrefectRun] = []
        while True:
            runs = await self._client.read_flow_runs(
                flow_run_filter=wanted,
                deployment_filter=ours,
                limit=PAGE,
                offset=len(found),
                sort=FlowRunSort.ID_DESC,
            )
            found += map(_run, runs)
            if len(runs) < PAGE:
                return found

    async def paused(self) -> dict[Lane, LanePaused]:
        """Return the lanes whose pool or queue is paused, with the reason."""
        from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

        found: dict[Lane, LanePaused] = {}
        named = WorkPoolFilter(name=WorkPoolFilterName(any_=list(POOLS)))
        for pool in await unless_busy(partial(self._client.read_work_pools, work_pool_filter=named)):
            if _holds(pool):
                return dict.fromkeys(Lane, LanePaused(pool=pool.name))
            for queue in await unless_busy(partial(self._client.read_work_queues, work_pool_name=pool.name)):
                if _holds(queue) and queue.name in set(Lane):
                    found[Lane(queue.name)] = LanePaused(pool=pool.name, queue=queue.name)
        return found

    async def emit(self, events: Sequence[dict[str, Any]]) -> None:
        """Send events as Prefect's API takes them; one with a known id is stored once.

        Raises:
            httpx.HTTPError: the server did not answer, or refused them.
        """
        await unless_busy(partial(self._client._client.post, "/events", json=list(events)))

    async def stop(self, run: PrefectRun, *, why: str, at_once: bool = False) -> None:
        """Ask the run's worker to cancel it, or end it `at_once` without one."""
        from prefect.states import Cancelled, Cancelling

        waiting = run.state in {"scheduled", "paused"}
        await self._set(run.id, Cancelled(message=why) if at_once or waiting else Cancelling(message=why))

    async def _set(self, run_id: str, state: "State[Any]") -> None:
        from prefect.exceptions import ObjectNotFound

        try:
            await unless_busy(partial(self._client.set_flow_run_state, UUID(run_id), state, force=True))
        except ObjectNotFound:
            return


def deployment_of(job: Job, *, cluster_lanes: Collection[Lane] = ()) -> Deployment:
    """Return what transcribes the job: a recording of one short span takes one flow run.

    After the loss of a flow run it takes the long way, in which the loss of a process costs no more than a span, and so
    do the lanes whose spans go to a cluster.
    """
    options, length_s = job.options, job.duration_s
    is_short = length_s is not None and length_s <= CLIP_S and not job.apart and job.lane not in cluster_lanes
    if is_short and not options.diarize and options.channels == "mix":
        return Deployment.TRANSCRIBE_CLIP
    return Deployment.TRANSCRIBE_RECORDING


async def unless_busy(call: Callable[[], Awaitable[T]]) -> T:
    """Call, retrying shortly while the server is busy or has closed an idle connection.

    It returns 503 while its SQLite file is busy. Only calls that may be repeated are made this way.
    """

    def may_pass(error: Exception) -> bool:
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code == httpx.codes.SERVICE_UNAVAILABLE
        return isinstance(error, httpx.ReadError | httpx.RemoteProtocolError)

    return await retries.call_async(call, may_pass=may_pass, pauses_s=BUSY_PAUSES_S)


def _client(api_url: str | None) -> "PrefectClient":
    """Connect to the server in Prefect's settings, without starting one as `get_client` would."""
    from prefect.client.orchestration import PrefectClient
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    return PrefectClient(
        api_url or api.url or DEFAULT_API,
        auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
        api_key=api.key.get_secret_value() if api.key else None,
        httpx_settings=None if api.tls_insecure_skip_verify else {"verify": _authorities(api.ssl_cert_file)},
    )


def _without_retries() -> "SettingsContext":
    """Return Prefect's settings without retries by its client, since the caller retries.

    `temporary_settings` would read and check all 300 settings again.
    """
    from prefect.context import SettingsContext, get_settings_context

    now = get_settings_context()
    client = now.settings.client.model_copy(update={"max_retries": 0})
    return SettingsContext(profile=now.profile, settings=now.settings.model_copy(update={"client": client}))


@cache
def _authorities(file: str | None) -> ssl.SSLContext:
    """Read the certificates of a file, or else the usual ones, once for all clients."""
    return ssl.create_default_context(cafile=file) if file else usual_tls()


def _run(run: "FlowRun") -> PrefectRun:
    state, attempt = run.state, run.parameters.get("attempt")
    return PrefectRun(
        id=str(run.id),
        state=state.type.value.lower() if state else "pending",
        name=(state.name if state else None) or "",
        message=(state.message if state else None) or "",
        since=state.timestamp if state else utc_now(),
        job_id=run.parameters.get("job_id"),
        attempt=int(attempt) if attempt is not None else None,
        has_queue=run.work_queue_id is not None,
        clips=_clips(run.parameters.get("clips")),
    )


def _clips(told: Any) -> dict[str, int]:
    """Return the clips of a run's parameters.

    Anything may be in them if somebody starts a run by hand.
    """
    try:
        return {str(clip["job_id"]): int(clip["attempt"]) for clip in told or ()}
    except (TypeError, ValueError, KeyError):
        return {}


def _holds(place: "WorkPool | WorkQueue") -> bool:
    return place.is_paused or place.concurrency_limit == 0


def ids_of(jobs: Iterable[Job]) -> list[str]:
    """Return the flow run ids of the jobs."""
    return [job.flow_run_id for job in jobs if job.flow_run_id]
