"""What breaks during a trial: processes, machine, storage, network, disk and database."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import psutil

from benchmarks.chaos.victims import Platform

CUT_S, STORAGE_AWAY_S, DATABASE_AWAY_S, FULL_S = (0.5, 4.0), (0.5, 3.0), (0.5, 3.0), (1.0, 5.0)
FROZEN_FOR_S = 20.0
CHILD_WITHIN_S = 5.0
FORK_SERVER = ("storage.media.fork_server",)

PROCESSES: dict[str, tuple[str, ...]] = {
    "web": ("flows.cli", "web"),
    "Prefect server": ("flows.platform.prefect_server",),
    "cpu worker": ("flows.cli", "worker", "cpu"),
    "gpu worker": ("flows.cli", "worker", "gpu"),
    "process that reads": ("flows.worker.child_main", "cpu"),
    "process that hears": ("flows.worker.child_main", "gpu"),
}
"""Each is started again by the supervisor, or by its worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """One breakdown of a plan: after `pause_s`, something of a kind.

    `share` says which one, or for how long.
    """

    pause_s: float
    kind: str
    share: float

    def between(self, shortest: float, longest: float) -> float:
        return shortest + self.share * (longest - shortest)


def plan(seed: int, pause_s: tuple[float, float]) -> Iterator[Strike]:
    """Yield the strikes of a seed, the same ones whatever they meet."""
    chance = random.Random(seed)  # noqa: S311
    kinds, weights = list(KINDS), [each.weight for each in KINDS.values()]
    while True:
        pause = chance.uniform(*pause_s)
        (kind,) = chance.choices(kinds, weights)
        yield Strike(pause_s=pause, kind=kind, share=chance.random())


def strike(platform: Platform, it: Strike) -> bool:
    """Break it, and mend what does not mend itself; return whether there was anything to break."""
    return KINDS[it.kind].breaks(platform, it)


def _killed(processes: list[psutil.Process]) -> bool:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(processes)


def _process(platform: Platform, it: Strike) -> bool:
    return _killed(platform.processes(*PROCESSES[it.kind]))


def _is_fork(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = process.parent()
        return parent is not None and all(word in parent.cmdline() for word in FORK_SERVER)
    return False


def _fork_server(platform: Platform, _: Strike) -> bool:
    return _killed([each for each in platform.processes(*FORK_SERVER) if not _is_fork(each)])


def _decoder(platform: Platform, _: Strike) -> bool:
    """Kill what opens media: a probe of an upload, or a decoder of a recording."""
    return _killed([each for each in platform.processes(*FORK_SERVER) if _is_fork(each)])


def _backup(platform: Platform, _: Strike) -> bool:
    """Order a backup, and kill the process that packs it."""
    with contextlib.suppress(httpx.HTTPError, OSError), platform.http() as http:
        http.post("/internal/v1/admin/backups", json={})
        until = time.monotonic() + CHILD_WITHIN_S
        while time.monotonic() < until:
            if _killed(platform.processes("storage.backup.backup_process")):
                return True
            time.sleep(0.01)
    return False


def _freeze(platform: Platform, it: Strike) -> bool:
    """Stop one process for a while, as a machine does that swaps or is suspended."""
    words = list(PROCESSES.values())[int(it.share * len(PROCESSES))]
    found = platform.processes(*words)
    for process in found:
        platform.freeze(process, FROZEN_FOR_S)
    return bool(found)


def _storage(platform: Platform, it: Strike) -> bool:
    platform.bucket.kill()
    time.sleep(it.between(*STORAGE_AWAY_S))
    platform.bucket.start()
    return True


def _network(platform: Platform, it: Strike) -> bool:
    platform.cable.cut()
    time.sleep(it.between(*CUT_S))
    platform.cable.mend()
    return True


def _disk(platform: Platform, it: Strike) -> bool:
    if not platform.disk_is_small:
        return False
    with platform.full_disk():
        time.sleep(it.between(*FULL_S))
    return True


def _database(platform: Platform, it: Strike) -> bool:
    if platform.database is None:
        return False
    platform.database.stop()
    time.sleep(it.between(*DATABASE_AWAY_S))
    platform.database.start()
    return True


def _everything(platform: Platform, it: Strike) -> bool:
    """Kill all processes of the platform, as when its machine loses power, and start it again."""
    _killed(platform.processes())
    return _started_again(platform, it)


def _supervisor(platform: Platform, it: Strike) -> bool:
    _killed(platform.processes("flows.platform.supervisor"))
    return _started_again(platform, it)


def _host(platform: Platform, it: Strike) -> bool:
    """Kill the process that forks the others, by which they end."""
    _killed(platform.processes("flows.cli", "up"))
    return _started_again(platform, it)


def _started_again(platform: Platform, it: Strike) -> bool:
    platform.await_end()
    time.sleep(it.between(0.1, 1.0))
    platform.start()
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How something is broken, and how often beside the others."""

    breaks: Callable[[Platform, Strike], bool]
    weight: float = 1.0


KINDS: dict[str, Kind] = {
    **{name: Kind(breaks=_process) for name in PROCESSES},
    "fork server": Kind(breaks=_fork_server, weight=0.5),
    "decoder": Kind(breaks=_decoder),
    "process of backups": Kind(breaks=_backup, weight=0.5),
    "frozen for 20 s": Kind(breaks=_freeze),
    "storage": Kind(breaks=_storage),
    "network": Kind(breaks=_network),
    "full disk": Kind(breaks=_disk),
    "PostgreSQL": Kind(breaks=_database),
    "supervisor": Kind(breaks=_supervisor, weight=0.25),
    "host of the processes": Kind(breaks=_host, weight=0.25),
    "everything": Kind(breaks=_everything, weight=0.4),
}
