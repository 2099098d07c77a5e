"""Device plans for a table of machines, and control group limits."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from storage.domain.settings import EngineSettings
from tasks.models import cgroup_limits
from tasks.models.cgroup_limits import Groups
from tasks.models.devices import GIB, Gpu, engine_environment, for_cpu, for_gpu, plan_device

CPUS = {
    "one core, little memory": (1, 1, (1, 1)),
    "small board": (4, 1, (1, 4)),
    "small board with memory": (4, 8, (4, 1)),
    "laptop": (8, 16, (8, 1)),
    "virtual machine": (4, 2, (2, 2)),
    "server": (32, 128, (16, 2)),
    "large server": (96, 512, (16, 6)),
}


@pytest.mark.parametrize("machine", CPUS)
def test_a_cpu_is_used_by_its_cores_and_memory(machine: str) -> None:
    count, memory_gib, (workers, threads) = CPUS[machine]
    plan = for_cpu(count, memory_gib * GIB)
    assert (plan.num_workers, plan.cpu_threads) == (workers, threads)
    assert plan.num_workers * plan.cpu_threads <= count
    assert (plan.device, plan.compute_type) == ("cpu", "int8")


GPUS = {
    "GTX 960": (4, (5, 2), ("float32", 1, 8)),
    "GTX 1060": (6, (6, 1), ("int8", 1, 16)),
    "GTX 1650": (3.8, (7, 5), ("int8_float16", 1, 8)),
    "RTX 2060": (6, (7, 5), ("float16", 1, 16)),
    "T4": (15, (7, 5), ("float16", 2, 32)),
    "RTX 3090": (24, (8, 6), ("float16", 2, 32)),
    "H100": (78, (9, 0), ("float16", 2, 32)),
    "a driver that does not say": (0, None, ("float16", 1, 8)),
}


@pytest.mark.parametrize("name", GPUS)
def test_a_gpu_is_used_by_its_memory_and_capability(name: str) -> None:
    memory_gib, capability, (compute_type, workers, batch) = GPUS[name]
    plan = for_gpu("cuda:1", Gpu(memory_bytes=int(memory_gib * GIB), capability=capability))
    assert (plan.compute_type, plan.num_workers, plan.batch_size) == (compute_type, workers, batch)
    assert (plan.kind, plan.index) == ("cuda", 1)


def test_threads_follow_the_number_of_workers_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.models.devices.cores", lambda: 12)
    monkeypatch.setattr("tasks.models.devices.memory_bytes", lambda: 64 * GIB)
    plans = [plan_device(EngineSettings(device="cpu", num_workers=count)) for count in (1, 3, 5)]
    assert [(plan.num_workers, plan.cpu_threads) for plan in plans] == [(1, 12), (3, 4), (5, 2)]


def groups(folder: Path, own: str, files: dict[str, str]) -> Groups:
    for name, text in files.items():
        (folder / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fs" / name).write_text(text)
    (folder / "own").write_text(own)
    return Groups(root=folder / "fs", own=folder / "own")


def test_the_second_version_counts_along_the_whole_path(tmp_path: Path) -> None:
    files = {
        "cpu.max": "max 100000\n",
        "work/cpu.max": "150000 100000\n",
        "work/one/cpu.max": "max 100000\n",
        "work/memory.max": str(3 * GIB),
        "work/memory.current": str(GIB),
        "work/one/memory.max": "max\n",
    }
    found = groups(tmp_path, "0::/work/one\n", files)
    assert found.cores() == 1.5
    assert found.memory() == (3 * GIB, 2 * GIB)
    assert cgroup_limits.cores(found) in {1, 2}
    assert cgroup_limits.memory_bytes(found) <= 3 * GIB
    assert cgroup_limits.memory_free_bytes(found) <= 2 * GIB


def test_the_first_version_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    files = {
        "cpu/box/cpu.cfs_quota_us": "250000",
        "cpu/box/cpu.cfs_period_us": "100000",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
        "memory/box/memory.limit_in_bytes": str(GIB),
        "memory/box/memory.usage_in_bytes": str(GIB // 4),
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }
    found = groups(tmp_path, "4:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n", files)
    assert found.cores() == 2.5
    assert found.memory() == (GIB, GIB - GIB // 4)


def test_a_container_that_hides_its_path_has_limits_at_its_root(tmp_path: Path) -> None:
    found = groups(tmp_path, "0::/../../docker/abc\n", {"cpu.max": "200000 100000", "memory.max": str(2 * GIB)})
    assert found.cores() == 2.0
    assert found.memory() == (2 * GIB, 2 * GIB)


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    found = groups(tmp_path, "", {"cpu.max": "max 100000", "memory.max": "max"})
    assert (found.cores(), found.memory()) == (None, None)
    assert cgroup_limits.cores(found) >= 1
    assert cgroup_limits.memory_bytes(found) >= cgroup_limits.memory_free_bytes(found) > 0


def test_a_process_that_runs_an_engine_has_its_heap_in_huge_pages() -> None:
    policy = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not policy.exists() or "[madvise]" not in policy.read_text():
        pytest.skip("this kernel gives huge pages to all or to nobody")
    program = "kept = [bytes(20_000) for _ in range(1000)]; print(open('/proc/self/smaps').read())"

    def huge(environment: dict[str, str]) -> bool:
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        heap = done.stdout.partition("[heap]")[2]
        return " hg" in next(line for line in heap.splitlines() if line.startswith("VmFlags"))

    plain = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    assert not huge(plain)
    assert huge(engine_environment(plain))


def test_weights_lie_in_small_pages_and_later_memory_in_huge_ones() -> None:
    policy = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not policy.exists() or "[madvise]" not in policy.read_text():
        pytest.skip("this kernel gives huge pages to all or to nobody")
    program = (
        "import ctypes, re\n"
        "from pathlib import Path\n"
        "from tasks.models.weights_memory import small_pages\n"
        "libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p\n"
        "def huge_kb():\n"
        "    found = Path('/proc/self/smaps_rollup').read_text()\n"
        "    return int(re.search(r'AnonHugePages: *([0-9]+)', found)[1])\n"
        "def fill():\n"
        "    before = huge_kb()\n"
        "    for _ in range(8): ctypes.memset(libc.malloc(12 * 2**20) + 6 * 2**20, 1, 1)\n"
        "    return huge_kb() - before\n"
        "with small_pages(): weights = fill()\n"
        "print(weights, fill())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=engine_environment(os.environ), capture_output=True, text=True, check=True
    )
    weights_kb, later_kb = map(int, done.stdout.split())
    assert weights_kb <= 0
    assert later_kb >= 8 * 2048


def test_tunables_of_the_allocator_that_are_set_are_kept() -> None:
    own = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0"}
    assert engine_environment(own) == own
    other = engine_environment({"GLIBC_TUNABLES": "glibc.malloc.check=1"})
    assert other["GLIBC_TUNABLES"] == "glibc.malloc.check=1:glibc.malloc.hugetlb=1"


def test_memory_that_a_window_freed_serves_the_next_one_until_the_heap_is_trimmed() -> None:
    program = """
