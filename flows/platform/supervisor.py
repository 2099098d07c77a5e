"""`transcriber up`: starts and watches every process on this machine, and stops them."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import httpx

from flows.platform import ports, process_host
from flows.platform.prefect_address import (
    CLIENT_AUTH,
    NO_QUESTIONS,
    PrefectAddress,
    keeps_secret,
    lean_tls,
    secrets_of,
)
from flows.platform.prefect_server import ROTATING, ui_place
from flows.platform.service import Service
from storage.domain.errors import AlreadyUp, NotStarted, TranscriberError
from storage.domain.settings import Settings
from storage.files import privacy
from storage.remote.certificates import usual_tls
from storage.remote.service_tokens import worker_token

START_WITHIN_S = 120.0
WORKERS_END_WITHIN_S, SERVER_ENDS_WITHIN_S = 5.0, 2.5


@contextlib.contextmanager
def hold(data_dir: Path, url: str) -> Iterator[None]:
    """Lock the data dir for this supervisor; the kernel releases it when the process ends.

    Raises:
        AlreadyUp: another supervisor holds it; says which, since when, and where it serves.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _already_up(data_dir, lock) from None
        lock.seek(0)
        lock.truncate()
        json.dump({"pid": os.getpid(), "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", "url": url}, lock)
        lock.flush()
        yield


def _already_up(data_dir: Path, lock: TextIO) -> AlreadyUp:
    lock.seek(0)
    try:
        holder = json.load(lock)
        return AlreadyUp(str(data_dir), int(holder["pid"]), str(holder["since"]), str(holder["url"]))
    except (ValueError, KeyError):
        return AlreadyUp(str(data_dir), 0, "just now", "nothing yet")


def environment(settings: Settings, prefect: PrefectAddress) -> dict[str, str]:
    """Return the environment of our processes: Prefect's address and secret, no analytics, our defaults."""
    data_dir = settings.storage.data_dir.absolute()
    ours = {
        "TRANSCRIBER_DATA_DIR": str(data_dir),
        "PREFECT_API_URL": prefect.api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }
    unless_set = {
        "PREFECT_HOME": str(data_dir / "prefect"),
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "8",
        **(NO_QUESTIONS if prefect.ours else {}),
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",  # we use none, and registering takes a second
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",  # it imports all integrations, our worker among them
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(prefect.origins),  # Prefect's default admits every page
        **ui_place(Path(os.environ.get("PREFECT_HOME", data_dir / "prefect"))),
    }
    return {**unless_set, **lean_tls(prefect), **os.environ, **ours, **secrets_of(settings, prefect)}


@dataclass(kw_only=True)
class Platform:
    """All processes of one `up`."""

    settings: Settings
    prefect: PrefectAddress
    services: dict[str, Service] = field(default_factory=dict)
    tasks: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    started_at: float = field(default_factory=time.monotonic)

    def say(self, who: str, what: str) -> None:
        sys.stderr.write(f"{datetime.now():%H:%M:%S} {who}: {what}\n")  # noqa: DTZ005 - for the console
        sys.stderr.flush()

    def add(self, name: str, *command: str) -> Service:
        env = environment(self.settings, self.prefect)
        python = [sys.executable, "-m", *command]
        service = Service(name, python, env=env, logs_dir=self.settings.storage.logs_dir, say=self.say)
        self.services[name] = service
        self.tasks[name] = asyncio.create_task(service.run())
        return service

    async def start(self) -> None:
        """Start everything in parallel, and return when all of it is ready.

        Raises:
            NotStarted: a process ended, or was not ready in time.
        """
        if self.prefect.ours:
            rotating = [ROTATING] if keeps_secret(self.prefect) else []
            self.add("prefect", "flows.platform.prefect_server", self.prefect.host, str(self.prefect.port), *rotating)
        worker_token(self.settings)  # created once, before two processes try to
        web = self.add("web", "flows.cli", "web")
        self.add("cpu-worker", "flows.cli", "worker", "--pool", "cpu")
        for device in await asyncio.to_thread(_devices, self.settings):
            name = "gpu-worker" if device == "cpu" else f"gpu-worker-{device.replace(':', '')}"
            self.add(name, "flows.cli", "worker", "--pool", "gpu", "--device", device)
        await self._all_ready(web)
        for service in self.services.values():
            service.loud = True

    async def _all_ready(self, web: Service) -> None:
        deployed = asyncio.create_task(self._deploy())
        served = asyncio.create_task(self._web_ready(web))
        waiting: list[asyncio.Future[Any]] = [deployed, served]
        waiting += [asyncio.create_task(_set(each.ready)) for name, each in self.services.items() if "worker" in name]
        early: list[asyncio.Future[Any]] = [each.ended_early for each in self.services.values()]
        try:
            async with asyncio.timeout(START_WITHIN_S):
                pending = set(waiting)
                while pending:
                    await asyncio.wait({*pending, *early}, return_when=asyncio.FIRST_COMPLETED)
                    self._raise_if_ended()
                    done = {each for each in pending if each.done()}
                    for each in done:
                        each.result()
                    pending -= done
        except TimeoutError:
            late = ", ".join(name for name, each in self.services.items() if not each.ready.is_set()) or "prefect"
            raise NotStarted(
                late, f"not ready after {START_WITHIN_S:g} s", str(self.settings.storage.logs_dir)
            ) from None
        finally:
            for task in waiting:
                task.cancel()

    def _raise_if_ended(self) -> None:
        for service in self.services.values():
            if service.ended_early.done():
                reason = (
                    service.last_lines[-1]
                    if service.last_lines
                    else f"it ended with status {service.ended_early.result()}"
                )
                raise NotStarted(service.name, reason, str(service.log_path))

    async def _deploy(self) -> None:
        """Apply prefect.yaml as soon as the server answers."""
        from flows.platform import deploy

        await _answers(f"{self.prefect.api_url}/health")
        auth = environment(self.settings, self.prefect).get(CLIENT_AUTH)
        await deploy.apply_when_possible(self.prefect.api_url, auth=auth, within_s=START_WITHIN_S)
        if "prefect" in self.services:
            self.services["prefect"].ready.set()

    async def _web_ready(self, web: Service) -> None:
        await _answers(f"{self.settings.web.base_url}/readyz")
        web.ready.set()

    async def stop(self) -> None:
        """Stop everything: workers requeue their runs, then the server ends."""
        first = [name for name in self.services if name != "prefect"]
        for name in first:
            self.services[name].terminate()
        await asyncio.gather(
            *(self.services[name].end(self.tasks[name], within_s=WORKERS_END_WITHIN_S) for name in first)
        )
        if "prefect" in self.services:
            self.services["prefect"].terminate()
            await self.services["prefect"].end(self.tasks["prefect"], within_s=SERVER_ENDS_WITHIN_S)


