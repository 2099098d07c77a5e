"""Choose devices, and how many workers, threads and windows each of them runs.

One worker per core with one thread each measured best (benchmarks/README.md), with small batches, since memory grows
with workers and windows. On a GPU a larger batch helps and more workers add little.
"""

import ctypes
import logging
import mmap
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from storage.domain.errors import BadRequest
from storage.domain.settings import EngineSettings
from tasks.models.cgroup_limits import cores, memory_bytes

logger = logging.getLogger(__name__)

CUDA_DRIVER = "libcuda.so.1"
CUDA_LIBRARIES = (("nvidia.cublas", "libcublas*.so*"), ("nvidia.cudnn", "libcudnn*.so*"))
GIB = 2**30
MOST_CPU_WORKERS = 16
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
KEPT_BYTES, LARGEST_BLOCK_BYTES = 256 * 2**20, 128 * 2**20  # a padded window's attention takes 72 MB with `base`
OLDER_LARGEST_BLOCK_BYTES = 32 * 2**20  # all that glibc before 2.35 accepts
HUGE_PAGES = "glibc.malloc.hugetlb=1"
KEPT_KERNELS = 128
"""oneDNN keeps a compiled kernel of some 60 KB for each shape it has met, up to 1,024, and clips differ in shape."""
RESERVED_BLOCKS, RESERVED_BLOCK_BYTES = 2, 100 * 2**20  # less than is kept
MADV_HUGEPAGE = 14  # <sys/mman.h>
LARGEST_FILLING_BYTES, SMALLEST_FILLING_BYTES = 64 * 2**10, 32
MOST_FILLING_BYTES = 256 * 2**20  # where the heap lies elsewhere, as with another allocator
SMALL_GPU_BYTES = 4 * GIB
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """How an engine uses a device: `cpu_threads` per worker, `batch_size` windows each.

    `num_workers` spans are transcribed at once.
    """

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
    """Facts that decide how a GPU is used; `capability` may be unknown (None)."""

    memory_bytes: int
    capability: tuple[int, int] | None


def devices(settings: EngineSettings) -> list[str]:
    """Return the devices to start engines on: the configured one, every GPU, or the CPU.

    Raises:
        BadRequest: TRANSCRIBER_DEVICE names a device that is not there.
    """
    requested = settings.device
    if requested == "cpu":
        return ["cpu"]
    present = [f"cuda:{index}" for index in range(cuda_count())]
    if requested == "auto":
        return present or ["cpu"]
    if requested == "cuda" and present:
        return present
    if requested in present:
        return [requested]
    available = ", ".join([*present, "cpu"])
    raise BadRequest("TRANSCRIBER_DEVICE", f"{requested} is not on this machine, which has {available}")


