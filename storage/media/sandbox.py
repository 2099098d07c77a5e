"""Children that open hostile media: without our secrets, under limits of memory, processor time and files.

A decoder that crashes, loops or eats memory ends its child and nothing else. https://man7.org/linux/man-pages/man2/setrlimit.2.html
"""

import os
import subprocess
import sys

MAX_MEMORY_BYTES = 1536 << 20  # address space; an hour of film at 60 pictures a second takes 170 MiB
MAX_OPEN_FILES = 64
GIVES_UP = "it is damaged so that the decoder gives up"
PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
"""Environment that Python and the decoder's libraries may need; tokens and passwords are for nobody's decoder."""


def start(module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start `python -m module`, which must call `confine` before it opens anything; what it says comes by a pipe."""
    env = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    nowhere = subprocess.DEVNULL
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere, bufsize=0, env=env)


def confine(cpu_s: int) -> None:
    """Limit this process; past `cpu_s` seconds of processor time it is ended with SIGXCPU."""
    import resource

    for limit, most in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
