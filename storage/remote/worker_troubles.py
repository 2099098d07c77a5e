"""What is wrong with the workers, in the same words on pages and in `doctor`."""

from collections.abc import Sequence
from datetime import datetime

from storage.domain.durations import span
from storage.domain.translation import gettext as _
from storage.domain.translation import marked
from storage.remote.worker_registry import ALIVE_FOR, Workers

DOES = {"cpu": marked("reads and exports"), "gpu": marked("transcribes")}
"""The work of each pool; recordings need both."""


def troubles(workers: Workers, now: datetime) -> Sequence[str]:
    """Return a message for each silent worker, wrong clock and pool without workers."""
    fell_silent = [silent(beat.name, beat.host) for beat in workers.silent(now)]
    skewed = [wrong_clock(beat.name, beat.host, ahead.total_seconds()) for beat, ahead in workers.skewed(now)]
    return fell_silent + skewed + [none_of(pool) for pool in DOES if not workers.alive(now, pool=pool)]


def silent(worker: str, host: str) -> str:
    return _(
        "worker {worker} on {host} sent no heartbeat for {seconds} s: it is frozen, dead or cut off",
        worker=worker,
        host=host,
        seconds=ALIVE_FOR.seconds,
    )


def wrong_clock(worker: str, host: str, ahead_s: float) -> str:
    return _(
        "the clock of {host}, where worker {worker} runs, is {off} fast: it works all the same, but its times are wrong"
        if ahead_s > 0
        else "the clock of {host}, where worker {worker} runs, is {off} slow: it works all the same, but its times are "
        "wrong",
        host=host,
        worker=worker,
        off=span(abs(ahead_s)),
    )


def none_of(pool: str) -> str:
    return _("no worker that {does} is running, so recordings wait until one starts", does=_(DOES[pool]))