def plan_device(settings: EngineSettings, device: str | None = None) -> DevicePlan:
    """Return how to use a device (default: the first one); explicit settings win."""
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
    """Spread the same threads over the configured number of workers."""
    return max(1, automatic.cpu_threads * automatic.num_workers // (num_workers or automatic.num_workers))


def for_cpu(count: int, memory: int) -> DevicePlan:
    """Return the plan for a CPU with this many cores and bytes of memory.

    One worker per core with one thread each: threads that wait for each other at every layer lose a third of the speed.
    Each worker also needs memory, about a gigabyte.
    """
    workers = max(1, min(count, MOST_CPU_WORKERS, round(memory / GIB)))
    threads = max(1, count // workers)
    return DevicePlan(device="cpu", compute_type="int8", num_workers=workers, cpu_threads=threads, batch_size=8)


def for_gpu(device: str, gpu: Gpu) -> DevicePlan:
    """Return the plan for a GPU.

    https://opennmt.net/CTranslate2/quantization.html lists the compute types that each generation supports.
    """
    memory = gpu.memory_bytes
    if gpu.capability is None or gpu.capability >= (7, 0):
        compute_type = "int8_float16" if 0 < memory < SMALL_GPU_BYTES else "float16"
    else:
        compute_type = "int8" if gpu.capability >= (6, 1) else "float32"
    workers = 2 if memory >= 8 * GIB else 1
    batch = 8 if memory < 6 * GIB else 16 if memory < 14 * GIB else 32
    return DevicePlan(device=device, compute_type=compute_type, num_workers=workers, cpu_threads=2, batch_size=batch)


def fitted(plan: DevicePlan, *, model_bytes: int, free_bytes: int) -> DevicePlan:
    """Return the plan with as many windows as half of the free memory holds.

    Decoding keeps keys and values for each window and layer, about half the size of the int8 weights. The encoder
    processes one window at a time and needs about as much.
    """
    batch = plan.batch_size
    while batch > 1 and plan.num_workers * (batch + 1) * model_bytes / 2 > free_bytes / 2:
        batch //= 2
    return replace(plan, batch_size=batch)


def cuda_count() -> int:
    """Return the number of CUDA devices that the engine can use.

    Without a driver, nothing is imported to count them.
    """
    try:
        ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return 0
    prepare_libraries()
    import ctranslate2

    try:
        return int(ctranslate2.get_cuda_device_count())
    except RuntimeError as error:
        logger.info("CUDA is not usable: %s", error, extra={"action": "devices"})
        return 0


def gpu_at(index: int) -> Gpu:
    """Return the facts of a CUDA device; 0 bytes and no capability if unknown."""
    try:
        driver = ctypes.CDLL(CUDA_DRIVER)
    except OSError:
        return Gpu(memory_bytes=0, capability=None)
    handle, total, major, minor = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
    status_codes = (
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(handle), index),
        driver.cuDeviceTotalMem_v2(ctypes.byref(total), handle),
        driver.cuDeviceGetAttribute(ctypes.byref(major), CAPABILITY_MAJOR, handle),
        driver.cuDeviceGetAttribute(ctypes.byref(minor), CAPABILITY_MINOR, handle),
    )
    if any(status_codes):
        return Gpu(memory_bytes=0, capability=None)
    return Gpu(memory_bytes=total.value, capability=(major.value, minor.value))


def prepare_libraries() -> None:
    """Configure the libraries before CTranslate2 is imported for the first time.

    Waiting threads sleep rather than spin: on a machine that does other work too, spinning took 2.5 times the processor
    time and made transcription slower (https://github.com/SYSTRAN/faster-whisper/issues/599).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(KEPT_KERNELS))
    tune_allocator()
    one_blas_thread()
    preload_cuda()


def one_heap() -> None:
    """Let glibc's threads share one heap: each heap has free memory of its own."""
    with suppress(OSError, AttributeError):  # a different C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def fill_heap() -> None:
    """Take the free blocks between used ones, and never give them back.

    What forks of this process allocate lies together then: in a block between used ones, it would cost a copy of a page
    that they share.
    """
    with suppress(OSError, AttributeError):  # a different C library
        libc = ctypes.CDLL(None)
        libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
        end, size, left = libc.sbrk(0), LARGEST_FILLING_BYTES, MOST_FILLING_BYTES
        while size >= SMALLEST_FILLING_BYTES and left > 0:
            block, left = libc.malloc(size), left - size
            if not block or block >= end:
                size //= 2


@cache
def tune_allocator() -> None:
    """Let glibc's threads share one heap, and keep freed memory for the next window.

    A heap beside the first one is unmapped whenever it is empty, and a block above glibc's limit whenever it is freed:
    the next window's memory then comes from the kernel, cleared page by page. That took up to a quarter of the
    processor time on a busy machine. And a second heap keeps its own peak size.
    """
    one_heap()
    with suppress(OSError, AttributeError):  # a different C library
        mallopt = ctypes.CDLL(None).mallopt
        if not mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK_BYTES):
            mallopt(M_MMAP_THRESHOLD, OLDER_LARGEST_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def trim_heap() -> None:
    """Return the heap's free memory to the system, which `tune_allocator` keeps for the next window."""
    with suppress(OSError, AttributeError):  # a different C library
        ctypes.CDLL(None).malloc_trim(0)
    reserve_huge_pages()


def reserve_huge_pages() -> None:
    """Let the heap grow into huge pages where `engine_environment` asks for them.

    glibc reads that variable in a process that was started with it, but not in a fork. The blocks are never written to,
    so that they take no memory until the heap grows over them.
    """
    if HUGE_PAGES not in os.environ.get("GLIBC_TUNABLES", "") or sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a different C library
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        blocks = [libc.malloc(RESERVED_BLOCK_BYTES) for _ in range(RESERVED_BLOCKS)]
        for block in blocks:
            begin = (block or 0) + -(block or 0) % mmap.PAGESIZE
            libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(RESERVED_BLOCK_BYTES - mmap.PAGESIZE), MADV_HUGEPAGE)
            libc.free(ctypes.c_void_p(block))


def engine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that runs an engine: its heap uses huge pages.

    glibc reads this when a process starts, so it cannot be set from within. A value of the user's own is kept. Ten
    minutes of speech with `base` took a tenth less processor time, and a tenth of the page faults.
    """
    tunables = environment.get("GLIBC_TUNABLES", "")
    if "glibc.malloc.hugetlb" in tunables:
        return dict(environment)
    return {**environment, "GLIBC_TUNABLES": f"{tunables}:{HUGE_PAGES}" if tunables else HUGE_PAGES}


@cache
def one_blas_thread() -> None:
    """Limit NumPy's OpenBLAS to the calling thread.

    Its other threads spin after every product, and each window's features need one: they took as much processor time as
    the encoder itself.
    """
    import numpy  # noqa: F401 - only what is loaded can be limited
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")


@cache
def preload_cuda() -> tuple[str, ...]:
    """Load pip's CUDA libraries, if installed, so that CTranslate2 needs no LD_LIBRARY_PATH.

    Returns the names of the loaded libraries. See https://github.com/SYSTRAN/faster-whisper/issues/516.
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
