"""The free memory of a device, read without using it.

NVIDIA's management library needs no CUDA context, which would itself take memory of the device
(https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html).
"""

import ctypes
import os
from functools import cache

from tasks.models.cgroup_limits import memory_free_bytes


class _NvmlMemory(ctypes.Structure):
    """`nvmlMemory_t`, in bytes."""

    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def free_bytes(device: str) -> int | None:
    """Return what is free of the memory of `cpu`, `cuda` or `cuda:N`; None if unknown."""
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return memory_free_bytes()
    return _gpu_free_bytes(visible_name(int(number or 0), os.environ.get("CUDA_VISIBLE_DEVICES")))


def visible_name(number: int, visible: str | None) -> str:
    """Return the index or UUID of CUDA's device; empty if it is not visible."""
    if not visible:
        return str(number)
    names = [name.strip() for name in visible.split(",")]
    return names[number] if number < len(names) else ""


def _gpu_free_bytes(name: str) -> int | None:
    library = _nvml()
    if library is None or not name:
        return None
    handle, memory = ctypes.c_void_p(), _NvmlMemory()
    if name.isdigit():
        failed = library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(int(name)), ctypes.byref(handle))
    else:
        failed = library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle))
    if failed or library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
        return None
    return int(memory.free)


@cache
def _nvml() -> ctypes.CDLL | None:
    """Return the library, initialised; None where there is none."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return None if library.nvmlInit_v2() else library
