"""What the web process asks of the Prefect server: start a flow run by deployment name, look at runs, stop them.

Prefect's client is imported when the first question is asked, in a thread: it takes two seconds, and the pages do
not need it.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import UUID

import httpx

from storage.clock import utc_now
from storage.records import Job

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State

T = TypeVar("T")

RECORDING = "transcribe-recording/transcribe-recording"
EXPORT = "export-transcript/export-transcript"
OURS = ("transcribe-recording", "transcribe-span", "tell-speakers-apart")
DEFAULT_API = "http://127.0.0.1:4200/api"
PAGE = 200
BUSY_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
MODULES = (
    "prefect.client.orchestration",
    "prefect.client.schemas.filters",
    "prefect.client.schemas.objects",
    "prefect.exceptions",
    "prefect.settings",
    "prefect.states",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A flow run as Prefect has it; `state` is Prefect's state type in lower case, `name` the state's own name."""

    id: str
    state: str
    name: str = ""
    message: str
    since: datetime
    job_id: str | None
    attempt: int | None

    @property
    def ended(self) -> bool:
        return self.state in {"completed", "failed", "crashed", "cancelled"}


class DeploymentMissing(Exception):
    """The Prefect server answers and does not know our deployment."""


class PrefectRuns:
    """One connection to the Prefect server; use it by `async with`."""

    def __init__(self, api_url: str | None = None) -> None:
        self._api_url = api_url
        self._stack = AsyncExitStack()
        self._deployments: dict[str, UUID] = {}

    async def __aenter__(self) -> Self:
        for name in MODULES:
            await asyncio.to_thread(importlib.import_module, name)
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        self._stack.enter_context(temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}))  # whoever asks tries again
        self._client = await self._stack.enter_async_context(_client(self._api_url))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def start(self, job: Job, *, slots: int) -> str:
        """Start the flow run of this attempt and return its id; asked again, it gives the same one.

        Raises:
            DeploymentMissing: nobody has told the server of our deployments yet.
            httpx.HTTPError: the server did not answer, or not well.
        """
        run = await self._start(
            RECORDING,
            parameters={"job_id": job.id, "attempt": job.attempt, "slots": max(1, slots)},
            name=f"{job.name} · {job.id[-6:]} · {job.attempt}",
            tags=[f"job:{job.id}"],
            idempotency_key=f"{job.id}:{job.attempt}",
            work_queue_name=job.lane.value,
        )
        return str(run.id)

    async def export(self, job: Job, parameters: dict[str, Any], *, key: str) -> Run:
        """Start making files of a job's transcript and return the run; asked again with this key, it is the same one.

        Raises:
            DeploymentMissing, httpx.HTTPError: as `start` does.
        """
        run = await self._start(
            EXPORT,
            parameters=parameters,
            name=f"{job.name} · {' '.join(parameters['formats'])} · {job.id[-6:]}",
            tags=[f"job:{job.id}"],
            idempotency_key=key,
        )
        return _run(run)

    async def _start(self, deployment: str, **asked: Any) -> "FlowRun":
        from prefect.exceptions import ObjectNotFound

        try:
            if deployment not in self._deployments:
                self._deployments[deployment] = (await self._client.read_deployment_by_name(deployment)).id
            return await unless_busy(
                partial(self._client.create_flow_run_from_deployment, self._deployments[deployment], **asked)
            )
        except ObjectNotFound as error:
            self._deployments.pop(deployment, None)
            raise DeploymentMissing(deployment) from error

    async def by_id(self, ids: Sequence[str]) -> dict[str, Run]:
        """Return those of the runs that the server knows."""
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
        from prefect.client.schemas.sorting import FlowRunSort

        found: dict[str, Run] = {}
        for start in range(0, len(ids), PAGE):
            some = [UUID(ident) for ident in ids[start : start + PAGE]]
            runs = await self._client.read_flow_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=some)), limit=PAGE, sort=FlowRunSort.ID_DESC
            )
            found |= {str(run.id): _run(run) for run in runs}
        return found

    async def active(self) -> list[Run]:
        """Return all runs of our deployments that have not ended, spans' runs too."""
        from prefect.client.schemas import filters
        from prefect.client.schemas.objects import TERMINAL_STATES, StateType
        from prefect.client.schemas.sorting import FlowRunSort

        wanted = filters.FlowRunFilter(
            state=filters.FlowRunFilterState(
                type=filters.FlowRunFilterStateType(any_=[kind for kind in StateType if kind not in TERMINAL_STATES])
            )
        )
        ours = filters.DeploymentFilter(name=filters.DeploymentFilterName(any_=list(OURS)))
        found: list[Run] = []
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

    async def stop(self, run: Run, *, why: str, at_once: bool = False) -> None:
        """Ask whoever has the run to stop it, or end it `at_once` where nobody has."""
        from prefect.states import Cancelled, Cancelling

        waiting = run.state in {"scheduled", "paused"}
        await self._set(run.id, Cancelled(message=why) if at_once or waiting else Cancelling(message=why))

    async def _set(self, run_id: str, state: "State[Any]") -> None:
        from prefect.exceptions import ObjectNotFound

        try:
            await unless_busy(partial(self._client.set_flow_run_state, UUID(run_id), state, force=True))
        except ObjectNotFound:
            return


async def unless_busy(call: Callable[[], Awaitable[T]]) -> T:
    """Call, and again in a moment while the server says 503, as it does when its SQLite file is busy."""
    for pause_s in BUSY_PAUSES_S:
        try:
            return await call()
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise
            await asyncio.sleep(pause_s)
    return await call()


def _client(api_url: str | None) -> "PrefectClient":
    """Connect to the server that Prefect's settings name; never start one here, as Prefect's `get_client` would."""
    from prefect.client.orchestration import PrefectClient
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    return PrefectClient(
        api_url or api.url or DEFAULT_API,
        auth_string=api.auth_string.get_secret_value() if api.auth_string else None,
        api_key=api.key.get_secret_value() if api.key else None,
    )


def _run(run: "FlowRun") -> Run:
    state, attempt = run.state, run.parameters.get("attempt")
    return Run(
        id=str(run.id),
        state=state.type.value.lower() if state else "pending",
        name=(state.name if state else None) or "",
        message=(state.message if state else None) or "",
        since=state.timestamp if state else utc_now(),
        job_id=run.parameters.get("job_id"),
        attempt=int(attempt) if attempt is not None else None,
    )


def ids_of(jobs: Iterable[Job]) -> list[str]:
    """Return the flow runs that the jobs are said to be with."""
    return [job.flow_run_id for job in jobs if job.flow_run_id]
