"""A worker's heartbeats to the web process: presence, load and models."""

import asyncio
import contextlib
import logging
import os
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.metadata import version
from uuid import UUID

from storage.domain.clock import utc_now
from storage.domain.errors import RemoteError, TranscriberError, VersionMismatch
from storage.domain.settings import Settings
from storage.remote.service_tokens import worker_secret
from storage.remote.web_client import WebClient
from storage.remote.worker_registry import OWN_VERSION, SPEAKERS, ModelState, WorkerBeat

log = logging.getLogger(__name__)

GPU_POOL = "gpu"
BEAT_EVERY_S = 5.0
FIRST_BEAT_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """What a worker says of itself; `slots` is 0 while its resident process starts."""

    slots: int
    busy: int
    default_model: ModelState | None = None
    models: tuple[ModelState, ...] = ()
    draining: bool = False
    free_bytes: int | None = None
    spans_per_minute: float | None = None
    speech_per_s: float | None = None


class HeartbeatSender:
    """Sends heartbeats until cancelled, then signs off; `status` gives load and models.

    `on_acknowledged` receives the slots of each heartbeat that the web process accepted; `held` gives the current flow
    runs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        name: str,
        pool: str,
        device: str,
        status: Callable[[], WorkerStatus],
        on_wanted: Callable[[tuple[str, ...]], None],
        on_acknowledged: Callable[[int], None],
        held: Callable[[], set[UUID]],
    ) -> None:
        self._settings, self._status, self._on_wanted = settings, status, on_wanted
        self._on_acknowledged, self._held = on_acknowledged, held
        self._name, self._pool, self._device = name, pool, device
        self._versions = {"python": platform.python_version()} | {
            package: version(package) for package in ("prefect", "faster-whisper", "ctranslate2")
        }
        if pool == GPU_POOL:
            self._versions |= _speakers(settings)
        self._hurry = asyncio.Event()
        self.acknowledged = False
        self.refusal: str | None = None
        self.refused = asyncio.Event()

    def soon(self) -> None:
        """Send the next heartbeat now, because something changed that others wait for."""
        self._hurry.set()

    async def run(self) -> None:
        with WebClient(self._settings.web.base_url, worker_secret(self._settings).current, patience_s=0) as client:
            try:
                while True:
                    await self._beat(client)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(
                            self._hurry.wait(), BEAT_EVERY_S if self.acknowledged else FIRST_BEAT_EVERY_S
                        )
                    self._hurry.clear()
            finally:
                with contextlib.suppress(TranscriberError):
                    client.call("DELETE", f"/internal/v1/heartbeats/{self._name}")

    async def _beat(self, client: WebClient) -> None:
        status = await asyncio.to_thread(self._status)
        beat = WorkerBeat(
            name=self._name,
            pool=self._pool,
            host=socket.gethostname(),
            pid=os.getpid(),
            device=self._device,
            versions=self._versions,
            version=OWN_VERSION,
            flow_runs=tuple(str(ident) for ident in self._held()),
            sent_at=utc_now(),
            **{each.name: getattr(status, each.name) for each in fields(status)},
        )
        try:
            wanted_models = await asyncio.to_thread(client.beat, beat)
        except TranscriberError as error:
            if isinstance(error, RemoteError) and error.code == VersionMismatch.code:
                self.refusal = str(error)
                self.refused.set()
            if self.acknowledged:
                log.info("no heartbeat: %s", error)
            self.acknowledged = False
            return
        self.acknowledged = True
        self._on_acknowledged(status.slots)
        if wanted_models:
            self._on_wanted(wanted_models)


def _speakers(settings: Settings) -> dict[str, str]:
    """Return the diarization package with its version, if diarization works here."""
    from tasks.diarization.speakers import LocalDiarizer

    return {} if LocalDiarizer.from_settings(settings).missing() else {SPEAKERS: version(SPEAKERS)}
