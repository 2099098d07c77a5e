"""Which device hears, and with how many workers, threads and windows at once, by cores and device memory.

A worker a core with one thread each did best by measurement (benchmarks/README.md), with small batches, since memory
goes with workers and windows; on a GPU a larger batch helps and more workers do little.
"""

import ctypes
import logging
import os
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from storage.errors import BadRequest
from storage.settings import EngineSettings

logger = logging.getLogger(__name__)

CUDA_LIBRARIES = (("nvidia.cublas", "libcublas*.so*"), ("nvidia.cudnn", "libcudnn*.so*"))
GIB = 2**30
MOST_CPU_WORKERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """How an engine uses a device: `cpu_threads` each for `num_workers` spans, `batch_size` windows in each."""

    device: str
    compute_type: str
    num_workers: int
    cpu_threads: int
    batch_size: int

    @property
    def kind(self) -> str:
        return self.device.partition(":")[0]

    @property
    def index(self) -> int:
        return int(self.device.partition(":")[2] or 0)


def devices(settings: EngineSettings) -> list[str]:
    """Return the devices to start an engine on: the one that is set, else every GPU, else the CPU.

    Raises:
        BadRequest: TRANSCRIBER_DEVICE names none that is here.
    """
    wanted = settings.device
    if wanted == "cpu":
        return ["cpu"]
    here = [f"cuda:{index}" for index in range(cuda_count())]
    if wanted == "auto":
        return here or ["cpu"]
    if wanted == "cuda" and here:
        return here
    if wanted in here:
        return [wanted]
    found = ", ".join([*here, "cpu"])
    raise BadRequest("TRANSCRIBER_DEVICE", f"{wanted} is not on this machine, which has {found}")


def plan_device(settings: EngineSettings, device: str | None = None) -> DevicePlan:
    """Return how to use `device` (default: the first of `devices`); every setting that is given wins."""
    chosen = device or devices(settings)[0]
    if chosen == "cuda":
        chosen = "cuda:0"
    automatic = _for_cpu(cores()) if chosen == "cpu" else _for_gpu(chosen, cuda_bytes(int(chosen.partition(":")[2])))
    return DevicePlan(
        device=chosen,
        compute_type=automatic.compute_type if settings.compute_type == "auto" else settings.compute_type,
        num_workers=settings.num_workers or automatic.num_workers,
        cpu_threads=settings.cpu_threads or _threads_left(settings.num_workers, automatic),
        batch_size=settings.batch_size or automatic.batch_size,
    )


def _threads_left(num_workers: int, automatic: DevicePlan) -> int:
    """Spread the same threads over as many workers as are set."""
    return max(1, automatic.cpu_threads * automatic.num_workers // (num_workers or automatic.num_workers))


def _for_cpu(count: int) -> DevicePlan:
    """One thread a worker and a worker a core: threads that wait for each other at every layer lose a third."""
    workers = max(1, min(count, MOST_CPU_WORKERS))
    threads = max(1, count // workers)
    return DevicePlan(device="cpu", compute_type="int8", num_workers=workers, cpu_threads=threads, batch_size=4)


def _for_gpu(device: str, memory_bytes: int) -> DevicePlan:
    batch = 8 if memory_bytes < 6 * GIB else 16 if memory_bytes < 14 * GIB else 32
    return DevicePlan(device=device, compute_type="float16", num_workers=2, cpu_threads=2, batch_size=batch)


def fitted(plan: DevicePlan, *, model_bytes: int, memory_bytes: int) -> DevicePlan:
    """Return the plan with as many windows at once as half of the memory that is free holds; one at least.

    Decoding keeps keys and values of each window for every layer, about half the size of the weights as int8; the
    encoder works on one window at a time and takes about as much.
    """
    batch = plan.batch_size
    while batch > 1 and plan.num_workers * (batch + 1) * model_bytes / 2 > memory_bytes / 2:
        batch //= 2
    return replace(plan, batch_size=batch)


def memory_free_bytes() -> int:
    """Return the memory that this process may still take, by the machine and by the container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text().strip()
    except OSError:
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - int(used)))


def cores() -> int:
    """Return the cores that this process may use, by affinity and by the container's quota."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return mine
    return mine if quota == "max" else max(1, min(mine, round(int(quota) / int(period))))


def cuda_count() -> int:
    """Return the number of CUDA devices that the engine can use."""
    prepare_libraries()
    import ctranslate2

    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError as error:
        logger.info("CUDA is not usable: %s", error, extra={"action": "devices"})
        return 0


def cuda_bytes(index: int) -> int:
    """Return a CUDA device's memory in bytes, asked of the driver; 0 where it does not say."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    handle, total = ctypes.c_int(), ctypes.c_size_t()
    asked = (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(handle), index),
        driver.cuDeviceTotalMem_v2(ctypes.byref(total), handle),
    )
    return total.value if not any(asked) else 0


def prepare_libraries() -> None:
    """Set up what CTranslate2 looks at when it is imported for the first time.

    Threads that wait sleep rather than spin: on a machine that does other work too, spinning took 2.5 times the
    processor time and made hearing slower (https://github.com/SYSTRAN/faster-whisper/issues/599).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    preload_cuda()


@cache
def preload_cuda() -> tuple[str, ...]:
    """Load pip's CUDA libraries, if they are installed, so that CTranslate2 finds them without LD_LIBRARY_PATH.

    Returns the names of what was loaded. See https://github.com/SYSTRAN/faster-whisper/issues/516.
    """
    loaded: list[str] = []
    for package, pattern in CUDA_LIBRARIES:
        for library in _libraries(package, pattern):
            try:
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                logger.warning("cannot load %s: %s", library, error, extra={"action": "devices"})
            else:
                loaded.append(library.name)
    return tuple(loaded)


def _libraries(package: str, pattern: str) -> list[Path]:
    try:
        spec = find_spec(package)
    except ModuleNotFoundError:
        return []
    folders = [Path(folder) / "lib" for folder in (spec.submodule_search_locations or [])] if spec else []
    # cublasLt comes before cublas, and libcudnn.so before its parts, by their dependencies
    return sorted((path for folder in folders for path in folder.glob(pattern)), key=lambda path: "Lt" not in path.name)
