"""A worker's heartbeats to the web process: that it is there, how busy it is, and which models it has."""

import asyncio
import contextlib
import logging
import os
import platform
import socket
from collections.abc import Callable
from importlib.metadata import version
from uuid import UUID

from storage.client import WebClient
from storage.clock import utc_now
from storage.errors import TranscriberError
from storage.heartbeats import SPEAKERS, ModelState, WorkerBeat
from storage.settings import Settings
from storage.tokens import worker_token

log = logging.getLogger(__name__)

GPU_POOL = "gpu"
BEAT_EVERY_S = 5.0
FIRST_BEAT_EVERY_S = 0.5


class Beats:
    """Sends beats until cancelled, then says good-bye; `status` gives slots, busy, default model and models.

    `on_heard` gets the slots of each beat that the web process has taken in; `held` gives the flow runs in hand.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        name: str,
        pool: str,
        device: str,
        status: Callable[[], tuple[int, int, ModelState | None, tuple[ModelState, ...]]],
        on_wanted: Callable[[tuple[str, ...]], None],
        on_heard: Callable[[int], None],
        held: Callable[[], set[UUID]],
    ) -> None:
        self._settings, self._status, self._on_wanted = settings, status, on_wanted
        self._on_heard, self._held = on_heard, held
        self._name, self._pool, self._device = name, pool, device
        self._versions = {"python": platform.python_version()} | {
            package: version(package) for package in ("prefect", "faster-whisper", "ctranslate2")
        }
        if pool == GPU_POOL:
            self._versions |= _speakers(settings)
        self._hurry = asyncio.Event()
        self.heard = False

    def soon(self) -> None:
        """Send the next beat now: something has changed that others wait for."""
        self._hurry.set()

    async def run(self) -> None:
        with WebClient(self._settings.web.base_url, worker_token(self._settings), patience_s=0) as client:
            try:
                while True:
                    await self._beat(client)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._hurry.wait(), BEAT_EVERY_S if self.heard else FIRST_BEAT_EVERY_S)
                    self._hurry.clear()
            finally:
                with contextlib.suppress(TranscriberError):
                    client.call("DELETE", f"/internal/v1/heartbeats/{self._name}")

    async def _beat(self, client: WebClient) -> None:
        slots, busy, default, models = await asyncio.to_thread(self._status)
        beat = WorkerBeat(
            name=self._name,
            pool=self._pool,
            host=socket.gethostname(),
            pid=os.getpid(),
            device=self._device,
            slots=slots,
            busy=busy,
            default_model=default,
            models=models,
            versions=self._versions,
            flow_runs=tuple(str(ident) for ident in self._held()),
            sent_at=utc_now(),
        )
        try:
            wanted = await asyncio.to_thread(client.beat, beat)
        except TranscriberError as error:
            if self.heard:
                log.info("no heartbeat: %s", error)
            self.heard = False
            return
        self.heard = True
        self._on_heard(slots)
        if wanted:
            self._on_wanted(wanted)


def _speakers(settings: Settings) -> dict[str, str]:
    """Return the package that tells speakers apart, with its version, where all that it needs is here."""
    from tasks.speakers import LocalDiarizer

    return {} if LocalDiarizer.by_settings(settings).missing() else {SPEAKERS: version(SPEAKERS)}
