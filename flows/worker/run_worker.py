"""Run one warm worker in this process until a signal, for `transcriber worker`."""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import urlsplit

import httpx
from prefect.client.orchestration import get_client

from flows.platform import deploy
from flows.platform.prefect_address import LOOPBACK, PrefectAddress
from flows.platform.service import announce_ready
from flows.worker.child_main import keep_logs
from flows.worker.warm_worker import WarmWorker
from flows.worker.worker_place import default_name, device_and_slots
from storage.domain.settings import Settings
from storage.files import privacy

log = logging.getLogger(__name__)

SAY_EVERY_S = 20.0
KNOWN_WITHIN_S = 2.0
SUPERVISOR_DEPLOYS_WITHIN_S = 20.0
STOP_WITHIN_S = 4.5
"""Less than the supervisor waits, and more than requeuing runs takes."""


class OwnName(str):
    """A worker's name, whose lock file is filled until the worker gives it back."""

    lock: IO[str]

    def give_back(self) -> None:
        """Leave nothing to take over: the worker stops, and its runs are finished or requeued."""
        self.lock.truncate(0)


@contextlib.contextmanager
def own_name(pool: str, device: str) -> Iterator[OwnName]:
    """Lock a killed worker's name, which a restart gets back, or the first free one.

    Names differ on one Prefect server alone: a platform beside this one must not leave a number of its own free.
    """
    folder = Path(tempfile.gettempdir(), f"whisper-transcriber-workers-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    folder /= _mark_of(PrefectAddress.from_environment().api_url)
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in _names(folder, default_name(pool, device)):
        lock = (folder / f"{name}.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        with lock:
            name.lock = lock
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield name
            name.give_back()
        return


def _names(folder: Path, base: str) -> Iterator[OwnName]:
    """Yield the names that were not given back, then all in order of their numbers."""
    used = [_numbered(base, number) for number in range(1, len(list(folder.iterdir())) + 1)]
    paths = {name: folder / f"{name}.lock" for name in used}
    yield from (name for name, path in paths.items() if path.exists() and path.stat().st_size)
    yield from (_numbered(base, number) for number in count(1))


def _numbered(base: str, number: int) -> OwnName:
    return OwnName(base if number == 1 else f"{base}-{number}")


def _mark_of(api_url: str) -> str:
    """Return what stands for a Prefect server in a path.

    It is the same under each name of this machine.
    """
    place = urlsplit(api_url)
    host = "localhost" if place.hostname in LOOPBACK else place.hostname
    return hashlib.sha256(f"{host}:{place.port}".encode()).hexdigest()[:12]


async def _serve(worker: WarmWorker, name: OwnName, *, alone: bool) -> None:
    serving = asyncio.create_task(_start(worker, alone=alone))
    leaving = asyncio.create_task(_time_to_leave(worker, may_drain=alone))
    announcing = asyncio.create_task(_announce(worker))
    await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
    announcing.cancel()
    if leaving.done():
        serving.cancel()
        await asyncio.wait({serving}, timeout=STOP_WITHIN_S)
        log.info("worker %s has stopped", worker.name)
        name.give_back()
        _leave(1 if worker.heartbeats.refusal else 0)
    leaving.cancel()
    await serving


async def _time_to_leave(worker: WarmWorker, *, may_drain: bool) -> None:
    """Wait for the signal to stop, or a refusal.

    After a first SIGTERM, the runs in hand are finished.
    A worker of `transcriber up` stops at once: everything else stops with it.
    """
    stop, drain = asyncio.Event(), asyncio.Event()
    loop, minutes = asyncio.get_running_loop(), worker.settings.worker.drain_minutes

    def on_term() -> None:
        (stop if drain.is_set() or not may_drain or not minutes else drain).set()

    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGTERM, on_term)
    stopping, draining = asyncio.create_task(stop.wait()), asyncio.create_task(drain.wait())
    refused = asyncio.create_task(worker.heartbeats.refused.wait())
    await asyncio.wait({stopping, draining, refused}, return_when=asyncio.FIRST_COMPLETED)
    if refused.done():
        log.error("%s", worker.heartbeats.refusal)
    if refused.done() or stop.is_set():
        return
    told = "worker %s takes no more runs and finishes those in hand, for at most %g minutes; SIGTERM stops it at once"
    log.info(told, worker.name, minutes)
    worker.drain()
    idle = asyncio.create_task(worker.drained())
    await asyncio.wait({stopping, idle}, timeout=60 * minutes, return_when=asyncio.FIRST_COMPLETED)


def _leave(status: int) -> NoReturn:
    """End the process now: while the server hangs, Prefect's connections would keep it alive."""
    logging.shutdown()
    os._exit(status)


async def _start(worker: WarmWorker, *, alone: bool) -> None:
    """Prepare while the Prefect server may still be starting, then serve."""
    try:
        await worker.prepare()
        api_url = await server_answers()
        await _known_to_web(worker, wait_s=KNOWN_WITHIN_S if alone else 0)
        await _deploy(api_url, alone=alone)
    except asyncio.CancelledError:
        await worker.child.stop()
        raise
    await worker.start(printer=lambda *_: None)


async def _known_to_web(worker: WarmWorker, *, wait_s: float) -> None:
    """Give the web process a moment to refuse this version, before Prefect is changed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            while not worker.heartbeats.acknowledged:  # noqa: ASYNC110 - a refusal ends the worker meanwhile
                await asyncio.sleep(0.05)


async def server_answers() -> str:
    """Wait for the Prefect server without limit, and return its API's URL."""
    async with get_client() as client:
        last_warning_s = asyncio.get_running_loop().time()
        while (problem := await client.api_healthcheck()) is not None:
            if asyncio.get_running_loop().time() - last_warning_s > SAY_EVERY_S:
                last_warning_s = asyncio.get_running_loop().time()
                log.warning("waiting for the Prefect server at %s: %s", client.api_url, problem)
            await asyncio.sleep(0.1)
        return str(client.api_url)


async def _deploy(api_url: str, *, alone: bool) -> None:
    """Create pools, queues and deployments, unless a supervisor has done it in time."""
    try:
        if alone or not await asyncio.to_thread(deploy.wait, api_url, within_s=SUPERVISOR_DEPLOYS_WITHIN_S):
            await asyncio.to_thread(deploy.apply, api_url)
    except httpx.HTTPError as error:
        log.warning(
            "prefect.yaml could not be applied to %s (%s); continuing with the existing deployments", api_url, error
        )


async def _announce(worker: WarmWorker) -> None:
    await worker.ready.wait()
    log.info("worker %s runs up to %d flow runs at a time on %s", worker.name, worker.slots, worker.device)
    announce_ready()


def work(pool: str, *, device: str | None, limit: int | None, alone: bool = True) -> None:
    """Serve a pool until Ctrl-C, which requeues runs in progress, or SIGTERM, which finishes them."""
    keep_logs()
    settings = Settings()
    privacy.close(settings.storage)
    place, _ = device_and_slots(pool, settings, device)
    with own_name(pool, place) as name:
        worker = WarmWorker(work_pool_name=pool, name=str(name), device=place, limit=limit)
        asyncio.run(_serve(worker, name, alone=alone))