def _devices(settings: Settings) -> list[str]:
    from tasks.models.devices import devices

    return devices(settings.engine)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


async def _answers(url: str) -> None:
    async with httpx.AsyncClient(timeout=2, trust_env=False, verify=usual_tls()) as http:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get(url)).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.05)


async def _serve(settings: Settings, prefect: PrefectAddress, *, demo: bool, exit_after: bool) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    platform = Platform(settings=settings, prefect=prefect)
    stopping = asyncio.create_task(_set(stop))
    try:
        starting = asyncio.create_task(platform.start())
        if not await _unless(stopping, starting):
            return 0
        _print_ready(platform)
        if demo:
            from flows.platform.demo_run import demonstrate

            showing = asyncio.create_task(asyncio.to_thread(demonstrate, settings))
            if not await _unless(stopping, showing):
                return 1
            if exit_after:
                return 0 if showing.result() else 1
        await stopping
        return 0
    finally:
        platform.say("up", "stopping")
        await platform.stop()
        platform.say("up", "everything has stopped")


async def _unless(stopping: "asyncio.Task[None]", work: "asyncio.Task[Any]") -> bool:
    """Wait for the work; return False if a signal came first."""
    await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        work.cancel()
        return False
    work.result()
    return True


def _print_ready(platform: Platform) -> None:
    taken_s = time.monotonic() - platform.started_at
    settings, prefect = platform.settings, platform.prefect
    lines = [
        f"Ready after {taken_s:.1f} s.",
        f"  App      {settings.web.base_url}",
        f"  API      {settings.web.base_url}/v1 (OpenAI-compatible), documented at {settings.web.base_url}/api/docs",
        f"  Prefect  {prefect.api_url.removesuffix('/api')}",
        f"  Data     {settings.storage.data_dir.absolute()} (logs in {settings.storage.logs_dir.name})",
        "Ctrl-C stops everything.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def up(settings: Settings, *, demo: bool = False, exit_after: bool = False) -> int:
    """Run the whole platform until a signal; return the exit status.

    Raises:
        AlreadyUp, PortTaken, NotStarted: why it cannot run, and what to do.
    """
    privacy.close(settings.storage)
    prefect = PrefectAddress.from_environment()
    supervise = partial(_supervise, settings, prefect, demo=demo, exit_after=exit_after)
    with hold(settings.storage.data_dir, settings.web.base_url):
        _ports_must_be_free(settings, prefect)
        if not process_host.preload(environment(settings, prefect)):
            return supervise()
        left_to_do = process_host.host(supervise)
    return left_to_do()


def _ports_must_be_free(settings: Settings, prefect: PrefectAddress) -> None:
    ports.must_be_free(settings.web.host, settings.web.port, "TRANSCRIBER_PORT")
    if prefect.ours:
        ports.must_be_free(prefect.host, prefect.port, "PREFECT_SERVER_API_PORT")


def _supervise(settings: Settings, prefect: PrefectAddress, *, demo: bool, exit_after: bool) -> int:
    try:
        return asyncio.run(_serve(settings, prefect, demo=demo, exit_after=exit_after))
    except* TranscriberError as group:
        raise group.exceptions[0] from None
