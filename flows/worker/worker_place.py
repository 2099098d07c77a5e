"""A worker's place: its device, its slots, and a name that survives restarts."""

import getpass
import os
import socket

from flows.worker.heartbeats import GPU_POOL
from storage.domain.settings import Settings

CPU_SLOTS = 4


def device_and_slots(pool: str, settings: Settings, device: str | None) -> tuple[str, int]:
    """Return the device that a worker of this pool uses, and its number of slots."""
    if pool != GPU_POOL:
        return "cpu", CPU_SLOTS
    from tasks.models.devices import devices, plan_device

    chosen = device or devices(settings.engine)[0]
    return chosen, plan_device(settings.engine, chosen).num_workers


def default_name(pool: str, device: str) -> str:
    """Return a name that survives restarts, so that the worker finds its own runs.

    Two users of one machine and one Prefect server get different names.
    """
    place = "" if pool == device else f"-{device.replace(':', '')}"
    return f"{pool}{place}-{socket.gethostname()}-{_user()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, the user may have a number and no name
        return str(os.getuid())
