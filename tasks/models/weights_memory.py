"""Keep the weights of a loaded model in small pages of memory.

On Intel processors, MKL packs each layer's weights into a buffer of 12 MB and writes to less than a tenth of it. In
huge pages, which an engine's heap has for the sake of its working memory, `base` took 640 MB instead of 215 MB so, and
was not faster.
"""

import ctypes
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.models.devices import (
    KEPT_BYTES,
    LARGEST_BLOCK_BYTES,
    M_MMAP_THRESHOLD,
    M_TRIM_THRESHOLD,
    reserve_huge_pages,
)

PR_SET_THP_DISABLE, PR_GET_THP_DISABLE, MADV_NOHUGEPAGE = 41, 42, 15  # <linux/prctl.h>, <sys/mman.h>
OWN_MAPPING_BYTES = 128 * 2**10
"""While a model is loaded, a block of this size is a mapping of its own, which its release returns to the system."""
HUGE_PAGE_BYTES = 2 * 2**20
ANONYMOUS = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw-p 0+ 00:00 0\s*$", re.MULTILINE)

ONE_LOAD = threading.Lock()


@contextmanager
def small_pages() -> Iterator[None]:
    """Allocate in small pages, which stay small; afterwards, new memory is allocated as before."""
    try:
        libc = ctypes.CDLL(None)
        mallopt, prctl = libc.mallopt, libc.prctl
    except (OSError, AttributeError):  # a different C library
        yield
        return
    with ONE_LOAD:
        refused = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
        mallopt(M_MMAP_THRESHOLD, OWN_MAPPING_BYTES)
        mallopt(M_TRIM_THRESHOLD, OWN_MAPPING_BYTES)
        try:
            yield
        finally:
            libc.malloc_trim(0)
            _keep_small(libc)
            mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK_BYTES)
            mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
            prctl(PR_SET_THP_DISABLE, refused, 0, 0, 0)
            reserve_huge_pages()


def _keep_small(libc: ctypes.CDLL) -> None:
    """Keep the kernel from collecting these pages into huge ones later."""
    if sys.platform != "linux":
        return
    with suppress(OSError):
        for found in ANONYMOUS.finditer(Path("/proc/self/maps").read_text()):
            start, end = (int(each, 16) for each in found.groups())
            if end - start >= HUGE_PAGE_BYTES:
                libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_NOHUGEPAGE)
