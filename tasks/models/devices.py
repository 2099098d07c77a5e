"""Which device hears, and with how many workers, threads and windows at once, by cores, memory and device.

A worker a core with one thread each did best by measurement (benchmarks/README.md), with small batches, since memory
goes with workers and windows; on a GPU a larger batch helps and more workers do little.
"""

import ctypes
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from storage.errors import BadRequest
from storage.settings import EngineSettings
from tasks.limits import cores, memory_bytes

logger = logging.getLogger(__name__)

CUDA_LIBRARIES = (("nvidia.cublas", "libcublas*.so*"), ("nvidia.cudnn", "libcudnn*.so*"))
GIB = 2**30
MOST_CPU_WORKERS = 16
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
KEPT_BYTES, LARGEST_BLOCK_BYTES = 64 * 2**20, 32 * 2**20
SMALL_GPU_BYTES = 4 * GIB
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """What decides how a GPU is used; its compute capability is None where the driver does not say."""

    memory_bytes: int
    capability: tuple[int, int] | None


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
    if chosen == "cpu":
        automatic = for_cpu(cores(), memory_bytes())
    else:
        automatic = for_gpu(chosen, gpu_at(int(chosen.partition(":")[2])))
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


def for_cpu(count: int, memory: int) -> DevicePlan:
    """Return how to use so many cores and bytes of memory.

    One thread a worker and a worker a core: threads that wait for each other at every layer lose a third. A worker
    more takes memory too, of which each has a gigabyte.
    """
    workers = max(1, min(count, MOST_CPU_WORKERS, round(memory / GIB)))
    threads = max(1, count // workers)
    return DevicePlan(device="cpu", compute_type="int8", num_workers=workers, cpu_threads=threads, batch_size=8)


def for_gpu(device: str, gpu: Gpu) -> DevicePlan:
    """Return how to use a GPU; which types it computes in: https://opennmt.net/CTranslate2/quantization.html."""
    memory = gpu.memory_bytes
    if gpu.capability is None or gpu.capability >= (7, 0):
        compute_type = "int8_float16" if 0 < memory < SMALL_GPU_BYTES else "float16"
    else:
        compute_type = "int8" if gpu.capability >= (6, 1) else "float32"
    workers = 2 if memory >= 8 * GIB else 1
    batch = 8 if memory < 6 * GIB else 16 if memory < 14 * GIB else 32
    return DevicePlan(device=device, compute_type=compute_type, num_workers=workers, cpu_threads=2, batch_size=batch)


def fitted(plan: DevicePlan, *, model_bytes: int, free_bytes: int) -> DevicePlan:
    """Return the plan with as many windows at once as half of the memory that is free holds; one at least.

    Decoding keeps keys and values of each window for every layer, about half the size of the weights as int8; the
    encoder works on one window at a time and takes about as much.
    """
    batch = plan.batch_size
    while batch > 1 and plan.num_workers * (batch + 1) * model_bytes / 2 > free_bytes / 2:
        batch //= 2
    return replace(plan, batch_size=batch)


def cuda_count() -> int:
    """Return the number of CUDA devices that the engine can use."""
    prepare_libraries()
    import ctranslate2

    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError as error:
        logger.info("CUDA is not usable: %s", error, extra={"action": "devices"})
        return 0


def gpu_at(index: int) -> Gpu:
    """Return what the driver says of a CUDA device; 0 bytes and no capability where it does not say."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Gpu(memory_bytes=0, capability=None)
    handle, total, major, minor = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
    asked = (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(handle), index),
        driver.cuDeviceTotalMem_v2(ctypes.byref(total), handle),
        driver.cuDeviceGetAttribute(ctypes.byref(major), CAPABILITY_MAJOR, handle),
        driver.cuDeviceGetAttribute(ctypes.byref(minor), CAPABILITY_MINOR, handle),
    )
    if any(asked):
        return Gpu(memory_bytes=0, capability=None)
    return Gpu(memory_bytes=total.value, capability=(major.value, minor.value))


def prepare_libraries() -> None:
    """Set up what CTranslate2 looks at when it is imported for the first time.

    Threads that wait sleep rather than spin: on a machine that does other work too, spinning took 2.5 times the
    processor time and made hearing slower (https://github.com/SYSTRAN/faster-whisper/issues/599).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    tune_allocator()
    one_blas_thread()
    preload_cuda()


@cache
def tune_allocator() -> None:
    """Let glibc's threads share two heaps, and keep what they free for the next window.

    With a heap each, every worker's heap keeps the most it ever needed. And the engine's large buffers, given back
    after each window and fetched again for the next one, cost page faults that took a tenth of the encoder's time.
    """
    with suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 2)
        mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


@cache
def one_blas_thread() -> None:
    """Let NumPy's OpenBLAS work with the thread that calls it.

    Its other threads spin after every product, and there is one in the features of each window: they took as much
    processor time as the encoder itself.
    """
    import numpy  # noqa: F401 - only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")


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