import resource, threading
from pathlib import Path
import numpy as np
from tasks.models.devices import trim_heap, tune_allocator

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

tune_allocator()
def windows():
    for _ in range(8):
        [np.ones(size, np.uint8) for size in (30_000_000, 40_000_000)]
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=windows)
    thread.start()
    thread.join()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
kept_bytes = resident_bytes()
trim_heap()
print(kept_bytes - resident_bytes())
"""
    environment = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    first, later, trimmed_bytes = map(int, done.stdout.split())
    pages = 70_000_000 // resource.getpagesize()
    assert later < min(first, pages // 10)
    assert trimmed_bytes > 60_000_000


@pytest.mark.parametrize(("set_before", "kept"), [({}, "128"), ({"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}, "7")])
def test_an_engine_keeps_few_compiled_kernels_unless_told_otherwise(set_before: dict[str, str], kept: str) -> None:
    program = (
        "import os\n"
        "from tasks.models.devices import prepare_libraries\n"
        "prepare_libraries()\n"
        "print(os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'])"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ONEDNN")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=plain | set_before, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == kept


FILLING = """
import ctypes
taken = []

class OtherLibrary:
    @staticmethod
    def sbrk(_):
        return 2**64 - 1

    @staticmethod
    def malloc(size):
        taken.append(size)
        assert len(taken) < 10_000, "it goes on until no memory is left"
        return 2**40

from tasks.models import devices
ctypes.CDLL = lambda _: OtherLibrary
devices.fill_heap()
print(sum(taken) == devices.MOST_FILLING_BYTES)
"""


def test_filling_ends_where_the_heap_lies_elsewhere() -> None:
    """Another allocator's blocks may all be below the end of a heap that it does not use."""
    done = subprocess.run([sys.executable, "-c", FILLING], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
